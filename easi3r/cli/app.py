"""The command line: `easi3r plan`, `annotate`, `bench`, `inspect`, `audit`, `query` and more.

Exit codes: 0 if nothing failed; 1 if inputs were quarantined or failed; 2 if the run could not be
done at all (the message names the input and the remedy); 130 if Ctrl-C ended it.
"""

import sys
from itertools import islice
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.markup import escape

from easi3r.cli.annotate_command import annotate
from easi3r.cli.bench_command import bench
from easi3r.cli.consoles import answer_console, error_console
from easi3r.cli.evaluate_command import evaluate
from easi3r.cli.plan_command import plan
from easi3r.cli.store_commands import STORE_COMMANDS
from easi3r.errors import Easi3RError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="4D annotation of video: what moves, where the camera is, where every pixel lies.",
)
app.add_typer(evaluate, name="evaluate")
for command in (plan, annotate, bench, *STORE_COMMANDS):
    app.command()(command)


def main() -> NoReturn:
    """Entry point of the console script: errors of ours become one line and exit code 2."""
    try:
        app()
    except Easi3RError as error:
        error_console().print(
            f"[bold red]error[/] ({error.reason}) {escape(str(error))}",
            soft_wrap=True,
            highlight=False,
        )
        sys.exit(2)
    raise AssertionError("unreachable: typer exits")


@app.command()
def inspect(
    url: Annotated[str, typer.Argument(help="A dataset; any fsspec URL.")],
    limit: Annotated[int, typer.Option(min=0, help="Rows of each table at most.")] = 20,
) -> None:
    """What a dataset holds: clips, frames, weights, licences, quarantine."""
    from easi3r.cli.tables import clips_table, quarantine_table
    from easi3r.store import first_clips, quarantine_records
    from easi3r.store import inspect as inspect_dataset

    console, summary = answer_console(), inspect_dataset(url)
    console.print(str(summary), highlight=False, markup=False)
    console.print(clips_table(first_clips(url, limit), summary.clips))
    if summary.quarantined:
        total = sum(summary.quarantined.values())
        console.print(quarantine_table([*islice(quarantine_records(url), limit)], total))


@app.command()
def picture(
    url: Annotated[str, typer.Argument(help="A dataset; any fsspec URL.")],
    clip: Annotated[str, typer.Argument(help="A clip id, or its first digits.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The PNG to write.")],
) -> None:
    """Draw a committed clip: frames, motion, masks, depth, camera path."""
    from easi3r.viz import draw_clip

    draw_clip(url, clip, out)
    answer_console().print(out)


@app.command()
def models(
    name: Annotated[
        str | None, typer.Argument(help="Only these weights, with their model card.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list, for machines.")] = False,
) -> None:
    """Weights that `--weights` takes by name: licence, size, hash, and whether they are here."""
    from easi3r.model import embedded_card, list_weights, named_weights

    weights = list_weights() if name is None else [named_weights(name)]
    if as_json:
        answer_console().print_json(data=[each.model_dump(mode="json") for each in weights])
        return
    typer.echo("\n\n".join(str(each) for each in weights))
    card = None if name is None else embedded_card(name)
    if card is not None:
        typer.echo(f"\n{card.rstrip()}")


@app.command(name="settings")
def print_settings(
    schema: Annotated[bool, typer.Option("--schema", help="Ranges and meanings instead.")] = False,
) -> None:
    """Print the default settings, ready for `easi3r annotate --settings FILE`."""
    from easi3r.config import Settings

    console = answer_console()
    if schema:
        console.print_json(data=Settings.model_json_schema())
    else:
        console.print_json(Settings().model_dump_json())
