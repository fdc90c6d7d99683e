"""Maintenance of a dataset as Prefect tasks, each a thin wrapper of a function of the store."""

from collections.abc import Callable

from prefect.logging import get_run_logger

from easi3r import store
from easi3r.plan import planned_clips
from easi3r.run.progress import paced
from easi3r.store import AuditReport
from tasks.annotate import repeatable
from tasks.watching import SECONDS_BETWEEN_UPDATES


@repeatable
def audit_dataset(url: str, sample: int | None, older_than_seconds: float) -> AuditReport:
    """Everything that is wrong with a dataset, and what its plans still lack."""
    watch, planned = _logged("auditing"), planned_clips(url)
    return store.audit(url, sample, older_than_seconds, watch, planned=planned)


@repeatable
def collect_garbage(url: str, older_than_seconds: float) -> None:
    """Delete what killed writers left."""
    collected = store.collect_garbage(url, older_than_seconds, _logged("collecting"))
    get_run_logger().info(str(collected))


@repeatable
def rebuild_index(url: str) -> None:
    """Make the index anew."""
    get_run_logger().info(str(store.rebuild_index(url)))


@repeatable
def update_index(url: str) -> None:
    """Bring the index up to date."""
    get_run_logger().info(str(store.update_index(url)))


def _logged(what: str) -> Callable[[int, int], None]:
    """Logs now and then how many clips are done, with rate and ETA."""
    return paced(get_run_logger().info, what, SECONDS_BETWEEN_UPDATES)
