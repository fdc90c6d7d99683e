"""Annotate a collection of videos: the flow that deployments run.

    collection -> videos -> clips -> partitions -> batches -> one committed clip store each

Composition only; what each step does is in `easi3r.run.collection`.
"""

from typing import Annotated, Any, cast

from prefect import flow
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed, State
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from pydantic import Field

from easi3r.config import Settings
from easi3r.knowledge import KnownInputs
from easi3r.run.collection import annotate_collection as compose
from easi3r.run.forecast import Forecast
from easi3r.run.run import Run
from easi3r.run.run_record import RunRecord
from easi3r.types import Outcome
from tasks.annotate import PARTITIONS_AT_ONCE, prefect_steps
from tasks.cluster import Cluster, LocalDask, open_executor
from tasks.watching import PrefectWatcher, open_progress_artifact, publish

# Prefect's own runners do not fit the type that its decorator asks for.
PARTITION_THREADS = cast(
    "TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner(max_workers=PARTITIONS_AT_ONCE)
)


@flow(
    name="annotate-collection",
    validate_parameters=True,
    task_runner=PARTITION_THREADS,
)
def annotate_collection(
    source: str,
    destination: str,
    settings: Settings = Settings(),  # noqa: B008  frozen, so sharing it is safe
    cluster: Cluster = LocalDask(),  # noqa: B008
    clips_per_partition: Annotated[int, Field(ge=1)] = 500,
    forecast: Forecast | None = None,
    known: KnownInputs | None = None,
) -> State[RunRecord]:
    """Masks, cameras and point maps of every video of `source`, committed under `destination`.

    Args:
        source: a video, a folder, a glob or a manifest (.csv, .jsonl, .parquet), on any fsspec URL.
        destination: the dataset, on any fsspec URL; created if need be, continued if it exists.
        settings: what to compute and how.
        cluster: where: a Dask cluster that is started for the run or exists, or this process.
        clips_per_partition: clips that one Prefect task supervises.
        forecast: of `easi3r plan --forecast --json`; recorded beside what the run really takes.
        known: cameras and masks of the videos, as `easi3r annotate` takes them; empty: none but
            those that a manifest names.

    Returns:
        `Completed` with the run's record, also where inputs were quarantined (the dataset says
        which and why); `Failed` where transient errors outlasted their retries: run it again.
    """
    run = Run.of(source, destination, settings, known=known)
    record = run_collection(run, cluster, clips_per_partition, forecast)
    if record.clips[Outcome.FAILED]:
        return Failed(message=f"{record}: run again", data=record)
    return Completed(message=str(record), data=record)


def run_collection(
    run: Run, cluster: Cluster, clips_per_partition: int, forecast: Forecast | None = None
) -> RunRecord:
    """`annotate_collection` of a run, whatever loads its engines.

    Call it inside a flow whose task runner is `PARTITION_THREADS`.
    """
    watcher = PrefectWatcher(get_run_logger(), open_progress_artifact())
    with open_executor(cluster) as executor:
        steps = prefect_steps(clips_per_partition)
        record = compose(run, executor, watcher, steps, forecast)
    publish(record)
    return record
