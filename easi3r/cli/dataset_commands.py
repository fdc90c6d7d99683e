"""`easi3r evaluate davis|tum|adt|dycheck|sintel|bonn ROOT`: the published benchmarks.

Exit codes as `easi3r evaluate real`: 0 if it ran; 1 if a sequence has no scores (its row says why);
2 if it could not run; 130 if Ctrl-C ended it.
"""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from easi3r.cli.consoles import answer_console, error_console, print_line
from easi3r.cli.options import Device, SettingsFile, Weights, parse_settings

if TYPE_CHECKING:
    from easi3r.evaluation.dataset_evaluation import Selection
    from easi3r.evaluation.datasets import DatasetName
    from easi3r.evaluation.published import PublishedValue
    from easi3r.evaluation.sequence_runs import Evaluation
    from easi3r.evaluation.sequence_scores import SequenceResult
    from easi3r.run.collection import Watcher

INTERRUPTED = 128 + signal.SIGINT

DATASETS: dict["DatasetName", str] = {
    "davis": "DAVIS 2016 or 2017: motion masks (JPEGImages/480p, Annotations/480p).",
    "tum": "TUM-dynamics: cameras and depth of eight freiburg3 sequences.",
    "adt": "ADT of TAPVid-3D (minival): cameras.",
    "dycheck": "DyCheck's iPhone sequences: cameras, depth and points.",
    "sintel": "Sintel (training, final pass): cameras and depth of 14 sequences.",
    "bonn": "Bonn RGB-D dynamic: cameras and depth of five sequences.",
}


class ProtocolName(StrEnum):
    """Values of `--protocol`."""

    PAPER = "paper"
    ANNOTATE = "annotate"


ProtocolOption = Annotated[
    ProtocolName, typer.Option(help="As the paper's released code, or as `easi3r annotate`.")
]


def add_dataset_commands(evaluate: typer.Typer) -> None:
    """A command for each data set."""
    for dataset, text in DATASETS.items():
        evaluate.command(name=dataset, help=f"Score {text}")(_command(dataset))


def _command(dataset: "DatasetName") -> Callable[..., None]:
    def command(
        root: Annotated[Path, typer.Argument(help="The data set in its published layout.")],
        protocol: ProtocolOption = ProtocolName.PAPER,
        sequences: Annotated[
            str | None, typer.Option(help="Only these, separated by commas.")
        ] = None,
        limit: Annotated[
            int | None, typer.Option(min=1, help="Only the first so many sequences.")
        ] = None,
        weights: Weights = None,
        settings_file: SettingsFile = None,
        device: Device = None,
        out: Annotated[
            Path, typer.Option(help="Folder for annotations, masks, pictures and scores.")
        ] = Path(f"out/evaluation-{dataset}"),
    ) -> None:
        from easi3r.evaluation.dataset_evaluation import Selection
        from easi3r.evaluation.sequence_runs import Evaluation

        names = tuple(filter(None, (sequences or "").split(",")))
        options = {"model": {"weights": weights}, "execution": {"device": device}}
        settings = parse_settings(settings_file, options)
        evaluation = Evaluation(out, settings, protocol.value)
        _evaluate(Selection(dataset, root, names, limit), evaluation)

    return command


def _evaluate(selection: "Selection", evaluation: "Evaluation") -> None:
    from easi3r.evaluation.dataset_evaluation import evaluate_dataset

    try:
        done = evaluate_dataset(selection, evaluation, watcher=_progress, on_result=_scored)
    except KeyboardInterrupt:
        print_line("interrupted: what is committed stays; the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None
    print_sequences(done.results, done.published)
    if done.absent:
        names = ", ".join(one.subject for one in done.absent)
        answer_console().print(f"{done.absent[0].reason}: {names}", highlight=False, markup=False)
    for path in (*done.files, evaluation.out / "masks", evaluation.out / "pictures"):
        print_line(str(path))
    raise typer.Exit(0 if done.complete else 1)


def print_sequences(
    results: Sequence["SequenceResult"], published: Sequence["PublishedValue"] = ()
) -> None:
    """Tables with a row a sequence, and remarks under them."""
    from easi3r.evaluation.sequence_tables import remarks, sequence_tables

    console = answer_console()
    for table in sequence_tables(results, published):
        console.print(table)
    for line in remarks(results):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _progress() -> Iterator["Watcher"]:
    """The progress of a run, beside the answer; Ctrl-C ends it in order."""
    from easi3r.cli.interrupts import on_first_interrupt
    from easi3r.cli.progress_bar import RunProgress

    with (
        closing(RunProgress(error_console())) as watcher,
        on_first_interrupt(watcher.interrupted),
    ):
        yield watcher


def _scored(result: "SequenceResult") -> None:
    print_line(f"scored  {result.name}" if not result.problem else f"no scores  {result.name}")
