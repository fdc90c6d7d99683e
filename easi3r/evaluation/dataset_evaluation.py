"""`easi3r evaluate DATASET`: a data set annotated and scored. Start reading here.

    frames -> lossless videos -> an ordinary run -> committed clips -> scores at the source's pixels

The command line calls this as it is, the flow with Prefect tasks and a Dask executor.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from easi3r.evaluation.datasets import DATASETS, DatasetName
from easi3r.evaluation.datasets import sequences as read_sequences
from easi3r.evaluation.protocols import frame_stride
from easi3r.evaluation.published import PublishedValue, published_values
from easi3r.evaluation.sequence import LeftOut, TrueSequence
from easi3r.evaluation.sequence_files import write_results
from easi3r.evaluation.sequence_runs import (
    AnnotatedSequence,
    Evaluation,
    annotate_sequences,
    no_watcher,
)
from easi3r.evaluation.sequence_scores import SequenceResult
from easi3r.evaluation.sequence_scoring import score_sequence
from easi3r.executor import Executor
from easi3r.run.collection import RunSteps, Watcher


@dataclass(frozen=True)
class DatasetResult:
    """A data set's scores, and the files that hold them.

    Attributes:
        results: of every sequence, in the order of the data set.
        absent: what the paper reports and this folder lacks.
        published: values of other methods.
        files: JSON and CSV; masks and pictures lie beside them.
    """

    results: tuple[SequenceResult, ...]
    absent: tuple[LeftOut, ...]
    published: tuple[PublishedValue, ...]
    files: tuple[Path, ...]

    @property
    def complete(self) -> bool:
        """True where every sequence has scores."""
        return not any(one.problem for one in self.results)


@dataclass(frozen=True)
class Selection:
    """Which sequences of which data set.

    Attributes:
        root: the folder that holds it, in its published layout.
        names: of the sequences; all if empty.
        limit: only the first so many of them; None: all.
    """

    dataset: DatasetName
    root: Path
    names: tuple[str, ...] = ()
    limit: int | None = None


def evaluate_dataset(
    selection: Selection,
    evaluation: Evaluation,
    executor: Executor | None = None,
    watcher: Callable[[], AbstractContextManager[Watcher]] = no_watcher,
    steps: RunSteps | None = None,
    on_result: Callable[[SequenceResult], None] = lambda _: None,
) -> DatasetResult:
    """Annotate what is not annotated yet, score everything, write it all under `evaluation.out`.

    Args:
        on_result: callback after each sequence is scored.

    Raises:
        TruthError: nothing of this data set lies under its root.
        As `annotate_sequences`.
    """
    stride = frame_stride(evaluation.protocol)
    found, refused = read_sequences(selection.dataset, selection.root, selection.names, stride)
    chosen = found[: selection.limit]
    start = time.perf_counter()
    annotated = annotate_sequences(chosen, evaluation, executor, watcher, steps)
    seconds = time.perf_counter() - start
    results = []
    for one in annotated:
        results.append(score_sequence(one, evaluation))
        on_result(results[-1])
    is_there = DATASETS[selection.dataset].find(selection.root)
    results += [_refused(selection, one) for one in refused if one.subject in is_there]
    absent = tuple(one for one in refused if one.subject not in is_there)
    published = published_values(selection.dataset, evaluation.protocol)
    run = _described(selection, evaluation, annotated, chosen)
    run["seconds"] = _seconds(results, seconds)
    run["absent"] = [one.subject for one in absent]
    files = write_results(results, run, published, evaluation.out)
    return DatasetResult(tuple(results), absent, published, files)


def _refused(selection: Selection, one: LeftOut) -> SequenceResult:
    """A sequence that is there and cannot be read."""
    return SequenceResult(one.subject, selection.dataset, 0, problem=f"truth: {one.reason}")


def _seconds(results: Sequence[SequenceResult], annotation: float) -> dict[str, float]:
    """Wall seconds by what they were spent on; `annotation` without the videos' part of it."""
    spent: Counter[str] = Counter()
    for one in results:
        spent.update(one.seconds)
    return {"annotation": annotation - spent["video"], **spent}


def _described(
    selection: Selection,
    evaluation: Evaluation,
    annotated: Sequence[AnnotatedSequence],
    chosen: Sequence[TrueSequence],
) -> dict[str, Any]:
    made_by = {
        (clip.weights_name, clip.weights_sha256, clip.weights_licence)
        for one in annotated
        for clip in one.clips
    }
    name, sha256, licence = next(iter(made_by), (evaluation.settings.model.weights, None, None))
    return {
        "dataset": selection.dataset,
        "root": str(selection.root),
        "protocol": evaluation.protocol,
        "sequences": len(chosen),
        "weights": name,
        "weights_sha256": sha256,
        "weights_licence": licence,
        "code_version": version("easi3r"),
        "settings": evaluation.settings.model_dump(mode="json"),
    }
