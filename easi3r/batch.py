"""What a worker runs: plan one video, annotate one batch of clips.

Every input ends as a committed clip, a quarantine record with its reason, or a report that it
failed for now. Errors about the run itself (weights, settings, destination) are raised.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TypeVar

from easi3r.config import ExecutionSettings, Settings
from easi3r.errors import (
    ChangedVideoError,
    CheckpointError,
    NotADatasetError,
    OutOfMemoryError,
    SettingsError,
    TransientError,
    UnwritableDestinationError,
)
from easi3r.model import LoadedModel, load_checkpoint
from easi3r.pipeline import annotate_clip, select_device
from easi3r.store import (
    is_committed,
    open_dataset,
    quarantine,
    quarantine_id_of_video,
    quarantine_record,
    result_id,
    write_clip,
)
from easi3r.types import ClipReport, ClipSpec, Outcome
from easi3r.video import hash_content, plan_clips, probe

Answer = TypeVar("Answer")

# Errors about the run, not about one input: every clip would meet them, so the run stops.
RUN_ERRORS = (CheckpointError, NotADatasetError, SettingsError, UnwritableDestinationError)


@dataclass(frozen=True)
class VideoPlan:
    """What became of one video in planning: its clips, or the report of why there are none."""

    url: str
    specs: tuple[ClipSpec, ...]
    report: ClipReport | None = None


def plan_video(url: str, destination: str, settings: Settings) -> VideoPlan:
    """Probe one video and plan its clips; a video that cannot be used is quarantined."""
    try:
        video = with_retries(lambda _: probe(url), settings.execution)
        return VideoPlan(url, plan_clips(video, settings.sampling, settings.video))
    except RUN_ERRORS:
        raise
    except TransientError as error:
        subject = quarantine_id_of_video(url)
        report = ClipReport(subject, url, Outcome.FAILED, error.reason, str(error))
        return VideoPlan(url, (), report)
    except Exception as error:  # recorded with its traceback: one video never takes the run down
        return VideoPlan(url, (), quarantine_video(url, destination, error))


def annotate_batch(
    specs: Sequence[ClipSpec], destination: str, settings: Settings
) -> tuple[ClipReport, ...]:
    """Annotate and commit some clips with one warm model; skips those already committed.

    Raises:
        CheckpointError, NotADatasetError, SettingsError, UnwritableDestinationError: about the
            run, not a clip; so are transient errors that keep the weights from loading.
    """

    def get_ready(execution: ExecutionSettings) -> LoadedModel:
        open_dataset(destination)  # it must be seen from here too, before anything is written
        return _warm_model(settings.model.weights, settings.model.sha256, execution.device)

    model = with_retries(get_ready, settings.execution)
    content = cache(hash_content)  # a video is read for its hash once a batch, not once a clip
    return tuple(_annotate_one(spec, destination, settings, model, content) for spec in specs)


def _annotate_one(
    spec: ClipSpec,
    destination: str,
    settings: Settings,
    model: LoadedModel,
    content: Callable[[str], tuple[str, int]],
) -> ClipReport:
    start = time.perf_counter()
    result = result_id(spec.clip_id, model.sha256, settings.digest)

    def run(execution: ExecutionSettings) -> ClipReport:
        if is_committed(destination, spec.clip_id, result):
            return _report(spec, Outcome.SKIPPED, "already_committed")
        if content(spec.video_url)[0] != spec.video_fingerprint:
            problem = "its bytes are no longer those that were planned"
            raise ChangedVideoError(spec.video_url, problem, "Run again, which plans it anew")
        chosen = settings.model_copy(update={"execution": execution})
        annotation = annotate_clip(spec, model, chosen)
        written = write_clip(destination, annotation, settings.store)
        if not written.created:
            return _report(spec, Outcome.SKIPPED, "already_committed")
        return replace(
            _report(spec, Outcome.COMMITTED),
            frames=len(annotation),
            bytes_written=written.record.bytes,
            seconds=time.perf_counter() - start,
        )

    try:
        return with_retries(run, settings.execution)
    except RUN_ERRORS:
        raise
    except TransientError as error:
        return _report(spec, Outcome.FAILED, error.reason, str(error))
    except Exception as error:  # recorded with its traceback: one clip never takes the run down
        return quarantine_clip(spec, destination, error, str(model.device))


def quarantine_video(url: str, destination: str, error: BaseException) -> ClipReport:
    """Record why a video gave no clips."""
    record = quarantine_record(quarantine_id_of_video(url), url, error)
    quarantine(destination, record)
    return ClipReport(record.id, url, Outcome.QUARANTINED, record.reason, record.message)


def quarantine_clip(
    spec: ClipSpec, destination: str, error: BaseException, device: str = "unknown"
) -> ClipReport:
    """Record why a clip has no result."""
    record = quarantine_record(
        spec.clip_id,
        spec.video_url,
        error,
        video_fingerprint=spec.video_fingerprint,
        device=device,
    )
    quarantine(destination, record)
    return _report(spec, Outcome.QUARANTINED, record.reason, record.message)


def with_retries(
    run: Callable[[ExecutionSettings], Answer], execution: ExecutionSettings
) -> Answer:
    """Run, again after each transient error, at most `execution.attempts` times.

    Waits 0.5 s, 1 s, 2 s .. with jitter in between; after an out-of-memory error the next attempt
    has half the pairs in flight and does not wait.
    """
    for attempt in range(1, execution.attempts):
        try:
            return run(execution)
        except OutOfMemoryError:
            fewer = max(1, execution.pairs_per_batch // 2)
            execution = execution.model_copy(update={"pairs_per_batch": fewer})
        except TransientError:
            time.sleep(0.25 * 2**attempt * random.uniform(0.5, 1.5))
    return run(execution)


@lru_cache(maxsize=1)
def _warm_model(weights: str, sha256: str | None, device: str) -> LoadedModel:
    """The network, loaded once per process and kept for the batches that follow."""
    model = load_checkpoint(weights, sha256)
    model.network.to(select_device(device))
    return model


def _report(
    spec: ClipSpec, outcome: Outcome, reason: str | None = None, message: str | None = None
) -> ClipReport:
    return ClipReport(spec.clip_id, spec.video_url, outcome, reason, message)
