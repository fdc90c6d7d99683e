"""What keeps a dataset true, as Prefect tasks: each a thin wrapper of a function of the store."""

from collections.abc import Callable

from prefect.logging import get_run_logger

from easi3r import store
from easi3r.plan import planned_clips
from easi3r.run.progress import Pace
from easi3r.store import AuditReport
from tasks.annotate import verb
from tasks.watching import SECONDS_BETWEEN_NEWS


@verb
def audit_dataset(url: str, sample: int | None, older_than_seconds: float) -> AuditReport:
    """Everything that is wrong with a dataset, and what its plans still lack."""
    watch, planned = _logged("audited"), planned_clips(url)
    return store.audit(url, sample, older_than_seconds, watch, planned=planned)


@verb
def collect_garbage(url: str, older_than_seconds: float) -> None:
    """Delete what killed writers left."""
    collected = store.collect_garbage(url, older_than_seconds, _logged("looked through"))
    get_run_logger().info(str(collected))


@verb
def rebuild_index(url: str) -> None:
    """Make the index anew."""
    get_run_logger().info(str(store.rebuild_index(url)))


@verb
def update_index(url: str) -> None:
    """Bring the index up to date."""
    get_run_logger().info(str(store.update_index(url)))


def _logged(verb_done: str) -> Callable[[int, int], None]:
    """Tells the run's log every few seconds how many clips are done, with rate and time left."""
    logger, pace = get_run_logger(), Pace("clips")

    def watch(done: int, total: int) -> None:
        if pace.is_due(SECONDS_BETWEEN_NEWS):
            logger.info("%s %s", verb_done, pace.after(done, total))

    return watch
