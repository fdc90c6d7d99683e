"""Supervising batches: lost ones are split until the clip that kills its worker is alone.

Reports are handed on as they come and never kept, so that a run may be of any length.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from easi3r.config import Settings
from easi3r.errors import WorkerLostError
from easi3r.executor import Executor
from easi3r.plan import Plan
from easi3r.run.engine import EngineFactory, load_engine
from easi3r.run.ledger import Ledger
from easi3r.run.worker import annotate_batch, quarantine_clip
from easi3r.store import (
    clear_quarantine,
    committed_set,
    pack_clip_ids,
    quarantined_set,
    result_id,
    result_names,
)
from easi3r.types import ClipReport, ClipSpec, Outcome

Batch = tuple[ClipSpec, ...]


def pending_batches(
    plan: Plan, destination: str, settings: Settings, ledger: Ledger
) -> Iterator[Batch]:
    """The clips of a plan that have neither a result nor a quarantine record, batch by batch.

    What earlier runs settled, and the videos that gave no clip, are counted in the ledger. A result
    that is both committed and quarantined loses its quarantine record.

    Args:
        settings: with the weights' hash pinned.
    """
    committed, quarantined = committed_set(destination), quarantined_set(destination)
    for name in quarantined & committed:
        clear_quarantine(destination, name)
    state = plan.state(committed, quarantined, settings)
    ledger.planned(plan.plan_id, state.clips, plan.counts.problems)
    ledger.skipped(state.committed)
    for report in plan.problems():
        ledger.settled(report)
    size = settings.execution.clips_per_batch
    for batch in plan.batches(committed, settings, size):
        names = result_names(
            pack_clip_ids(spec.clip_id for spec in batch),
            settings.model.sha256 or "",
            settings.digest,
        )
        given_up = quarantined.contains(names)
        for spec, earlier in zip(batch, given_up, strict=True):
            if earlier:
                ledger.settled(_quarantined_earlier(spec))
        if not given_up.all():
            yield tuple(s for s, earlier in zip(batch, given_up, strict=True) if not earlier)


def annotate_batches(
    batches: Iterable[Batch],
    destination: str,
    settings: Settings,
    executor: Executor,
    settle: Callable[[ClipReport], None],
    load: EngineFactory = load_engine,
) -> Batch:
    """Annotate and commit batches over an executor, those that lose their worker in halves.

    Args:
        settings: with the weights' hash pinned.
        settle: told of each clip as it is settled.

    Returns:
        The clips whose worker died though they were a batch of their own; `annotate_alone` them
        once nothing else runs, since Dask blames all that waited on a dying worker.

    Raises:
        CheckpointError, NotADatasetError, SettingsError, UnwritableDestinationError: see
            `annotate_batch`.
        ClusterLostError: what the work runs on went away.
    """
    run = partial(annotate_batch, destination=destination, settings=settings, load=load)
    suspects: list[ClipSpec] = []
    waiting: Iterable[Batch] = batches
    while True:
        lost: list[Batch] = []
        for batch, answer in executor.map(run, waiting):
            if isinstance(answer, WorkerLostError):
                lost.append(batch)
            else:
                for report in answer:
                    settle(report)
        suspects += [spec for batch in lost if len(batch) == 1 for spec in batch]
        waiting = [half for batch in lost if len(batch) > 1 for half in _halves(batch)]
        if not waiting:
            return tuple(suspects)


def annotate_alone(
    suspects: Iterable[ClipSpec],
    destination: str,
    settings: Settings,
    executor: Executor,
    settle: Callable[[ClipReport], None],
    load: EngineFactory = load_engine,
) -> None:
    """Annotate clips one after the other, nothing beside them; one that kills still is quarantined.

    Raises:
        CheckpointError, NotADatasetError, SettingsError, UnwritableDestinationError,
            ClusterLostError: see `annotate_batches`.
    """
    run = partial(annotate_batch, destination=destination, settings=settings, load=load)
    for spec in suspects:
        for _, answer in executor.map(run, [(spec,)]):
            if isinstance(answer, WorkerLostError):
                result = result_id(spec.clip_id, settings.model.sha256 or "", settings.digest)
                error = answer.about(spec.clip_id)
                settle(quarantine_clip(spec, result, destination, error))
            else:
                for report in answer:
                    settle(report)


def _halves(batch: Batch) -> tuple[Batch, Batch]:
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]


def _quarantined_earlier(spec: ClipSpec) -> ClipReport:
    message = "by an earlier run; `easi3r requeue` lets the next one try again"
    return ClipReport(
        spec.clip_id, spec.video_url, Outcome.QUARANTINED, "quarantined_earlier", message
    )
