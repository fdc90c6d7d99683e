"""The steps of a run as Prefect tasks, each a thin wrapper of a plain function of `easi3r`.

Nothing is cached by Prefect: what is done is what the store has committed, and tasks may run
twice. Retries of single clips are inside `easi3r`; the retries here are for the run's own steps.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.states import State
from prefect.utilities.annotations import quote

from easi3r.executor import Executor
from easi3r.retries import may_pass
from easi3r.run import supervisor
from easi3r.run.collection import RunSteps
from easi3r.run.pending import Batch
from easi3r.run.run import Run
from easi3r.types import ClipReport

PARTITIONS_AT_ONCE = 2  # the next one fills the workers that the end of the first leaves idle


def _is_transient(_task: object, _run: object, state: State) -> bool:
    return may_pass(state.result(raise_on_failure=False))


repeatable = task(
    cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5, retry_condition_fn=_is_transient
)
# A supervisor that ran again would count its clips twice; the next run takes what is left.
once = task(cache_policy=NO_CACHE)


def prefect_steps(clips_per_partition: int) -> RunSteps:
    """The steps of a run as tasks, for a flow whose task runner is `PARTITION_THREADS`.

    Args:
        clips_per_partition: clips that one Prefect task supervises.
    """

    def annotate_partitions(
        batches: Iterator[Batch],
        run: Run,
        executor: Executor,
        on_reports: Callable[[Iterable[ClipReport]], None],
    ) -> Batch:
        size = max(1, clips_per_partition // run.settings.execution.clips_per_batch)
        running: deque[PrefectFuture[Batch]] = deque()
        suspects: list[Batch] = []
        while partition := tuple(islice(batches, size)):
            # quote: Prefect would look through every frame number of every clip for futures.
            future = annotate_partition.submit(quote(partition), run, executor, on_reports)
            running.append(future)
            if len(running) == PARTITIONS_AT_ONCE:
                suspects.append(running.popleft().result())
        suspects += [future.result() for future in running]
        return tuple(spec for batch in suspects for spec in batch)

    return RunSteps(repeatable, once, annotate_partitions)


@once
def annotate_partition(
    batches: tuple[Batch, ...],
    run: Run,
    executor: Executor,
    on_reports: Callable[[Iterable[ClipReport]], None],
) -> Batch:
    """Supervise the clips of one partition; returns those whose worker died though alone."""
    return supervisor.annotate_batches(batches, run, executor, on_reports)
