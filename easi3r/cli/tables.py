"""Tables and lines for a terminal: what a dataset holds, a plan, a forecast, a run."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from rich.markup import escape
from rich.table import Table

from easi3r.plan import OutdatedResults, Plan, PlanState
from easi3r.run.forecast import Forecast, Interval
from easi3r.run.run_record import MOST_TROUBLES, RunRecord
from easi3r.store import AuditReport, CommitRecord, QuarantineRecord


def clips_table(clips: Sequence[Mapping[str, Any]], total: int) -> Table:
    """One row a clip, of rows of the index: the first of `total`."""
    table = Table(title=_title("clips", total, len(clips)))
    for heading in ("clip", "video", "owned frames", "seconds", "size", "read", "MB", "trust"):
        table.add_column(heading, overflow="fold")
    for clip in clips:
        table.add_row(
            clip["clip_id"],
            escape(clip["video_url"]),
            f"{clip['owned_start']}..{clip['owned_stop'] - 1}",
            f"{clip['start_seconds']:.2f}..{clip['stop_seconds']:.2f}",
            f"{clip['width']}x{clip['height']}",
            str(clip["frames"]),
            f"{clip['bytes'] / 1e6:.2f}",
            _trust(clip),
        )
    return table


def quarantine_table(records: Sequence[QuarantineRecord], total: int) -> Table:
    """One row a record: the first of `total`."""
    table = Table(title=_title("quarantined", total, len(records)))
    for heading in ("id", "reason", "times", "message"):
        table.add_column(heading, overflow="fold")
    for record in records:
        table.add_row(record.id, record.reason, str(record.count), escape(record.message))
    return table


def findings_table(report: AuditReport, limit: int) -> Table:
    """The first findings of an audit, by kind."""
    total = sum(report.counts.values())
    shown = sorted(report.findings, key=lambda finding: (finding.kind, finding.path))[:limit]
    table = Table(title=_title("findings", total, len(shown)))
    for heading in ("kind", "path", "problem"):
        table.add_column(heading, overflow="fold")
    for finding in shown:
        table.add_row(finding.kind, escape(finding.path), escape(finding.problem))
    return table


def results_table(results: Sequence[CommitRecord], total: int) -> Table:
    """One row a result: the first of `total`."""
    table = Table(title=_title("results", total, len(results)))
    for heading in ("result", "video", "weights", "settings", "committed", "MB"):
        table.add_column(heading, overflow="fold")
    for record in results:
        table.add_row(
            record.name,
            escape(record.video_url),
            f"{record.weights_name} {record.weights_sha256[:12]}",
            record.settings_digest[:12],
            record.committed_at.isoformat(timespec="seconds"),
            f"{record.bytes / 1e6:.2f}",
        )
    return table


def rows_table(rows: pa.Table) -> Table:
    """What a query answered."""
    table = Table(title=f"{len(rows)} rows")
    for name in rows.column_names:
        table.add_column(name, overflow="fold")
    for row in rows.to_pylist():
        table.add_row(*("" if value is None else escape(str(value)) for value in row.values()))
    return table


def plan_table(plan: Plan, state: PlanState, outdated: OutdatedResults) -> Table:
    """What the plan holds and how much of it is pending."""
    counts = plan.counts
    table = Table(title=f"plan {plan.plan_id} of {escape(plan.record.source)}", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    reasons = ", ".join(f"{number} {reason}" for reason, number in plan.reasons().items())
    ignored = ", ".join(f"{number} {suffix}" for suffix, number in counts.ignored.items())
    for label, value in (
        ("videos", str(counts.videos)),
        ("clips", str(counts.clips)),
        ("frames read", str(counts.frames)),
        ("seconds of video", f"{counts.seconds:.1f}"),
        ("committed already", str(state.committed)),
        ("quarantined clips", str(state.quarantined)),
        ("outdated results", str(outdated)),
        ("would run: clips", str(state.pending)),
        ("would run: frames", str(state.pending_frames)),
        ("would run: seconds of video", f"{state.pending_seconds:.1f}"),
        ("duplicate clips", str(counts.duplicates)),
        ("repeated names", str(counts.repeated_names)),
        ("quarantined videos", str(counts.quarantined_videos)),
        ("failed videos (run again)", str(counts.failed_videos)),
        ("shots left out", str(counts.left_out_shots)),
        ("reasons", reasons),
        ("files ignored", ignored),
    ):
        if value not in ("", "0"):
            table.add_row(label, escape(value))
    return table


def forecast_table(forecast: Forecast) -> Table:
    """A forecast, each figure with its 90 % interval."""
    measured = f"{forecast.measured_clips} clips on {forecast.device}"
    table = Table(title=f"forecast for {forecast.clips} clips, {forecast.workers} workers")
    table.caption = (
        "as given, without uncertainty"
        if forecast.device == "given"
        else f"measured: {measured}; 90 % intervals from their spread"
    )
    for heading in ("", "low", "expected", "high"):
        table.add_column(heading, justify="right" if heading else "left")
    _add(table, "seconds per clip", forecast.per_clip_seconds)
    _add(table, "device-hours", forecast.device_hours)
    if forecast.cost is not None:
        _add(table, f"cost at {forecast.price_per_hour} an hour", forecast.cost)
    _add(table, "wall time, hours", forecast.wall_seconds.times(1 / 3600))
    _add(table, "GB stored", forecast.bytes.times(1e-9))
    _add(table, "objects stored", forecast.objects)
    return table


def totals(record: RunRecord) -> str:
    """What a run did, in a line; a second one holds it against its forecast, where it had one."""
    return "\n".join(filter(None, (str(record), record.against_forecast)))


def troubles_table(record: RunRecord) -> Table:
    """One row for each input without a result, `MOST_TROUBLES` at most."""
    table = Table()
    for heading in ("video", "id", "outcome", "why"):
        table.add_column(heading, overflow="fold")
    for trouble in record.troubles:
        table.add_row(escape(trouble.video_url), trouble.subject, trouble.outcome, trouble.reason)
    if (total := sum(record.reasons.values())) > MOST_TROUBLES:
        table.title = f"the first {MOST_TROUBLES} of {total} inputs without a result"
    return table


def _add(table: Table, label: str, interval: Interval) -> None:
    table.add_row(label, *(f"{value:,.4g}" for value in interval.model_dump().values()))


def _trust(clip: Mapping[str, Any]) -> str:
    """Trust and the reasons against it, of a row of the index; empty without."""
    if clip["trust"] is None:
        return ""
    return ", ".join([f"{clip['trust']:.2f}", *(clip["trust_reasons"] or ())])


def _title(what: str, total: int, shown: int) -> str:
    return f"{total} {what}" if shown == total else f"{what}: the first {shown} of {total}"
