"""Planning one video: its clips, or why it gives none."""

from dataclasses import dataclass

from easi3r.config import Settings
from easi3r.errors import TransientError
from easi3r.knowledge import KnownInputs
from easi3r.retries import with_backoff
from easi3r.store import (
    clear_quarantine,
    quarantine,
    quarantine_id_of_video,
    quarantine_record,
)
from easi3r.types import ClipReport, ClipSpec, Outcome, Video
from easi3r.video import SourceVideo, left_out_shots, plan_clips, probe

SHORT_SHOT = "short_shot"  # the reason of reports about shots that were left out


@dataclass(frozen=True)
class VideoPlan:
    """The plan of one video: its clips, in order, and reports of what gave none.

    Reports are about the whole video (quarantined, or failed for now) or about its shots that are
    too short for a clip (skipped).
    """

    url: str
    specs: tuple[ClipSpec, ...]
    reports: tuple[ClipReport, ...] = ()


def plan_video(source: SourceVideo, destination: str, settings: Settings) -> VideoPlan:
    """Probe a video and cut it into clips; one that cannot be used is quarantined.

    So is one of which the user knows something that cannot be true of the frames that clips read. A
    record that an earlier version of the video left in the quarantine is removed.

    Raises:
        UnwritableDestinationError, StorageUnavailableError: the quarantine record cannot be stored.
    """
    url, subject = source.url, quarantine_id_of_video(source.url)
    try:
        video = with_backoff(lambda: probe(url, settings.shots), settings.execution.attempts)
        specs = plan_clips(video, settings.sampling, settings.video, settings.shots)
        if source.known:
            specs = _with_known(specs, source.known, video, settings)
        left_out = left_out_shots(video, settings.sampling, settings.shots)
    except TransientError as error:
        failed = ClipReport(subject, url, Outcome.FAILED, error.reason, str(error))
        return VideoPlan(url, (), (failed,))
    except Exception as error:  # recorded with its traceback: one video never takes the run down
        return VideoPlan(url, (), (give_up_video(url, destination, error),))
    clear_quarantine(destination, subject)
    reports = (_short_shot(url, start, stop, settings) for start, stop in left_out)
    return VideoPlan(url, specs, tuple(reports))


def _with_known(
    specs: tuple[ClipSpec, ...], inputs: KnownInputs, video: Video, settings: Settings
) -> tuple[ClipSpec, ...]:
    """The clips with what is known of their video, read, checked and with its digest."""
    # OpenCV takes a while to import, and few runs need it.
    from easi3r.known import read_known, specs_with

    known = with_backoff(lambda: read_known(inputs, video), settings.execution.attempts)
    return specs_with(known, specs)


def give_up_video(url: str, destination: str, error: BaseException) -> ClipReport:
    """Record in the quarantine why a video gives no clips."""
    record = quarantine_record(quarantine_id_of_video(url), url, error)
    quarantine(destination, record)
    return ClipReport(record.id, url, Outcome.QUARANTINED, record.reason, record.message)


def _short_shot(url: str, start: int, stop: int, settings: Settings) -> ClipReport:
    minimum = settings.sampling.min_frames
    message = f"the shot of frames {start}..{stop - 1} has fewer than {minimum} sampled frames"
    return ClipReport(quarantine_id_of_video(url), url, Outcome.SKIPPED, SHORT_SHOT, message)
