"""One Prefect task per verb, each a thin wrapper of a plain function of `easi3r`.

Nothing is cached by Prefect: what is done is what the store has committed, and tasks may run
twice. Retries of single clips are inside `easi3r.collection`; the retries here are for the run's
own steps.
"""

import time
from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.states import State

from easi3r import collection
from easi3r.collection import CollectionPlan, Executor
from easi3r.config import Settings
from easi3r.errors import TransientError
from easi3r.progress import Progress
from easi3r.types import ClipReport, ClipSpec
from easi3r.video import Listing, list_videos

SECONDS_BETWEEN_LOG_LINES = 10.0


def _is_transient(_task: object, _run: object, state: State) -> bool:
    return isinstance(state.result(raise_on_failure=False), TransientError)


verb = task(
    cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5, retry_condition_fn=_is_transient
)


@verb
def prepare(destination: str, settings: Settings) -> Settings:
    """Create or check the dataset; returns the settings with the weights' hash pinned."""
    return collection.prepare(destination, settings)


@verb
def list_collection(source: str) -> Listing:
    """The videos of a source."""
    return list_videos(source)


@verb
def plan_collection(
    urls: Sequence[str], destination: str, settings: Settings, executor: Executor
) -> CollectionPlan:
    """Probe the videos and cut them into clips."""
    return collection.plan_collection(urls, destination, settings, executor)


@verb
def annotate_partition(
    specs: Sequence[ClipSpec], destination: str, settings: Settings, executor: Executor
) -> tuple[ClipReport, ...]:
    """Supervise the clips of one partition until each is settled; logs rate and time left."""
    logger = get_run_logger()
    progress = Progress(len(specs))
    reports: list[ClipReport] = []
    last = time.monotonic()
    for report in collection.annotate_clips(specs, destination, settings, executor):
        reports.append(report)
        progress.add(report)
        if time.monotonic() - last > SECONDS_BETWEEN_LOG_LINES:
            logger.info(str(progress))
            last = time.monotonic()
    logger.info(str(progress))
    return tuple(reports)


@verb
def release_quarantine(
    destination: str, plan: CollectionPlan, reports: Sequence[ClipReport]
) -> None:
    """Remove the quarantine records of inputs that now have a result."""
    collection.release_quarantine(destination, plan, reports)
