"""What a worker runs: annotate one batch of clips.

Every input ends as a committed clip, a quarantine record with its reason, or a report that it
failed for now. Errors about the run itself (weights, settings, destination) are raised.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache, partial
from threading import Event
from typing import TypeVar

from easi3r.config import Settings
from easi3r.errors import (
    ChangedVideoError,
    CheckpointError,
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
from easi3r.run.engine import Engine, EngineFactory, load_engine
from easi3r.run.out_of_memory import ClipSize
from easi3r.run.overlap import overlapped
from easi3r.run.storage_pauses import StoragePatience
from easi3r.store import (
    is_committed,
    open_dataset,
    quarantine,
    quarantine_record,
    result_id,
    result_name,
    write_clip,
)
from easi3r.types import ClipAnnotation, ClipReport, ClipSpec, Frames, Outcome
from easi3r.video import hash_content

Answer = TypeVar("Answer")

_LOGGER = logging.getLogger(__name__)

# Errors about the run, not about one input: every clip would meet them, so the run stops.
RUN_ERRORS = (CheckpointError, NotADatasetError, SettingsError, UnwritableDestinationError)

# Clips that wait decoded before the engine, and computed behind it. One each overlaps everything
# that can be; more would only take memory.
CLIPS_AHEAD = 1


def annotate_batch(
    specs: Sequence[ClipSpec],
    destination: str,
    settings: Settings,
    load: EngineFactory = load_engine,
) -> tuple[ClipReport, ...]:
    """Annotate and commit some clips with one warm engine; skips those already committed.

    While one clip is computed the next is decoded and the last one written. Each of the three is
    tried again by itself: a result is not computed twice because storage failed. A store that
    refuses for now, or is full, pauses the batch for `execution.storage_patience_seconds`.

    Args:
        load: a module-level function, so that it travels to a worker by its name.

    Returns:
        The reports in the order of `specs`.

    Raises:
        CheckpointError, NotADatasetError, SettingsError, UnwritableDestinationError: about the
            run, not a clip; so are transient errors that keep the weights from loading or the
            dataset from being opened.
    """
    ended = Event()
    patience = StoragePatience(
        destination, settings.execution.storage_patience_seconds, wait=ended.wait
    )
    # It must be seen from here too, before anything is written.
    patience.call(lambda: open_dataset(destination))
    engine = with_backoff(lambda: load(settings), settings.execution.attempts)
    batch = _Batch(destination, settings, engine, patience)
    clips = overlapped(
        specs, batch.decode, batch.compute, batch.write, depth=CLIPS_AHEAD, ended=ended
    )
    with closing(clips):
        return tuple(batch.settle(spec, answer) for spec, answer in clips)


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
class _Settled:
    """The report of a clip, and what only the log and the metrics tell beyond it."""

    report: ClipReport
    seconds_by_stage: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Batch:
    """The steps of each clip and what they share; None stands for a clip committed already.

    Attributes:
        fitting_pairs: pairs in flight that turned out to fit, by the shape of the frames; kept for
            the clips that follow, being the one size that does not change results.
        content: fingerprint and bytes of a video, read once a batch and not once a clip.
    """

    destination: str
    settings: Settings
    engine: Engine
    patience: StoragePatience
    fitting_pairs: dict[tuple[int, ...], int] = field(default_factory=dict)
    content: Callable[[str], tuple[str, int]] = field(default_factory=lambda: cache(hash_content))

    def result_id(self, spec: ClipSpec) -> str:
        return result_id(spec.clip_id, self.engine.weights_sha256, self.settings.digest)

    def decode(self, spec: ClipSpec) -> _Decoded | None:
        """Frames of a clip whose video is still the one that was planned."""
        start, result = time.perf_counter(), self.result_id(spec)
        if self._of_store(lambda: is_committed(self.destination, spec.clip_id, result)):
            return None
        frames = self._read(spec, self.settings)
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
        """The annotation, of a size that fits into the device, under the result id asked for."""
        asked, shape = ClipSize.of(self.settings, frames), frames.images.shape
        pairs = self.fitting_pairs.get(shape, asked.pairs_per_batch)
        size = replace(asked, pairs_per_batch=pairs)
        while True:
            chosen = size.settings(self.settings, asked)
            annotate = partial(self.engine.annotate, spec, frames, chosen)
            try:
                annotation = with_backoff(annotate, self.settings.execution.attempts)
                break
            except OutOfMemoryError as error:
                smaller = size.halved()
                if smaller is None:
                    raise
                steps = ", ".join(smaller.degraded_from(size))
                _LOGGER.warning("clip %s: %s Again with %s", spec.clip_id, error, steps)
                size = smaller
            if size.long_side_px != asked.long_side_px:
                frames = self._read(spec, size.settings(self.settings, asked))
        self.fitting_pairs[shape] = size.pairs_per_batch
        provenance = replace(annotation.provenance, settings_digest=self.settings.digest)
        degraded = size.degraded_from(asked)
        return replace(annotation, degraded=degraded, provenance=provenance)

    def write(self, spec: ClipSpec, computed: _Computed | None) -> _Settled:
        """The annotation, committed; only this is tried again where storage fails."""
        if computed is None:
            return _Settled(_report(spec, Outcome.SKIPPED, "already_committed"))
        start, annotation = time.perf_counter(), computed.annotation
        written = self._of_store(
            lambda: write_clip(self.destination, annotation, self.settings.store)
        )
        now = time.perf_counter()
        report = _report(spec, Outcome.SKIPPED, "already_committed")
        if written.created:
            report = replace(
                _report(spec, Outcome.COMMITTED),
                frames=len(annotation),
                bytes_written=written.record.bytes,
                degraded=annotation.degraded,
            )
        report = replace(
            report, seconds=now - computed.start, engine_seconds=computed.engine_seconds
        )
        return _Settled(report, {**annotation.seconds_by_stage, "write": now - start})

    def settle(self, spec: ClipSpec, answer: _Settled | Exception) -> ClipReport:
        """The report of a clip, counted and logged; an error of the run is raised."""
        settled = answer
        if isinstance(settled, Exception):
            settled = _Settled(self._report_of(spec, settled))
        metrics.count(settled.report, settled.seconds_by_stage)
        log_clip(settled.report, self.result_id(spec), self.engine.device, settled.seconds_by_stage)
        return settled.report

    def _report_of(self, spec: ClipSpec, error: Exception) -> ClipReport:
        if isinstance(error, RUN_ERRORS):
            raise error
        if isinstance(error, TransientError) and not isinstance(error, OutOfMemoryError):
            return _report(spec, Outcome.FAILED, error.reason, str(error))
        result, device = self.result_id(spec), self.engine.device
        try:
            return self._of_store(
                lambda: quarantine_clip(spec, result, self.destination, error, device)
            )
        except TransientError as refused:  # failed clips are run again: nothing is lost
            message = f"{error} (and its quarantine record could not be kept: {refused})"
            return _report(spec, Outcome.FAILED, refused.reason, message)

    def _of_store(self, run: Callable[[], Answer]) -> Answer:
        """What the destination gives, waited for if need be; its refusal is every clip's."""
        try:
            return self.patience.call(run)
        except UnreadableURLError as error:
            raise UnwritableDestinationError(error.subject, error.problem, error.remedy) from error


def quarantine_clip(
    spec: ClipSpec, result_id: str, destination: str, error: BaseException, device: str = "unknown"
) -> ClipReport:
    """Record why a clip has no such result; other weights or settings may still give one."""
    record = quarantine_record(
        result_name(spec.clip_id, result_id),
        spec.video_url,
        error,
        video_fingerprint=spec.video_fingerprint,
        device=device,
    )
    quarantine(destination, record)
    return _report(spec, Outcome.QUARANTINED, record.reason, record.message)


def _report(
    spec: ClipSpec, outcome: Outcome, reason: str | None = None, message: str | None = None
) -> ClipReport:
    return ClipReport(spec.clip_id, spec.video_url, outcome, reason, message)
