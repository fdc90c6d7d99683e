"""Planning one video: its clips, or why it gives none."""

from dataclasses import dataclass

from easi3r.config import Settings
from easi3r.errors import TransientError
from easi3r.retries import with_backoff
from easi3r.store import (
    clear_quarantine,
    quarantine,
    quarantine_id_of_video,
    quarantine_record,
)
from easi3r.types import ClipReport, ClipSpec, Outcome
from easi3r.video import left_out_shots, plan_clips, probe

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


def plan_video(url: str, destination: str, settings: Settings) -> VideoPlan:
    """Probe a video and cut it into clips; one that cannot be used is quarantined.

    A record that an earlier version of the video left in the quarantine is removed.

    Raises:
        UnwritableDestinationError, StorageUnavailableError: the quarantine record cannot be stored.
    """
    subject = quarantine_id_of_video(url)
    try:
        video = with_backoff(lambda: probe(url, settings.shots), settings.execution.attempts)
        specs = plan_clips(video, settings.sampling, settings.video, settings.shots)
        left_out = left_out_shots(video, settings.sampling, settings.shots)
    except TransientError as error:
        failed = ClipReport(subject, url, Outcome.FAILED, error.reason, str(error))
        return VideoPlan(url, (), (failed,))
    except Exception as error:  # recorded with its traceback: one video never takes the run down
        return VideoPlan(url, (), (give_up_video(url, destination, error),))
    clear_quarantine(destination, subject)
    reports = (_short_shot(url, start, stop, settings) for start, stop in left_out)
    return VideoPlan(url, specs, tuple(reports))


def give_up_video(url: str, destination: str, error: BaseException) -> ClipReport:
    """Record in the quarantine why a video gives no clips."""
    record = quarantine_record(quarantine_id_of_video(url), url, error)
    quarantine(destination, record)
    return ClipReport(record.id, url, Outcome.QUARANTINED, record.reason, record.message)


def _short_shot(url: str, start: int, stop: int, settings: Settings) -> ClipReport:
    minimum = settings.sampling.min_frames
    message = f"the shot of frames {start}..{stop - 1} has fewer than {minimum} sampled frames"
    return ClipReport(quarantine_id_of_video(url), url, Outcome.SKIPPED, SHORT_SHOT, message)
