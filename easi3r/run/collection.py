"""A whole collection: one result, or one recorded reason, for every clip. Start reading here.

`annotate_collection` is the composition of a run, written once: the command line calls its steps as
they are, the flow as Prefect tasks (`RunSteps`). It runs over any `Executor`: this process, or Dask
under `tasks/`. Only specs and reports cross an executor; data goes through the store.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import ParamSpec, Protocol, TypeVar, runtime_checkable

from easi3r.config import Settings
from easi3r.errors import WorkerLostError
from easi3r.executor import Executor, InProcess
from easi3r.plan import Plan, PlanWatcher, plan_collection
from easi3r.plan.known_sources import require_paths
from easi3r.run.engine import hash_of_refiner
from easi3r.run.forecast import Forecast
from easi3r.run.ledger import Ledger
from easi3r.run.pending import (
    Backlog,
    Batch,
    clear_quarantine_of_committed,
    report_of_quarantined,
)
from easi3r.run.run import Run
from easi3r.run.run_record import RunRecord
from easi3r.run.supervisor import annotate_alone, annotate_batches
from easi3r.run.unexpected import UnexpectedErrors
from easi3r.store import prepare_dataset, update_index
from easi3r.types import ClipReport
from easi3r.video import scan_source

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


@runtime_checkable
class Wrapper(Protocol):
    """Turns a step into another callable of the same arguments and answer."""

    def __call__(self, step: Callable[Arguments, Answer], /) -> Callable[Arguments, Answer]: ...


def as_it_is(step: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """The `Wrapper` of a run without Prefect."""
    return step


@dataclass(frozen=True)
class RunSteps:
    """How the steps of a run are called: as plain functions here, as Prefect tasks in the flow.

    Attributes:
        repeatable: wraps a step that may be called again after a transient failure.
        once: wraps a step that may not, since it counts clips.
        annotate_batches: as `easi3r.run.supervisor.annotate_batches`.
    """

    repeatable: Wrapper = as_it_is
    once: Wrapper = as_it_is
    annotate_batches: Callable[
        [Iterator[Batch], Run, Executor, Callable[[Iterable[ClipReport]], None]], Batch
    ] = annotate_batches


class Watcher(PlanWatcher):
    """Callbacks of a run's progress; these ignore it, subclasses show it."""

    def planned(self, plan: Plan) -> None:
        """The plan is there; annotation begins."""

    def clip_done(self, report: ClipReport, ledger: Ledger) -> None:
        """One more clip was committed, skipped, quarantined or given up; one call at a time."""


def annotate_collection(
    run: Run,
    executor: Executor | None = None,
    watcher: Watcher | None = None,
    steps: RunSteps = RunSteps(),
    forecast: Forecast | None = None,
) -> RunRecord:
    """Annotate every video of a source into a dataset; run it again to continue.

    Args:
        run: what, where to and how; the dataset is created if need be.
        executor: where; None: this process.
        watcher: callbacks of progress.
        steps: how the steps are called.
        forecast: stored in the run's record beside what the run really took.

    Raises:
        SourceError, UnreadableURLError: the source cannot be listed.
        CheckpointError, SettingsError, UnwritableDestinationError: nothing could be run.
        ClusterLostError: the cluster went away.
        DeviceFaultError: the device of this process failed.
        RepeatedErrorsError: too many clips in a row failed in ways nobody foresaw.
    """
    executor, watcher = executor or InProcess(), watcher or Watcher()
    run = steps.repeatable(prepare)(run, executor)
    ledger = Ledger(run, lambda: executor.workers, watcher.clip_done, forecast)
    with ledger.record_on_error():
        plan = steps.repeatable(plan_run)(run, executor, watcher)
        watcher.planned(plan)
        backlog = Backlog.read(plan, run)
        clear_quarantine_of_committed(backlog)
        batches = begin(ledger, backlog)
        on_reports = UnexpectedErrors(run, ledger.add).add
        suspects = steps.annotate_batches(batches, run, executor, on_reports)
        if suspects:
            steps.once(annotate_alone)(suspects, run, executor, on_reports)
        steps.repeatable(update_index)(run.destination)
        return ledger.finish()


def prepare(run: Run, executor: Executor) -> Run:
    """Check source, weights and destination; the run with the weights' hashes pinned.

    A worker reads the hashes, since the supervisor's machine may have no weights.

    Raises:
        SourceError, UnreadableURLError: the source cannot be listed, or a path of what is known of
            it is not there.
        CheckpointError, SettingsError: the weights cannot be used.
        MissingPackageError: the refiner's package is not installed.
        UnwritableDestinationError, NotADatasetError: the destination cannot be used.
    """
    list(islice(scan_source(run.source), 1))  # a mistyped source leaves no dataset behind
    require_paths(run.known)
    settings, masks = run.settings, run.settings.masks
    run = run.with_weights(
        _by_worker(executor, run.load.hash_of_weights, settings, settings.model.weights)
    )
    if masks.refine is not None:
        run = run.with_refiner(
            _by_worker(executor, hash_of_refiner, settings, masks.refiner_weights)
        )
    prepare_dataset(run.destination, run.settings.model_dump_json())
    return run


def _by_worker(
    executor: Executor, hash_of: Callable[[Settings], str], settings: Settings, weights: str
) -> str:
    """A hash of some weights, as a worker reads it."""
    ((_, answer),) = executor.map(hash_of, [settings])
    if isinstance(answer, WorkerLostError):
        raise answer.about(weights)
    return answer


def plan_run(run: Run, executor: Executor, watcher: PlanWatcher | None = None) -> Plan:
    """Probe the videos, cut them into clips, and keep the plan in the dataset.

    Raises:
        As `easi3r.plan.plan_collection`.
    """
    return plan_collection(run.source, run.destination, run.settings, executor, watcher, run.known)


def begin(ledger: Ledger, backlog: Backlog) -> Iterator[Batch]:
    """Count what needs no annotation; the batches to annotate.

    Clips that an earlier run quarantined are counted as the batches around them are taken.
    """
    state = backlog.state()
    ledger.set_plan(backlog.plan.plan_id, state.clips, backlog.plan.counts.problems)
    ledger.add_skipped(state.committed)
    for report in backlog.plan.problems():
        ledger.add(report)
    return _count_quarantined(ledger, backlog)


def _count_quarantined(ledger: Ledger, backlog: Backlog) -> Iterator[Batch]:
    for pending, quarantined in backlog.batches():
        for spec in quarantined:
            ledger.add(report_of_quarantined(spec))
        if pending:
            yield pending
