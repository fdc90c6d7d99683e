"""What a worker runs: annotate one batch of clips.

Every input ends as a committed clip, a quarantine record with its reason, or a report that it
failed for now. Errors about the run itself (weights, settings, destination), and faults of the
device, are raised.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache
from threading import Event
from typing import TypeVar

from easi3r.config import Settings
from easi3r.errors import (
    ChangedVideoError,
    CheckpointError,
    DeviceFaultError,
    MissingPackageError,
    NotADatasetError,
    OutOfMemoryError,
    SettingsError,
    TransientError,
    UnreadableURLError,
    UnwritableDestinationError,
)
from easi3r.retries import with_backoff
from easi3r.run import metrics
from easi3r.run.clip_log import log_clip
from easi3r.run.engine import Engine
from easi3r.run.out_of_memory import ClipSize, sizes_to_try
from easi3r.run.overlap import overlapped
from easi3r.run.run import Run
from easi3r.run.storage_pauses import StoragePatience
from easi3r.store import (
    is_committed,
    open_dataset,
    quarantine,
    quarantine_record,
    result_name,
    write_clip,
)
from easi3r.types import ClipAnnotation, ClipReport, ClipSpec, Frames, Outcome
from easi3r.video import hash_content

Answer = TypeVar("Answer")

_LOGGER = logging.getLogger(__name__)

# Errors about the run, not about one input: every clip would meet them, so the run stops.
RUN_ERRORS = (
    CheckpointError,
    MissingPackageError,
    NotADatasetError,
    SettingsError,
    UnwritableDestinationError,
)

# These end the batch. A device that failed says nothing about the clip that it had in hand.
BATCH_ERRORS = (*RUN_ERRORS, DeviceFaultError)

# Clips that wait decoded before the engine, and computed behind it. One each overlaps everything
# that can be; more would only take memory.
CLIPS_AHEAD = 1


def annotate_batch(specs: Sequence[ClipSpec], run: Run) -> tuple[ClipReport, ...]:
    """Annotate and commit some clips with one warm engine; skips those already committed.

    While one clip is computed the next is decoded and the last one written. Each of the three is
    tried again by itself: a result is not computed twice because storage failed. A store that
    refuses for now, or is full, pauses the batch for `execution.storage_patience_seconds`.

    Returns:
        The reports in the order of `specs`.

    Raises:
        CheckpointError, NotADatasetError, SettingsError, UnwritableDestinationError: about the
            run, not a clip; so are transient errors that keep the weights from loading or the
            dataset from being opened.
        DeviceFaultError: the device failed; neither this batch nor another can go on in this
            process. What is committed stays, nothing is quarantined.
    """
    ended, execution = Event(), run.settings.execution
    patience = StoragePatience(run.destination, execution.storage_patience_seconds, wait=ended.wait)
    # It must be seen from here too, before anything is written.
    patience.call(lambda: open_dataset(run.destination))
    engine = with_backoff(lambda: run.load(run.settings), execution.attempts)
    batch = _Batch(run.with_weights(engine.weights_sha256), engine, patience)
    clips = overlapped(
        specs, batch.decode, batch.compute, batch.write, depth=CLIPS_AHEAD, ended=ended
    )
    with closing(clips):
        return tuple(batch.report(spec, answer) for spec, answer in clips)


@dataclass(frozen=True)
class _Decoded:
    """A clip on its way: its frames, when it was begun, and how long decoding took."""

    frames: Frames
    start: float
    seconds: float


@dataclass(frozen=True)
class _Computed:
    """A clip on its way: its annotation, with the seconds that the engine took for it."""

    annotation: ClipAnnotation
    start: float
    engine_seconds: float


@dataclass(frozen=True)
class _TimedReport:
    """The report of a clip, and the seconds of its stages for the log and the metrics."""

    report: ClipReport
    seconds_by_stage: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Batch:
    """The steps of each clip and what they share; None stands for a clip committed already.

    Attributes:
        fitting_pairs: number of pairs in flight that fit into memory, by the shape of the frames;
            later clips begin with it, for it does not change results.
        content: fingerprint and bytes of a video, read once a batch and not once a clip.
    """

    run: Run
    engine: Engine
    patience: StoragePatience
    fitting_pairs: dict[tuple[int, ...], int] = field(default_factory=dict)
    content: Callable[[str], tuple[str, int]] = field(default_factory=lambda: cache(hash_content))

    def decode(self, spec: ClipSpec) -> _Decoded | None:
        """Frames of a clip whose video is still the one that was planned."""
        start, result = time.perf_counter(), self.run.result_id(spec)
        if self._of_store(lambda: is_committed(self.run.destination, spec.clip_id, result)):
            return None
        frames = self._read(spec, self.run.settings)
        return _Decoded(frames, start, time.perf_counter() - start)

    def _read(self, spec: ClipSpec, settings: Settings) -> Frames:
        def read() -> Frames:
            if self.content(spec.video_url)[0] != spec.video_fingerprint:
                problem = "its bytes are no longer those that were planned"
                raise ChangedVideoError(spec.video_url, problem, "Run again, which plans it anew")
            return self.engine.decode(spec, settings)

        return with_backoff(read, settings.execution.attempts)

    def compute(self, spec: ClipSpec, decoded: _Decoded | None) -> _Computed | None:
        """The annotation, computed smaller where the device is too small."""
        if decoded is None:
            return None
        start = time.perf_counter()
        annotation = self._annotate(spec, decoded.frames)
        seconds = time.perf_counter() - start
        stages = {"decode": decoded.seconds, **annotation.seconds_by_stage}
        return _Computed(replace(annotation, seconds_by_stage=stages), decoded.start, seconds)

    def _annotate(self, spec: ClipSpec, frames: Frames) -> ClipAnnotation:
        """The annotation of a size that fits into the device, under the result id of the run.

        Raises:
            OutOfMemoryError: not even the smallest size fits.
        """
        settings, shape = self.run.settings, frames.images.shape
        full = ClipSize.of(settings, frames)
        pairs = self.fitting_pairs.get(shape, full.pairs_per_batch)
        tried, shortage = full, None
        for size in sizes_to_try(replace(full, pairs_per_batch=pairs)):
            if shortage is not None:
                steps = ", ".join(size.degraded_from(tried))
                _LOGGER.warning("clip %s: %s Again with %s", spec.clip_id, shortage, steps)
            chosen = size.settings(settings, full)
            if size.long_side_px != tried.long_side_px:
                frames = self._read(spec, chosen)
            try:
                annotation = self._try(spec, frames, chosen)
            except OutOfMemoryError as error:
                tried, shortage = size, error
                continue
            self.fitting_pairs[shape] = size.pairs_per_batch
            asked_for = settings.result_digest(spec.known_digest)
            provenance = replace(annotation.provenance, settings_digest=asked_for)
            degraded = size.degraded_from(full)
            return replace(annotation, degraded=degraded, provenance=provenance)
        assert shortage is not None  # there is always one size to try
        raise shortage

    def _try(self, spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
        return with_backoff(
            lambda: self.engine.annotate(spec, frames, settings), settings.execution.attempts
        )

    def write(self, spec: ClipSpec, computed: _Computed | None) -> _TimedReport:
        """The annotation, committed; only this is tried again where storage fails."""
        if computed is None:
            return _TimedReport(ClipReport.of(spec, Outcome.SKIPPED, "already_committed"))
        start, annotation = time.perf_counter(), computed.annotation
        written = self._of_store(
            lambda: write_clip(self.run.destination, annotation, self.run.settings.store)
        )
        now = time.perf_counter()
        report = ClipReport.of(spec, Outcome.SKIPPED, "already_committed")
        if written.created:
            report = replace(
                ClipReport.of(spec, Outcome.COMMITTED),
                frames=len(annotation),
                bytes_written=written.record.bytes,
                degraded=annotation.degraded,
                trust=None if annotation.trust is None else annotation.trust.value,
            )
        report = replace(
            report, seconds=now - computed.start, engine_seconds=computed.engine_seconds
        )
        return _TimedReport(report, {**annotation.seconds_by_stage, "write": now - start})

    def report(self, spec: ClipSpec, answer: _TimedReport | Exception) -> ClipReport:
        """The report of a clip, counted and logged.

        Raises:
            CheckpointError, NotADatasetError, SettingsError, UnwritableDestinationError: `answer`
                is an error of the run.
            DeviceFaultError: `answer` is a fault of the device.
        """
        if isinstance(answer, Exception):
            answer = _TimedReport(self._report_error(spec, answer))
        metrics.count(answer.report, answer.seconds_by_stage)
        result = self.run.result_id(spec)
        log_clip(answer.report, result, self.engine.device, answer.seconds_by_stage)
        return answer.report

    def _report_error(self, spec: ClipSpec, error: Exception) -> ClipReport:
        """Failed for a transient error, quarantined for a permanent one."""
        if isinstance(error, BATCH_ERRORS):
            raise error
        if isinstance(error, TransientError) and not isinstance(error, OutOfMemoryError):
            return ClipReport.of(spec, Outcome.FAILED, error.reason, str(error))
        device = self.engine.device
        try:
            return self._of_store(lambda: quarantine_clip(spec, self.run, error, device))
        except TransientError as refused:  # failed clips are run again: nothing is lost
            message = f"{error} (and its quarantine record could not be written: {refused})"
            return ClipReport.of(spec, Outcome.FAILED, refused.reason, message)

    def _of_store(self, call: Callable[[], Answer]) -> Answer:
        """What the destination gives, waited for if need be; its refusal is every clip's."""
        try:
            return self.patience.call(call)
        except UnreadableURLError as error:
            raise UnwritableDestinationError(error.subject, error.problem, error.remedy) from error


def quarantine_clip(
    spec: ClipSpec, run: Run, error: BaseException, device: str = "unknown"
) -> ClipReport:
    """Record why a clip has no result of a run; other weights or settings may still give one."""
    record = quarantine_record(
        result_name(spec.clip_id, run.result_id(spec)),
        spec.video_url,
        error,
        video_fingerprint=spec.video_fingerprint,
        device=device,
    )
    quarantine(run.destination, record)
    return ClipReport.of(spec, Outcome.QUARANTINED, record.reason, record.message)
