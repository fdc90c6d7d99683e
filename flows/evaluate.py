"""Evaluate a published data set: the flow that deployments run, with `flows.annotate`'s own steps.

Composition only; what each step does is in `easi3r.evaluation.dataset_evaluation`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed, State
from pydantic import Field

from easi3r.config import Settings
from easi3r.evaluation.dataset_evaluation import DatasetResult, Selection, evaluate_dataset
from easi3r.evaluation.datasets import DatasetName
from easi3r.evaluation.protocols import Protocol
from easi3r.evaluation.sequence_runs import Evaluation
from easi3r.evaluation.sequence_tables import as_markdown
from easi3r.run.collection import Watcher
from flows.annotate import PARTITION_THREADS
from tasks.annotate import prefect_steps
from tasks.cluster import Cluster, LocalDask, open_executor
from tasks.watching import PrefectWatcher, open_progress_artifact


@flow(name="evaluate-dataset", validate_parameters=True, task_runner=PARTITION_THREADS)
def evaluate(
    dataset: DatasetName,
    root: str,
    out: str,
    protocol: Protocol = "paper",
    sequences: tuple[str, ...] = (),
    limit: Annotated[int, Field(ge=1)] | None = None,
    settings: Settings = Settings(),  # noqa: B008  frozen, so sharing it is safe
    cluster: Cluster = LocalDask(),  # noqa: B008
    clips_per_partition: Annotated[int, Field(ge=1)] = 500,
) -> State[DatasetResult]:
    """Annotate and score the sequences of a data set; run it again to continue.

    Args:
        dataset, root: which one, and the folder that holds it in its published layout.
        out: folder for videos, annotations, masks, pictures and scores; the workers see it too.
        protocol: `paper`, as its released code; `annotate`, as a run by default.
        sequences: only these; all if empty.
        limit: only the first so many of them.
        settings: what to compute and how, as far as the protocol leaves it open.
        cluster: where clips are annotated; scores are made here.
        clips_per_partition: clips that one Prefect task supervises.

    Returns:
        `Completed` with the scores; `Failed` with them where a sequence has none.
    """
    evaluation = Evaluation(Path(out).absolute(), settings, protocol)
    selection = Selection(dataset, Path(root).absolute(), sequences, limit)
    return run_evaluation(selection, evaluation, cluster, clips_per_partition)


def run_evaluation(
    selection: Selection, evaluation: Evaluation, cluster: Cluster, clips_per_partition: int
) -> State[DatasetResult]:
    """`evaluate` whatever loads its engines.

    Call it inside a flow whose task runner is `PARTITION_THREADS`.
    """
    with open_executor(cluster) as executor:
        steps = prefect_steps(clips_per_partition)
        done = evaluate_dataset(selection, evaluation, executor, _watcher, steps)
    create_markdown_artifact(as_markdown(done.results, done.published), key="evaluate-dataset")
    missing = [one.name for one in done.results if one.problem]
    if missing:
        return Failed(message=f"no scores: {', '.join(missing)}", data=done)
    return Completed(message=f"{len(done.results)} sequences scored", data=done)


@contextmanager
def _watcher() -> Iterator[Watcher]:
    yield PrefectWatcher(get_run_logger(), open_progress_artifact())
