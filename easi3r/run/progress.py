"""How far a run is: counts, rate and ETA, for a terminal, a log or an artifact."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from easi3r.store.trust_counts import TrustCounts
from easi3r.types import ClipReport, Outcome


@dataclass
class Progress:
    """Counts the reports of a run.

    Attributes:
        total: clips of the plan, and videos that gave none.
        clock: seconds from an arbitrary start; replaced by tests.
        reasons: of the inputs that gave no result.
        engine_seconds: of all workers together.
        trust: of the clips that this run annotated.
    """

    total: int
    clock: Callable[[], float] = time.monotonic
    counts: Counter[Outcome] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    bytes_written: int = 0
    engine_seconds: float = 0.0
    trust: TrustCounts = field(default_factory=TrustCounts)
    start: float = field(init=False)

    def __post_init__(self) -> None:
        self.start = self.clock()

    def add(self, report: ClipReport) -> None:
        """Take in the report of one clip."""
        self.counts[report.outcome] += 1
        if report.outcome.is_trouble:
            self.reasons[report.reason or "unknown"] += 1
        self.frames += report.frames
        self.bytes_written += report.bytes_written
        self.engine_seconds += report.engine_seconds
        if report.trust is not None:
            self.trust.add(report.trust)

    def skip(self, clips: int) -> None:
        """Take in clips that earlier runs committed."""
        self.counts[Outcome.SKIPPED] += clips

    @property
    def done(self) -> int:
        """Clips that are finished, whatever the outcome."""
        return self.counts.total()

    @property
    def elapsed_seconds(self) -> float:
        """Since the start."""
        return self.clock() - self.start

    @property
    def frames_per_second(self) -> float:
        """Annotated frames over elapsed time; 0 before the first."""
        elapsed = self.elapsed_seconds
        return self.frames / elapsed if elapsed > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Elapsed time per clip that ran, times the clips left; None before the first ran.

        Clips that were skipped took no time worth counting and do not enter the rate.
        """
        ran = self.done - self.counts[Outcome.SKIPPED]
        if ran == 0:
            return None
        return self.elapsed_seconds / ran * (self.total - self.done)

    def __str__(self) -> str:
        outcomes = ", ".join(
            f"{self.counts[outcome]} {outcome}" for outcome in Outcome if self.counts[outcome]
        )
        left = self.seconds_left
        eta = "unknown" if left is None else str(timedelta(seconds=round(left)))
        line = (
            f"{self.done}/{self.total} clips done ({outcomes or 'nothing yet'}), "
            f"{self.bytes_written / 1e6:.1f} MB, {self.frames_per_second:.2f} frames/s, ETA {eta}"
        )
        troubles = ", ".join(f"{number} {reason}" for reason, number in self.reasons.most_common())
        return f"{line}; {troubles}" if troubles else line


class Pace:
    """Tells rate and time left of a walk that begins now.

    Args:
        things: what is walked over, in the plural.
    """

    def __init__(self, things: str) -> None:
        self._things = things
        self._start = self._last_due = time.monotonic()

    def is_due(self, seconds: float) -> bool:
        """Whether `seconds` have passed since this was last true, or since the start."""
        now = time.monotonic()
        due = now - self._last_due >= seconds
        if due:
            self._last_due = now
        return due

    def after(self, done: int, total: int) -> str:
        """How far, how fast and how long yet, as in `20/40 clips, 2.0 clips/s, ETA 0:00:10`."""
        elapsed = time.monotonic() - self._start
        rate = done / elapsed if elapsed > 0 else 0.0
        number, unit = (rate, "s") if rate >= 1 else (60 * rate, "min")
        left = timedelta(seconds=round((total - done) / rate)) if rate else "unknown"
        return f"{done}/{total} {self._things}, {number:.1f} {self._things}/{unit}, ETA {left}"


def paced(
    write_line: Callable[[str], None], what: str, every_seconds: float
) -> Callable[[int, int], None]:
    """A callback for a walk over clips, which writes now and then how far it is.

    Args:
        write_line: prints or logs a line.
        what: is done, such as `auditing`.

    Returns:
        A function of how many clips are done, and of how many there are about.
    """
    pace = Pace("clips")

    def progress(done: int, total: int) -> None:
        if done and pace.is_due(every_seconds):
            write_line(f"{what}: {pace.after(done, total)}")

    return progress
