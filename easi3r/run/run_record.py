"""What a run did: its record at `DEST/runs/<run id>.json`."""

from datetime import timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict

from easi3r.run.forecast import Forecast
from easi3r.store.trust_counts import trust_in_words
from easi3r.types import ClipReport, Outcome

RUNS = "runs"
MOST_TROUBLES = 100  # listed one by one; the dataset's quarantine has all of them


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Trouble(_Frozen):
    """One input without a result."""

    subject: str
    video_url: str
    outcome: Outcome
    reason: str
    message: str

    @classmethod
    def of(cls, report: ClipReport) -> "Trouble":
        """The trouble of a report."""
        return cls(
            subject=report.subject,
            video_url=report.video_url,
            outcome=report.outcome,
            reason=report.reason or "unknown",
            message=report.message or "",
        )


class RunRecord(_Frozen):
    """One run over a collection.

    Attributes:
        plan_id: None until the source is planned.
        workers: the most that were seen at once.
        planned_clips: clips of the plan, those of earlier runs included.
        clips: number of inputs by outcome, zeros included; videos that gave no clip count too.
        reasons: number of inputs without a result, by the errors' reasons.
        troubles: the first `MOST_TROUBLES` inputs without a result.
        frames, bytes_written, engine_seconds: of the clips that this run annotated, all workers
            together.
        trust_median, trust_low_share: trust of the clips that this run annotated, and the share of
            them below `LOW_TRUST`; None where none has any.
        finished: None while it runs, and for ever where it was killed.
        forecast: of `easi3r plan --forecast`, where the run was started with one.
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
    trust_median: float | None = None
    trust_low_share: float | None = None
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
        """Wall seconds of one worker per committed clip; None before the first."""
        committed = self.clips[Outcome.COMMITTED]
        return self.wall_seconds * self.workers / committed if committed else None

    @property
    def against_forecast(self) -> str | None:
        """Actual beside forecast, in words; None where there is no forecast or no clip yet."""
        if self.forecast is None or self.seconds_per_clip is None:
            return None
        seconds = self.forecast.per_clip_seconds
        bytes_per_clip = self.bytes_written / self.clips[Outcome.COMMITTED]
        return (
            f"{self.seconds_per_clip:.2f} s a clip and worker "
            f"(forecast {seconds.expected:.2f}, {seconds.low:.2f} to {seconds.high:.2f}), "
            f"{bytes_per_clip / 1e6:.2f} MB a clip "
            f"(forecast {self.forecast.per_clip_bytes.expected / 1e6:.2f})"
        )

    def __str__(self) -> str:
        counts = ", ".join(f"{self.clips[outcome]} {outcome}" for outcome in Outcome)
        done = f"{counts}; {self.frames} frames in {timedelta(seconds=round(self.wall_seconds))}"
        trust = trust_in_words(self.trust_median, self.trust_low_share)
        return f"{done}; trust: {trust}" if trust else done
