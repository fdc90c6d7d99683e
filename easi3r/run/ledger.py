"""What a run did, beside what was forecast: counted live, kept at `DEST/runs/<run id>.json`.

The supervisor holds counts, never all reports. The file is written anew every so often, so a run
that is killed leaves its last one, with `finished` null.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict

from easi3r.config import Settings
from easi3r.errors import StoreError, TransientError
from easi3r.retries import with_backoff
from easi3r.run.forecast import Forecast
from easi3r.run.progress import Progress
from easi3r.store.files import files_at
from easi3r.types import ClipReport, Outcome

RUNS = "runs"
MOST_TROUBLES = 100  # kept in words; the dataset's quarantine has all of them
SECONDS_BETWEEN_WRITES = 30.0

_LOGGER = logging.getLogger(__name__)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Trouble(_Frozen):
    """One input without a result."""

    subject: str
    video_url: str
    outcome: Outcome
    reason: str
    message: str


class RunRecord(_Frozen):
    """One run over a collection.

    Attributes:
        plan_id: None until the source is planned.
        workers: the most that were seen at once.
        planned_clips: of the plan, those that earlier runs settled included.
        clips: by outcome, zeros included; videos that gave no clip are among the troubled.
        reasons: of inputs without a result, by the errors' words.
        troubles: the first `MOST_TROUBLES` of them.
        frames, bytes_written, engine_seconds: of clips that this run annotated; of all workers.
        finished: None while it runs, and for ever where it was killed.
        forecast: what `easi3r plan --forecast` had said, where it was given to the run.
    """

    run_id: str
    source: str
    destination: str
    settings_digest: str
    weights: str
    weights_sha256: str
    plan_id: str | None
    workers: int
    planned_clips: int
    clips: dict[Outcome, int]
    reasons: dict[str, int]
    troubles: tuple[Trouble, ...]
    frames: int
    bytes_written: int
    engine_seconds: float
    wall_seconds: float
    started: AwareDatetime
    updated: AwareDatetime
    finished: AwareDatetime | None
    forecast: Forecast | None

    @property
    def succeeded(self) -> bool:
        """True if nothing was quarantined and nothing failed."""
        return not any(self.clips[outcome] for outcome in Outcome if outcome.is_trouble)

    @property
    def seconds_per_clip(self) -> float | None:
        """Wall seconds of one worker per clip that it annotated; None before the first."""
        committed = self.clips[Outcome.COMMITTED]
        return self.wall_seconds * self.workers / committed if committed else None

    @property
    def against_forecast(self) -> str | None:
        """Actual beside forecast, in words; None where there is no forecast or no clip yet."""
        if self.forecast is None or self.seconds_per_clip is None:
            return None
        said = self.forecast.per_clip_seconds
        bytes_per_clip = self.bytes_written / self.clips[Outcome.COMMITTED]
        return (
            f"{self.seconds_per_clip:.2f} s a clip and worker "
            f"(forecast {said.expected:.2f}, {said.low:.2f} to {said.high:.2f}), "
            f"{bytes_per_clip / 1e6:.2f} MB a clip "
            f"(forecast {self.forecast.per_clip_bytes.expected / 1e6:.2f})"
        )

    def __str__(self) -> str:
        counts = ", ".join(f"{self.clips[outcome]} {outcome}" for outcome in Outcome)
        return f"{counts}; {self.frames} frames in {timedelta(seconds=round(self.wall_seconds))}"


class Ledger:
    """Counts a run as it goes and keeps the count in the dataset; several threads may share one.

    Args:
        settings: with the weights' hash pinned.
        workers: asked how many there are, at each record.
        watch: told of each report, with the progress after it, one at a time.
        clock: seconds from an arbitrary start; given by tests.
    """

    def __init__(
        self,
        source: str,
        destination: str,
        settings: Settings,
        workers: Callable[[], int],
        watch: Callable[[ClipReport, "Ledger"], None],
        forecast: Forecast | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
        self.progress = Progress(0, clock)
        self._source = source
        self._destination = destination
        self._settings = settings
        self._count_workers = workers
        self._workers = 0
        self._watch = watch
        self._forecast = forecast
        self._clock = clock
        self._plan_id: str | None = None
        self._planned_clips = 0
        self._troubles: list[Trouble] = []
        self._started = datetime.now(UTC)
        self._written_at = clock()
        self._lock = threading.RLock()  # a watcher may ask for the record

    def planned(self, plan_id: str, clips: int, without_clips: int) -> None:
        """The plan is known: its clips, whatever earlier runs did with them, and what gave none."""
        with self._lock:
            self._plan_id, self._planned_clips = plan_id, clips
            self.progress.total = clips + without_clips
        self._write()

    def skipped(self, clips: int) -> None:
        """Earlier runs committed these."""
        with self._lock:
            self.progress.skip(clips)

    def settled(self, report: ClipReport) -> None:
        """One more clip is settled, or one more video that gave none."""
        with self._lock:
            self.progress.add(report)
            if report.outcome.is_trouble and len(self._troubles) < MOST_TROUBLES:
                self._troubles.append(_trouble(report))
            self._watch(report, self)
            due = self._clock() - self._written_at >= SECONDS_BETWEEN_WRITES
        if due:
            self._write()

    def record(self, finished: datetime | None = None) -> RunRecord:
        """The run as it stands."""
        with self._lock:
            self._workers = max(self._workers, self._count_workers())
            return RunRecord(
                run_id=self.run_id,
                source=self._source,
                destination=self._destination,
                settings_digest=self._settings.digest,
                weights=self._settings.model.weights,
                weights_sha256=self._settings.model.sha256 or "",
                plan_id=self._plan_id,
                workers=self._workers,
                planned_clips=self._planned_clips,
                clips={outcome: self.progress.counts[outcome] for outcome in Outcome},
                reasons=dict(self.progress.reasons),
                troubles=tuple(self._troubles),
                frames=self.progress.frames,
                bytes_written=self.progress.bytes_written,
                engine_seconds=self.progress.engine_seconds,
                wall_seconds=self.progress.elapsed_seconds,
                started=self._started,
                updated=datetime.now(UTC),
                finished=finished,
                forecast=self._forecast,
            )

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Whatever ends the block early, an interrupt too, leaves the record as it then stands."""
        try:
            yield
        except BaseException as error:
            try:
                self._write()
            except StoreError as second:
                error.add_note(f"The run's record could not be kept: {second}")
            raise

    def finish(self) -> RunRecord:
        """The last record, kept for good.

        Raises:
            UnwritableDestinationError, StorageUnavailableError: it could not be kept.
        """
        record = self.record(finished=datetime.now(UTC))
        with_backoff(lambda: self._put(record), self._settings.execution.attempts)
        return record

    def _write(self) -> None:
        """Keep the record as it stands; the run goes on where storage pauses."""
        self._written_at = self._clock()
        try:
            self._put(self.record())
        except TransientError as error:
            _LOGGER.warning("ledger not written, tried again later: %s", error)

    def _put(self, record: RunRecord) -> None:
        text = record.model_dump_json(indent=2)
        files_at(self._destination).put(f"{RUNS}/{self.run_id}.json", text.encode())


def _trouble(report: ClipReport) -> Trouble:
    return Trouble(
        subject=report.subject,
        video_url=report.video_url,
        outcome=report.outcome,
        reason=report.reason or "unknown",
        message=report.message or "",
    )
