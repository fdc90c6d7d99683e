"""Records of a whole plan: its contents on disk, and how far it is."""

from pydantic import BaseModel, ConfigDict

PLAN_SCHEMA_VERSION = 1


class PlanCounts(BaseModel):
    """What a plan holds; each clip content counts once.

    Attributes:
        frames, seconds: of those clips, see `PartSummary`.
        duplicates: clips whose content another clip, earlier in the plan, brings already.
        repeated_names: rows of a manifest that named a video again.
        quarantined_videos, failed_videos, left_out_shots: see `PartSummary`.
        ignored: files of a folder that are no videos by their name, by suffix.
    """

    model_config = ConfigDict(frozen=True)

    videos: int
    clips: int
    frames: int
    seconds: float
    duplicates: int
    repeated_names: int
    quarantined_videos: int
    failed_videos: int
    left_out_shots: int
    ignored: dict[str, int]

    @property
    def ignored_files(self) -> int:
        """Files of a folder that are no videos."""
        return sum(self.ignored.values())

    @property
    def problems(self) -> int:
        """Videos and shots that gave no clip: the length of `Plan.problems`."""
        return self.quarantined_videos + self.failed_videos + self.left_out_shots


class PlanRecord(BaseModel):
    """`plans/<plan id>.json`, written last: names the parts, in the order of the source."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = PLAN_SCHEMA_VERSION
    plan_id: str
    source: str
    planning_digest: str
    counts: PlanCounts
    parts: tuple[str, ...]


class OutdatedResults(BaseModel):
    """Pending clips that have results, but by other weights, settings or methods.

    Attributes:
        clips: how many there are.
        examined: for how many of them, the first ones of the plan, the reason was looked up.
        reasons: how many of those for each reason, the most frequent first.
    """

    model_config = ConfigDict(frozen=True)

    clips: int
    examined: int
    reasons: dict[str, int]

    def __str__(self) -> str:
        if not self.clips:
            return "0"
        reasons = "; ".join(f"{number} {reason}" for reason, number in self.reasons.items())
        sample = f" (of the first {self.examined} looked at)" if self.examined < self.clips else ""
        return f"{self.clips}: {reasons}{sample}"


class PlanState(BaseModel):
    """How far a plan is, for some weights and settings; each clip content counts once."""

    model_config = ConfigDict(frozen=True)

    clips: int
    committed: int
    quarantined: int
    pending: int
    pending_frames: int
    pending_seconds: float
