"""Progress of a run in Prefect: log lines, the progress artifact, and the report at its end."""

import time
from collections.abc import Callable
from logging import Logger, LoggerAdapter
from typing import Any
from uuid import UUID

import httpx
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from easi3r.plan import PartSummary, Plan
from easi3r.run.collection import Watcher
from easi3r.run.ledger import Ledger
from easi3r.run.run_record import MOST_TROUBLES, RUNS, RunRecord
from easi3r.types import ClipReport

SECONDS_BETWEEN_UPDATES = 10.0


class PrefectWatcher(Watcher):
    """Logs progress with rate and time left, and moves the progress artifact of a flow run.

    Args:
        logger: of the flow run.
        artifact_id: of its progress artifact.
        clock: seconds from an arbitrary start; replaced by tests.
    """

    def __init__(
        self,
        logger: "Logger | LoggerAdapter[Any]",
        artifact_id: UUID,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger = logger
        self._artifact_id = artifact_id
        self._clock = clock
        self._last_due = clock()
        self._videos = 0
        self._probed = 0
        self._troubles = 0

    def listed(self, videos: int) -> None:
        """See `PlanWatcher`."""
        self._videos = videos
        self._logger.info("%d videos to probe", videos)

    def part_planned(self, part: PartSummary) -> None:
        """See `PlanWatcher`."""
        self._probed += part.videos
        if self._is_due():
            self._logger.info("%d of %d videos probed", self._probed, self._videos)

    def planned(self, plan: Plan) -> None:
        """See `Watcher`."""
        counts = plan.counts
        self._logger.info("plan %s: %d videos, %d clips", plan.plan_id, counts.videos, counts.clips)
        if counts.ignored:
            self._logger.warning("not videos, ignored: %s", counts.ignored)
        if counts.duplicates or counts.repeated_names:
            self._logger.info(
                "run once: %d clips that other videos bring too, %d repeated names",
                counts.duplicates,
                counts.repeated_names,
            )

    def clip_done(self, report: ClipReport, ledger: Ledger) -> None:
        """See `Watcher`."""
        progress = ledger.progress
        if report.outcome.is_trouble:
            self._trouble(report)
        if not self._is_due() and progress.done < progress.total:
            return
        against = ledger.record().against_forecast
        self._logger.info("%s%s", progress, f"; {against}" if against else "")
        percent = 100 * progress.done / max(1, progress.total)
        try:
            update_progress_artifact(self._artifact_id, progress=min(100.0, percent))
        except httpx.HTTPError as error:  # annotation needs no server
            self._logger.warning("the progress artifact is not up to date: %s", error)

    def _trouble(self, report: ClipReport) -> None:
        self._troubles += 1
        if self._troubles <= MOST_TROUBLES:  # the quarantine has all of them, the server need not
            self._logger.warning("%s (%s): %s", report.outcome, report.reason, report.message)

    def _is_due(self) -> bool:
        now = self._clock()
        due = now - self._last_due >= SECONDS_BETWEEN_UPDATES
        if due:
            self._last_due = now
        return due


def open_progress_artifact() -> UUID:
    """A new progress artifact of the flow run that calls."""
    artifact_id = create_progress_artifact(
        progress=0.0, key="annotate-progress", description="Clips done"
    )
    assert isinstance(artifact_id, UUID)  # called from a flow's own thread, which does not await
    return artifact_id


def publish(record: RunRecord) -> None:
    """The run's report and its table of failures, as artifacts of the flow run that calls."""
    create_markdown_artifact(report(record), key="annotate-collection")
    if record.troubles:
        rows = [trouble.model_dump(mode="json") for trouble in record.troubles]
        create_table_artifact(rows, key="annotate-failures")


def report(record: RunRecord) -> str:
    """What a run did, in Markdown, and where the dataset says more."""
    lines = [
        f"# {record.destination}",
        "",
        str(record),
        "",
        f"Record of this run: `{record.destination}/{RUNS}/{record.run_id}.json`.",
        f"Failures in full: `{record.destination}/quarantine/`.",
    ]
    if record.against_forecast:
        lines += ["", record.against_forecast]
    if record.reasons:
        lines += ["", "| reason | inputs |", "|---|---|"]
        lines += [f"| {reason} | {number} |" for reason, number in sorted(record.reasons.items())]
        lines += ["", f"The first {MOST_TROUBLES} are in the artifact `annotate-failures`."]
    return "\n".join(lines)
