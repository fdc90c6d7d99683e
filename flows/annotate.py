"""Annotate a collection of videos: the flow that deployments run.

    collection -> videos -> clips -> partitions -> batches -> one committed clip store each

Composition only; what each step does is in `tasks/` and, below them, in `easi3r.collection`.
"""

import time
from typing import Annotated

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed, State
from pydantic import Field

from easi3r.collection import RunSummary, absolute_location, in_groups
from easi3r.config import Settings
from easi3r.types import Outcome
from tasks.annotate import (
    annotate_partition,
    list_collection,
    plan_collection,
    prepare,
    release_quarantine,
)
from tasks.cluster import Cluster, LocalDask, open_executor


@flow(name="annotate-collection", validate_parameters=True)
def annotate_collection(
    source: str,
    destination: str,
    settings: Settings = Settings(),  # noqa: B008  frozen, so sharing it is safe
    cluster: Cluster = LocalDask(),  # noqa: B008
    clips_per_partition: Annotated[int, Field(ge=1)] = 500,
) -> State[RunSummary]:
    """Masks, cameras and point maps of every video of `source`, committed under `destination`.

    Args:
        source: a video, a folder, a glob or a manifest (.csv, .jsonl, .parquet), on any fsspec URL.
        destination: the dataset, on any fsspec URL; created if need be, continued if it exists.
        settings: what to compute and how.
        cluster: where: a Dask cluster started here, an existing one, or this process.
        clips_per_partition: clips that one Prefect task supervises.

    Returns:
        `Completed` with the summary, also where inputs were quarantined (the dataset says which
        and why); `Failed` where transient errors outlasted their retries: run it again.
    """
    start = time.monotonic()
    logger = get_run_logger()
    destination = absolute_location(destination)
    listing = list_collection(absolute_location(source))
    pinned = prepare(destination, settings)
    if listing.ignored:
        logger.warning("not videos, ignored: %s", listing.ignored)
    with open_executor(cluster) as executor:
        plan = plan_collection(listing.urls, destination, pinned, executor)
        logger.info("%d videos, %d clips to run", len(listing.urls), len(plan.specs))
        reports = list(plan.reports)
        for partition in in_groups(plan.specs, clips_per_partition):
            reports += annotate_partition(partition, destination, pinned, executor)
    release_quarantine(destination, plan, reports)
    summary = RunSummary(tuple(reports), time.monotonic() - start)
    create_markdown_artifact(_markdown(summary, destination), key="annotate-collection")
    if summary.counts[Outcome.FAILED]:
        return Failed(message=f"{summary}: run again", data=summary)
    return Completed(message=str(summary), data=summary)


def _markdown(summary: RunSummary, destination: str) -> str:
    """The artifact of a run: totals, and every input that gave no result with its reason."""
    lines = [f"# {destination}", "", str(summary), ""]
    troubled = [report for report in summary.reports if report.outcome.is_trouble]
    if troubled:
        lines += ["| video | id | outcome | reason | message |", "|---|---|---|---|---|"]
        for report in troubled:
            message = (report.message or "").replace("|", "\\|").replace("\n", " ")
            lines.append(
                f"| {report.video_url} | {report.subject} | {report.outcome} | {report.reason} "
                f"| {message} |"
            )
    return "\n".join(lines)
