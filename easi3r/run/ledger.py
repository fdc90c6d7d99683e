"""The count of a run, live, and its record in the dataset (`easi3r.run.run_record`).

The supervisor holds counts, never all reports. The record is written anew every so often, so a run
that is killed leaves its last one, with `finished` null.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from easi3r.errors import ClusterLostError, TransientError
from easi3r.retries import with_backoff
from easi3r.run.forecast import Forecast
from easi3r.run.progress import Progress
from easi3r.run.run import Run
from easi3r.run.run_record import MOST_TROUBLES, RUNS, RunRecord, Trouble
from easi3r.store.files import files_at
from easi3r.types import ClipReport, Outcome

SECONDS_BETWEEN_WRITES = 30.0

_LOGGER = logging.getLogger(__name__)


class Ledger:
    """Counts a run as it goes and writes its record; several threads may share one.

    Args:
        run: with the weights' hash pinned.
        workers: gives the number of workers, each time the record is written.
        on_report: callback after each report is counted, one call at a time.
        clock: seconds from an arbitrary start; replaced by tests.
    """

    def __init__(
        self,
        run: Run,
        workers: Callable[[], int],
        on_report: Callable[[ClipReport, "Ledger"], None],
        forecast: Forecast | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
        self.progress = Progress(0, clock)
        self._run = run
        self._count_workers = workers
        self._workers = 0
        self._on_report = on_report
        self._forecast = forecast
        self._clock = clock
        self._plan_id: str | None = None
        self._planned_clips = 0
        self._troubles: list[Trouble] = []
        self._started = datetime.now(UTC)
        self._written_at = clock()
        self._lock = threading.RLock()  # a callback may ask for the record

    def set_plan(self, plan_id: str, clips: int, without_clips: int) -> None:
        """The plan: its clips, those of earlier runs included, and inputs that gave none."""
        with self._lock:
            self._plan_id, self._planned_clips = plan_id, clips
            self.progress.total = clips + without_clips
        self._write()

    def add_skipped(self, clips: int) -> None:
        """Count clips that earlier runs committed."""
        with self._lock:
            self.progress.skip(clips)

    def add(self, report: ClipReport) -> None:
        """Count a clip, or a video that gave none, and hand its report on."""
        with self._lock:
            self.progress.add(report)
            if report.outcome.is_trouble and len(self._troubles) < MOST_TROUBLES:
                self._troubles.append(Trouble.of(report))
            self._on_report(report, self)
            due = self._clock() - self._written_at >= SECONDS_BETWEEN_WRITES
        if due:
            self._write()

    def record(self, finished: datetime | None = None) -> RunRecord:
        """The run as it stands, with the workers that were counted when it was last written."""
        with self._lock:
            return RunRecord(
                run_id=self.run_id,
                source=self._run.source,
                destination=self._run.destination,
                settings_digest=self._run.settings.digest,
                weights=self._run.settings.model.weights,
                weights_sha256=self._run.settings.model.sha256 or "",
                plan_id=self._plan_id,
                workers=self._workers,
                planned_clips=self._planned_clips,
                clips={outcome: self.progress.counts[outcome] for outcome in Outcome},
                reasons=dict(self.progress.reasons),
                troubles=tuple(self._troubles),
                frames=self.progress.frames,
                bytes_written=self.progress.bytes_written,
                engine_seconds=self.progress.engine_seconds,
                trust_median=self.progress.trust.median,
                trust_low_share=self.progress.trust.low_share,
                wall_seconds=self.progress.elapsed_seconds,
                started=self._started,
                updated=datetime.now(UTC),
                finished=finished,
                forecast=self._forecast,
            )

    @contextmanager
    def record_on_error(self) -> Iterator[None]:
        """Whatever ends the block early, an interrupt too, leaves the record as it then stands."""
        try:
            yield
        except BaseException as error:
            try:
                self._write()
            except Exception as second:
                error.add_note(f"The run's record could not be written: {second}")
            raise

    def finish(self) -> RunRecord:
        """Write the last record.

        Raises:
            UnwritableDestinationError, StorageUnavailableError: it cannot be written.
        """
        self._update_workers()
        record = self.record(finished=datetime.now(UTC))
        with_backoff(lambda: self._put(record), self._run.settings.execution.attempts)
        return record

    def _write(self) -> None:
        """Write the record as it stands; the run goes on where storage fails for now."""
        self._written_at = self._clock()
        self._update_workers()
        try:
            self._put(self.record())
        except TransientError as error:
            _LOGGER.warning("record of the run not written, tried again later: %s", error)

    def _update_workers(self) -> None:
        """Without the lock: a cluster may take long to answer, and clips settle meanwhile."""
        try:
            workers = self._count_workers()
        except ClusterLostError as error:
            _LOGGER.warning("the number of workers stays at the last known one: %s", error)
            return
        with self._lock:
            self._workers = max(self._workers, workers)

    def _put(self, record: RunRecord) -> None:
        text = record.model_dump_json(indent=2)
        files_at(self._run.destination).put(f"{RUNS}/{self.run_id}.json", text.encode())
