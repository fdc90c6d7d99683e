"""The command line: `easi3r annotate`, `inspect`, `picture`, `models`, `settings`.

Exit codes: 0 if nothing failed; 1 if inputs were quarantined or failed; 2 if the run could not be
done at all (the message names the input and the remedy).
"""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from easi3r.config import Settings
from easi3r.errors import Easi3RError
from easi3r.evaluate_command import evaluate
from easi3r.options import chosen_settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="4D annotation of video: what moves, where the camera is, where every pixel lies.",
)
app.add_typer(evaluate, name="evaluate")
console = Console()
errors = Console(stderr=True)


def main() -> NoReturn:
    """Entry point of the console script: errors of ours become one line and exit code 2."""
    try:
        app()
    except Easi3RError as error:
        errors.print(
            f"[bold red]error[/] ({error.reason}) {escape(str(error))}",
            soft_wrap=True,
            highlight=False,
        )
        sys.exit(2)
    raise AssertionError("unreachable: typer exits")


@app.command()
def annotate(
    source: Annotated[
        str, typer.Argument(help="A video, folder, glob or manifest; any fsspec URL.")
    ],
    destination: Annotated[
        str, typer.Argument(metavar="DEST", help="The dataset; any fsspec URL.")
    ],
    settings: Annotated[
        Path | None, typer.Option(help="JSON file of settings (see `easi3r settings`).")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Name, .pth, folder, URL or Hugging Face repository.")
    ] = None,
    long_side: Annotated[
        int | None, typer.Option(help="Pixels; default: the weights' own.")
    ] = None,
    clip_frames: Annotated[int | None, typer.Option(help="Frames of a clip.")] = None,
    overlap_frames: Annotated[int | None, typer.Option(help="Shared with the next clip.")] = None,
    stride: Annotated[int | None, typer.Option(help="Take every n-th frame.")] = None,
    rate_hz: Annotated[float | None, typer.Option(help="Take this many frames a second.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 ..; default: auto.")] = None,
    keep_broken: Annotated[
        bool, typer.Option("--keep-broken", help="Keep the frames before a stream breaks.")
    ] = False,
) -> None:
    """Annotate every video of SOURCE into DEST; run it again to continue."""
    chosen = chosen_settings(
        settings,
        {
            "model": {"weights": weights},
            "video": {
                "long_side_px": long_side,
                "broken_stream": "keep_frames_before_break" if keep_broken else None,
            },
            "sampling": {
                "clip_frames": clip_frames,
                "overlap_frames": overlap_frames,
                "frame_stride": stride,
                "rate_hz": rate_hz,
            },
            "execution": {"device": device},
        },
    )
    # Imported here: torch takes seconds, and the other commands do without.
    from easi3r.collection import annotate_collection
    from easi3r.terminal import TerminalProgress, summary_table

    with TerminalProgress(console) as watcher:
        summary = annotate_collection(source, destination, chosen, watcher=watcher)
    console.print(summary_table(summary))
    raise typer.Exit(0 if summary.succeeded else 1)


@app.command()
def inspect(
    url: Annotated[str, typer.Argument(help="A dataset; any fsspec URL.")],
    limit: Annotated[int, typer.Option(min=0, help="Rows of each table at most.")] = 20,
) -> None:
    """What a dataset holds: clips, frames, weights, licences, quarantine."""
    from easi3r.store import inspect as inspect_dataset
    from easi3r.store import open_dataset
    from easi3r.tables import clips_table, quarantine_table

    console.print(str(inspect_dataset(url)), highlight=False, markup=False)
    dataset = open_dataset(url)
    console.print(clips_table(dataset.clips, limit))
    if dataset.quarantined:
        console.print(quarantine_table(dataset.quarantined, limit))


@app.command()
def picture(
    url: Annotated[str, typer.Argument(help="A dataset; any fsspec URL.")],
    clip: Annotated[str, typer.Argument(help="A clip id, or its first digits.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The PNG to write.")],
) -> None:
    """Draw a committed clip: frames, motion, masks, depth, camera path."""
    from easi3r.viz import draw_clip

    draw_clip(url, clip, out)
    console.print(out)


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
        console.print_json(data=[each.model_dump(mode="json") for each in weights])
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
    if schema:
        console.print_json(data=Settings.model_json_schema())
    else:
        console.print_json(Settings().model_dump_json())
