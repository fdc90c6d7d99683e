"""Supervising batches: a lost batch is halved until the clip that kills its worker is alone.

Reports are passed on as they come and never collected, so that a run may be of any length.
"""

from collections.abc import Callable, Iterable
from functools import partial

from easi3r.errors import WorkerLostError
from easi3r.executor import Executor
from easi3r.run.pending import Batch
from easi3r.run.run import Run
from easi3r.run.worker import annotate_batch, quarantine_clip
from easi3r.types import ClipReport, ClipSpec


def annotate_batches(
    batches: Iterable[Batch],
    run: Run,
    executor: Executor,
    on_reports: Callable[[Iterable[ClipReport]], None],
) -> Batch:
    """Annotate and commit batches over an executor, those that lose their worker in halves.

    Args:
        run: with the weights' hash pinned.
        on_reports: callback after each batch.

    Returns:
        The clips whose worker died though they were a batch of their own; `annotate_alone` them
        once nothing else runs, since Dask blames all that waited on a dying worker.

    Raises:
        CheckpointError, NotADatasetError, SettingsError, UnwritableDestinationError: see
            `annotate_batch`.
        DeviceFaultError: the device of this process failed; a worker's only ends the worker.
        ClusterLostError: the cluster went away.
    """
    suspects: list[ClipSpec] = []
    waiting: Iterable[Batch] = batches
    while True:
        lost: list[Batch] = []
        for batch, answer in executor.map(partial(annotate_batch, run=run), waiting):
            if isinstance(answer, WorkerLostError):
                lost.append(batch)
            else:
                on_reports(answer)
        suspects += [spec for batch in lost if len(batch) == 1 for spec in batch]
        waiting = [half for batch in lost if len(batch) > 1 for half in _halves(batch)]
        if not waiting:
            return tuple(suspects)


def annotate_alone(
    suspects: Iterable[ClipSpec],
    run: Run,
    executor: Executor,
    on_reports: Callable[[Iterable[ClipReport]], None],
) -> None:
    """Annotate clips one after the other, nothing beside them; one that kills still is quarantined.

    Raises:
        CheckpointError, NotADatasetError, SettingsError, UnwritableDestinationError,
            ClusterLostError: see `annotate_batches`.
    """
    for spec in suspects:
        for _, answer in executor.map(partial(annotate_batch, run=run), [(spec,)]):
            if isinstance(answer, WorkerLostError):
                on_reports((quarantine_clip(spec, run, answer.about(spec.clip_id)),))
            else:
                on_reports(answer)


def _halves(batch: Batch) -> tuple[Batch, Batch]:
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]
