"""`easi3r audit`, `prune`, `requeue`, `index`, `query`: maintain a dataset, and search it.

Exit codes as in `easi3r.cli.app`; `audit` exits with 1 on any finding.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from easi3r.cli.consoles import answer_console, print_line
from easi3r.errors import SettingsError, UnwritableDestinationError

if TYPE_CHECKING:
    import pyarrow as pa


Url = Annotated[str, typer.Argument(help="A dataset; any fsspec URL.")]
Limit = Annotated[int, typer.Option(min=0, help="Rows of the table at most.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without, only say what would go.")]

_LINE_SECONDS = 5.0  # between lines of progress


def _progress(what: str) -> Callable[[int, int], None]:
    from easi3r.run.progress import paced

    return paced(print_line, what, _LINE_SECONDS)


def audit(
    url: Url,
    sample: Annotated[
        int | None,
        typer.Option(min=0, help="Read only so many results whole, chosen at random."),
    ] = None,
    older_than: Annotated[
        float,
        typer.Option(min=0, help="Seconds from which an attempt without a record is an orphan."),
    ] = 3600.0,
    gc: Annotated[
        bool,
        typer.Option(
            "--gc", help="First delete orphans, leftovers, quarantine of committed results."
        ),
    ] = False,
    repair_index: Annotated[
        bool, typer.Option("--repair-index", help="First make the index anew.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
    limit: Limit = 40,
) -> None:
    """Check records, checksums, schema, values, quarantine and index; exit 1 on any finding.

    May run beside a run: attempts younger than --older-than are taken for a writer's at work, since
    writers write a clip before they commit it. Set it to 0 only where nothing is running.
    """
    from easi3r.cli.tables import findings_table
    from easi3r.plan import planned_clips
    from easi3r.store import audit as audit_dataset
    from easi3r.store import collect_garbage, rebuild_index

    if gc:
        print_line(str(collect_garbage(url, older_than, _progress("collecting"))))
    if repair_index:
        print_line(str(rebuild_index(url)))
    watch, planned = _progress("auditing"), planned_clips(url)
    report = audit_dataset(url, sample, older_than, watch, planned=planned)
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
    else:
        if not report.clean:
            answer_console().print(findings_table(report, limit))
        typer.echo(str(report))
    raise typer.Exit(0 if report.clean else 1)


def prune(
    url: Url,
    weights: Annotated[
        list[str] | None, typer.Option(help="Keep results of these weights: SHA-256 begins so.")
    ] = None,
    digest: Annotated[
        list[str] | None, typer.Option(help="Keep results of these settings: digest begins so.")
    ] = None,
    yes: Yes = False,
    limit: Limit = 20,
) -> None:
    """Remove superseded results: all but the newest of each clip, or all but the chosen.

    A clip that has none of the results to keep loses none.
    """
    from easi3r.cli.tables import results_table
    from easi3r.store import CommitRecord, has_index, made_by, newest, superseded, update_index
    from easi3r.store import prune as prune_results

    keep = made_by(weights or (), digest or ()) if weights or digest else newest
    shown: list[CommitRecord] = []
    count = stored_bytes = 0
    going: Iterable[CommitRecord] = superseded(url, keep)
    for record in prune_results(url, going) if yes else going:
        count, stored_bytes = count + 1, stored_bytes + record.bytes
        shown += [record] if len(shown) < limit else []
    answer_console().print(results_table(shown, count))
    done = "removed" if yes else "would be removed; --yes removes them"
    answer_console().print(f"{count} results, {stored_bytes / 1e6:.1f} MB {done}", highlight=False)
    if yes and has_index(url):
        print_line(str(update_index(url)))


def requeue(
    url: Url,
    reason: Annotated[
        list[str] | None, typer.Option(help="As quarantine records name it: oom, decode, ..")
    ] = None,
    record_id: Annotated[
        list[str] | None, typer.Option("--id", help="A clip id, or the id of a record.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that is quarantined.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Delete quarantine records, so that the next run tries those clips and videos again."""
    from easi3r.store import choose, quarantined_by_reason
    from easi3r.store import requeue as requeue_records

    if not (reason or record_id or everything):
        remedy = "Give --reason, --id or --all"
        raise SettingsError("easi3r requeue", "nothing is chosen", remedy)
    quarantined = quarantined_by_reason(url)
    chosen = quarantined if everything else choose(quarantined, reason or (), record_id or ())
    count = 0
    for word, ids in chosen.items():
        for _ in ids if dry_run else requeue_records(url, ids):
            count += 1
        answer_console().print(f"{word}: {len(ids)}", highlight=False)
    answer_console().print(
        f"{count} {'would be requeued' if dry_run else 'requeued'}", highlight=False
    )


def index(
    url: Url,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Also judge all results by the calibration installed here."),
    ] = False,
) -> None:
    """Bring the index up to date with the commit records; a run does this at its end."""
    from easi3r.quality.trust import assess
    from easi3r.store import update_index, update_trust

    answer_console().print(str(update_index(url)), highlight=False)
    if trust:
        answer_console().print(str(update_trust(url, assess)), highlight=False)


class Format(StrEnum):
    """How `query` writes its answer: `json` is one object a line."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def query(
    url: Url,
    expression: Annotated[
        str, typer.Argument(help='SQL, such as "frames >= 12 and median_reprojection_px < 1.5".')
    ] = "true",
    columns: Annotated[
        str, typer.Option(help="Names or SQL expressions, separated by commas.")
    ] = "clip_id, video_url, owned_start, owned_stop, frames, median_reprojection_px, bytes",
    limit: Annotated[int | None, typer.Option(min=0, help="Rows at most; default: all.")] = None,
    form: Annotated[Format, typer.Option("--format", help="json: one object a line.")] = (
        Format.TABLE
    ),
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="A file to write instead of printing.")
    ] = None,
) -> None:
    """Find results in the index (as it was last updated); all columns: --columns '*'."""
    from easi3r.cli.tables import rows_table
    from easi3r.store import query as query_index

    rows = query_index(url, expression, (columns,), limit)
    if form is Format.PARQUET:
        import pyarrow.parquet as pq

        if out is None:
            raise SettingsError("--format parquet", "is not for a terminal", "Give a file with -o")
        with _writing(out):
            pq.write_table(rows, out)
    elif form is Format.TABLE:
        answer_console().print(rows_table(rows))
    else:
        text = _as_csv(rows) if form is Format.CSV else _as_json_lines(rows)
        with _writing(out):
            typer.echo(text, nl=False) if out is None else out.write_text(text)


@contextmanager
def _writing(out: Path | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = "Choose a file that can be written"
        raise UnwritableDestinationError(str(out), str(error), remedy) from error


def _as_csv(rows: "pa.Table") -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(rows.column_names)
    writer.writerows(row.values() for row in rows.to_pylist())
    return text.getvalue()


def _as_json_lines(rows: "pa.Table") -> str:
    return "".join(f"{json.dumps(row, default=_plain)}\n" for row in rows.to_pylist())


def _plain(value: object) -> int | float | str:
    """For JSON: DuckDB's sums are decimals, times are text."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)


STORE_COMMANDS = (audit, prune, requeue, index, query)
