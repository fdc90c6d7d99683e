"""How far a run is: counts, rate and time left, for a terminal, a log or an artifact."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from easi3r.types import ClipReport, Outcome


@dataclass
class Progress:
    """Counts the reports of a run.

    Attributes:
        total: clips of the plan.
        clock: seconds from an arbitrary start; given by tests.
    """

    total: int
    clock: Callable[[], float] = time.monotonic
    counts: Counter[Outcome] = field(default_factory=Counter)
    frames: int = 0
    bytes_written: int = 0
    start: float = field(init=False)

    def __post_init__(self) -> None:
        self.start = self.clock()

    def add(self, report: ClipReport) -> None:
        """Take in the report of one clip."""
        self.counts[report.outcome] += 1
        self.frames += report.frames
        self.bytes_written += report.bytes_written

    @property
    def done(self) -> int:
        """Clips that are settled, however."""
        return self.counts.total()

    @property
    def frames_per_second(self) -> float:
        """Annotated frames over elapsed time; 0 before the first."""
        elapsed = self.clock() - self.start
        return self.frames / elapsed if elapsed > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Elapsed time per clip that ran, times the clips left; None before the first ran.

        Clips that were skipped took no time worth counting and do not enter the rate.
        """
        ran = self.done - self.counts[Outcome.SKIPPED]
        if ran == 0:
            return None
        return (self.clock() - self.start) / ran * (self.total - self.done)

    def __str__(self) -> str:
        settled = ", ".join(
            f"{self.counts[outcome]} {outcome}" for outcome in Outcome if self.counts[outcome]
        )
        left = self.seconds_left
        eta = "unknown" if left is None else str(timedelta(seconds=round(left)))
        return (
            f"{self.done}/{self.total} clips ({settled or 'none settled'}), "
            f"{self.frames_per_second:.2f} frames/s, ETA {eta}"
        )
