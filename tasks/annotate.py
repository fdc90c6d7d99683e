"""One Prefect task per verb, each a thin wrapper of a plain function of `easi3r`.

Nothing is cached by Prefect: what is done is what the store has committed, and tasks may run
twice. Retries of single clips are inside `easi3r`; the retries here are for the run's own steps.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.states import State
from prefect.utilities.annotations import quote

from easi3r import plan
from easi3r.config import Settings
from easi3r.errors import TransientError
from easi3r.executor import Executor
from easi3r.plan import Plan, PlanWatcher
from easi3r.run import collection, supervisor
from easi3r.run.engine import EngineFactory
from easi3r.run.supervisor import Batch
from easi3r.types import ClipReport

PARTITIONS_AT_ONCE = 2  # the next one fills the workers that the end of the first leaves idle


def _is_transient(_task: object, _run: object, state: State) -> bool:
    return isinstance(state.result(raise_on_failure=False), TransientError)


verb = task(
    cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5, retry_condition_fn=_is_transient
)
# A supervisor that ran again would count its clips twice; the next run finds what is left.
supervise = task(cache_policy=NO_CACHE)


@verb
def prepare(
    source: str, destination: str, settings: Settings, executor: Executor, load: EngineFactory
) -> Settings:
    """Check source, weights and destination; returns the settings with the weights' hash pinned."""
    return collection.prepare(source, destination, settings, executor, load)


@verb
def plan_collection(
    source: str, destination: str, settings: Settings, executor: Executor, watcher: PlanWatcher
) -> Plan:
    """Probe the videos, cut them into clips, and keep the plan in the dataset."""
    return plan.plan_collection(source, destination, settings, executor, watcher)


@supervise
def annotate_partition(
    batches: tuple[Batch, ...],
    destination: str,
    settings: Settings,
    executor: Executor,
    settle: Callable[[ClipReport], None],
    load: EngineFactory,
) -> Batch:
    """Supervise the clips of one partition; returns those whose worker died though alone."""
    return supervisor.annotate_batches(batches, destination, settings, executor, settle, load)


@supervise
def annotate_alone(
    suspects: Batch,
    destination: str,
    settings: Settings,
    executor: Executor,
    settle: Callable[[ClipReport], None],
    load: EngineFactory,
) -> None:
    """Run what killed workers with nothing beside it; quarantine what kills them still."""
    supervisor.annotate_alone(suspects, destination, settings, executor, settle, load)


def annotate_partitions(
    batches: Iterator[Batch],
    batches_per_partition: int,
    destination: str,
    settings: Settings,
    executor: Executor,
    settle: Callable[[ClipReport], None],
    load: EngineFactory,
) -> Batch:
    """`annotate_partition` over batches as they come, `PARTITIONS_AT_ONCE` partitions at a time.

    Returns:
        Clips to `annotate_alone`.
    """
    running: deque[PrefectFuture[Batch]] = deque()
    suspects: list[Batch] = []
    while partition := tuple(islice(batches, batches_per_partition)):
        # quote: Prefect would look through every frame number of every clip for futures.
        running.append(
            annotate_partition.submit(
                quote(partition), destination, settings, executor, settle, load
            )
        )
        if len(running) == PARTITIONS_AT_ONCE:
            suspects.append(running.popleft().result())
    suspects += [future.result() for future in running]
    return tuple(spec for batch in suspects for spec in batch)
