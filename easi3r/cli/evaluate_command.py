"""`easi3r evaluate synthetic` and `easi3r evaluate real FOLDER`: scores where there is truth.

Exit codes: 0 if it ran; 1 if a sequence could not be scored (it is named with its reason), or if
a figure that `--require` asks for is missed; 2 if it could not run.
"""

import json
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from easi3r.cli.consoles import answer_console, error_console
from easi3r.cli.dataset_commands import add_dataset_commands, print_sequences
from easi3r.cli.options import SettingsFile, Weights, parse_settings

if TYPE_CHECKING:
    import numpy as np

    from easi3r.config import Settings
    from easi3r.evaluation.real import RealResult
    from easi3r.evaluation.requirements import Verdict
    from easi3r.evaluation.results import ClipResult
    from easi3r.model import LoadedModel

evaluate = typer.Typer(no_args_is_help=True, help="Scores beside baselines, where there is truth.")
add_dataset_commands(evaluate)

RequireOption = Annotated[
    bool, typer.Option("--require", help="Exit 1 if a figure that must be met is not.")
]


@evaluate.command()
def synthetic(
    weights: Weights = None,
    settings_file: SettingsFile = None,
    out: Annotated[Path, typer.Option(help="Folder for videos, pictures and JSON.")] = Path(
        "out/evaluation"
    ),
    clips: Annotated[int, typer.Option(min=1, max=100, help="Clips of each of the 4 kinds.")] = 8,
    frames: Annotated[tuple[int, int], typer.Option(help="Shortest and longest clip.")] = (12, 16),
    processes: Annotated[int, typer.Option(min=1, help="Of one thread each.")] = 2,
    require: RequireOption = False,
) -> None:
    """Score rendered clips that training never sees."""
    from easi3r.cli.progress_bar import with_lines
    from easi3r.evaluation.benchmark import run_benchmark
    from easi3r.evaluation.benchmark_clips import Kind, benchmark_clips
    from easi3r.evaluation.report import figures_table, masks_table, verdicts_table
    from easi3r.evaluation.requirements import SYNTHETIC, judge
    from easi3r.model import load_checkpoint

    console = answer_console()
    settings = parse_settings(settings_file, {"model": {"weights": weights}})
    # First, so that weights that cannot be used are an error at once.
    run = _described(load_checkpoint(settings.model.weights, settings.model.sha256), settings)
    chosen = benchmark_clips(clips, frames)
    watched = with_lines(run_benchmark(chosen, settings, out / "videos", processes), len(chosen))
    by_name = {one.name: one for one in watched}
    results = [by_name[one.name] for one in chosen]
    verdicts = judge(SYNTHETIC, results)
    console.print(figures_table(results))
    console.print(masks_table(results, "Masks, clips with movers", Kind.FROZEN.value))
    console.print(verdicts_table(verdicts))
    _write(results, verdicts, run, out)
    raise typer.Exit(1 if require and not all(one.meets_must for one in verdicts) else 0)


@evaluate.command()
def real(
    source: Annotated[
        Path, typer.Argument(help="A folder of sequences, or with --masks one video or its frames.")
    ],
    masks: Annotated[
        Path | None, typer.Option(help="Folder of PNGs, one a frame; 0 stands still.")
    ] = None,
    weights: Weights = None,
    settings_file: SettingsFile = None,
    out: Annotated[Path, typer.Option(help="Folder for pictures and JSON.")] = Path(
        "out/evaluation-real"
    ),
    frames: Annotated[int, typer.Option(min=3, help="Frames of each sequence.")] = 16,
    stride: Annotated[
        int | None, typer.Option(min=1, help="Default: over the whole sequence, 5 at most.")
    ] = None,
    focal_px: Annotated[
        float | None, typer.Option(help="Of the posed folders' images; needs --principal-px.")
    ] = None,
    principal_px: Annotated[
        tuple[float, float] | None, typer.Option(help="x and y; needs --focal-px.")
    ] = None,
    require: RequireOption = False,
) -> None:
    """Score real video with truth: masks, poses and depths, as far as a folder has them.

    A folder is searched for `NAME_masks/` beside `NAME.mp4` or `NAME/`, for
    `Annotations/../NAME/` beside `JPEGImages/../NAME/`, for folders of `frame-*.color.png` or
    `.color.jpg` with `.pose.txt` (camera-to-world, metres) and `.depth.png` (mm), with `masks/`
    beside where something moves, and for ScanNet's `color/`, `pose/`, `depth/`.
    """
    from easi3r.cli.progress_bar import with_lines
    from easi3r.errors import Easi3RError
    from easi3r.evaluation.datasets import FrameChoice, masked_sequence, real_sequences
    from easi3r.evaluation.real import score_sequence
    from easi3r.evaluation.report import masks_table, verdicts_table
    from easi3r.evaluation.requirements import POSED_VIDEO, judge
    from easi3r.evaluation.sequence_scores import SequenceResult
    from easi3r.model import load_checkpoint
    from easi3r.pipeline import select_device

    choice = FrameChoice(frames, stride)
    if masks is None:
        sequences, refused = real_sequences(source, _intrinsics(focal_px, principal_px), choice)
    else:
        sequences, refused = (masked_sequence(source, masks, choice),), ()
    settings = parse_settings(settings_file, {"model": {"weights": weights}})
    model = load_checkpoint(settings.model.weights, settings.model.sha256)
    model.network.to(select_device(settings.execution.device))
    failed = [
        SequenceResult(one.subject, "real", 0, problem=f"truth: {one.reason}") for one in refused
    ]

    def scored() -> Iterator["RealResult"]:
        for one in sequences:
            try:
                yield score_sequence(one, model, settings)
            except Easi3RError as error:
                problem = f"{error.reason}: {error}"
                failed.append(SequenceResult(one.name, "real", len(one), problem=problem))

    results = list(with_lines(scored(), len(sequences)))
    clips = [one.clip for one in results]
    still = [one for one in clips if one.geometry and one.moving_share == 0]
    verdicts = judge(POSED_VIDEO, still) if still else ()
    console = answer_console()
    print_sequences([*(one.sequence for one in results), *failed])
    if any(one.masks for one in clips):
        console.print(masks_table(clips, "Masks at the network's size, means"))
    if verdicts:
        console.print(verdicts_table(verdicts))
    problems = {"not_scored": {one.name: one.problem for one in failed}}
    _write(clips, verdicts, _described(model, settings) | problems, out)
    missed = require and not all(one.meets_must for one in verdicts)
    raise typer.Exit(1 if failed or missed else 0)


def _intrinsics(
    focal_px: float | None, principal_px: tuple[float, float] | None
) -> "np.ndarray | None":
    import numpy as np

    if focal_px is None and principal_px is None:
        return None
    if focal_px is None or principal_px is None:
        raise typer.BadParameter("--focal-px and --principal-px are given together")
    x, y = principal_px
    return np.array([[focal_px, 0, x], [0, focal_px, y], [0, 0, 1]])


def _described(model: "LoadedModel", settings: "Settings") -> dict[str, Any]:
    return {
        "weights": model.name,
        "weights_sha256": model.sha256,
        "weights_licence": model.licence,
        "code_version": version("easi3r"),
        "settings": settings.model_dump(mode="json"),
    }


def _write(
    results: Sequence["ClipResult"], verdicts: Sequence["Verdict"], run: dict[str, Any], out: Path
) -> None:
    """`scores.json`, and a sheet of pictures for each group.

    Raises:
        UnwritableDestinationError: one of them cannot be written.
    """
    from easi3r.errors import UnwritableDestinationError
    from easi3r.evaluation.report import as_json
    from easi3r.viz import save_sheet, truth_sheet

    file = out / "scores.json"
    text = json.dumps(as_json(results, verdicts, run), indent=1, allow_nan=False)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    except OSError as error:
        remedy = "Give a folder that can be written with --out"
        raise UnwritableDestinationError(str(file), str(error), remedy) from error
    written = [file]
    for group in dict.fromkeys(one.group for one in results):
        rows = [row for one in results if one.group == group for row in one.pictures]
        written.append(out / f"{re.sub('[^A-Za-z0-9]+', '-', group)}.png")
        save_sheet(truth_sheet(rows, group), written[-1])
    for path in written:
        error_console().print(path, highlight=False)
