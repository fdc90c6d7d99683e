"""A whole collection: plan, annotate; one true result or one recorded reason each.

What a supervisor runs, over any `Executor`: in this process here, on Dask under `tasks/`. Only
specs and reports cross an executor; data goes through the store.
"""

import os
from functools import partial
from itertools import islice

from easi3r.config import Settings
from easi3r.errors import WorkerLostError
from easi3r.executor import Executor, InProcess
from easi3r.plan import Plan, PlanWatcher, plan_collection
from easi3r.run.engine import EngineFactory, load_engine
from easi3r.run.forecast import Forecast
from easi3r.run.ledger import Ledger, RunRecord
from easi3r.run.supervisor import annotate_alone, annotate_batches, pending_batches
from easi3r.store import prepare_dataset, update_index
from easi3r.types import ClipReport
from easi3r.video import scan_source


class Watcher(PlanWatcher):
    """Told of a run's progress as it happens; this one ignores it, subclasses show it."""

    def planned(self, plan: Plan) -> None:
        """The plan is there; annotation begins."""

    def settled(self, report: ClipReport, ledger: Ledger) -> None:
        """One more clip was committed, skipped, quarantined or given up; one call at a time."""


def annotate_collection(
    source: str,
    destination: str,
    settings: Settings,
    executor: Executor | None = None,
    watcher: Watcher | None = None,
    load: EngineFactory = load_engine,
    forecast: Forecast | None = None,
) -> RunRecord:
    """Annotate every video of a source into a dataset; run it again to continue.

    Args:
        source: a video, a folder, a glob or a manifest, on any fsspec URL.
        destination: the dataset, on any fsspec URL; created if need be.
        executor: where to run; None: this process.
        watcher: told of progress; None: nobody.
        load: the engine of the workers.
        forecast: kept in the run's record beside what it really took.

    Raises:
        SourceError, UnreadableURLError: the source cannot be listed.
        CheckpointError, SettingsError, UnwritableDestinationError: nothing could be run.
        ClusterLostError: what the work runs on went away.
    """
    executor = executor or InProcess()
    watcher = watcher or Watcher()
    source, destination = absolute_location(source), absolute_location(destination)
    settings = prepare(source, destination, settings, executor, load)
    ledger = Ledger(
        source, destination, settings, lambda: executor.workers, watcher.settled, forecast
    )
    with ledger.kept():
        plan = plan_collection(source, destination, settings, executor, watcher)
        watcher.planned(plan)
        batches = pending_batches(plan, destination, settings, ledger)
        suspects = annotate_batches(batches, destination, settings, executor, ledger.settled, load)
        annotate_alone(suspects, destination, settings, executor, ledger.settled, load)
        update_index(destination)
        return ledger.finish()


def absolute_location(location: str) -> str:
    """A URL as it is; a local path made absolute, so that it means the same in every process."""
    if "://" in location or "::" in location:
        return location
    absolute = os.path.abspath(location)
    return f"{absolute}/" if location.endswith("/") else absolute


def prepare(
    source: str, destination: str, settings: Settings, executor: Executor, load: EngineFactory
) -> Settings:
    """Check the source, weights and destination; settings with the weights' hash pinned.

    One worker loads the weights and says what they are, so that the supervisor needs no network;
    pinning makes every worker of the run use the same bytes or none.

    Raises:
        SourceError, UnreadableURLError: the source cannot be listed.
        CheckpointError, SettingsError: the weights cannot be used.
        UnwritableDestinationError, NotADatasetError: the destination cannot be used.
    """
    list(islice(scan_source(source), 1))  # a mistyped source leaves no dataset behind
    ((_, found),) = executor.map(partial(weights_sha256, load=load), [settings])
    if isinstance(found, WorkerLostError):
        raise found.about(settings.model.weights)
    pinned = settings.model.model_copy(update={"sha256": found})
    settings = settings.model_copy(update={"model": pinned})
    prepare_dataset(destination, settings.model_dump_json())
    return settings


def weights_sha256(settings: Settings, load: EngineFactory) -> str:
    """The hash of the weights that an engine of these settings uses, where this runs.

    Raises:
        CheckpointError, SettingsError: there can be no such engine.
    """
    return load(settings).weights_sha256
