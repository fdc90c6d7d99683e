"""How fast a walk over many things goes, and how long it will yet take, in words."""

import time
from datetime import timedelta


class Pace:
    """Tells rate and time left of a walk that begins now.

    Args:
        things: what is walked over, in the plural.
    """

    def __init__(self, things: str) -> None:
        self._things = things
        self._start = self._told_at = time.monotonic()

    def is_due(self, seconds: float) -> bool:
        """Whether `seconds` have passed since this last said so, or since the start."""
        now = time.monotonic()
        due = now - self._told_at >= seconds
        if due:
            self._told_at = now
        return due

    def after(self, done: int, total: int) -> str:
        """How far, how fast and how long yet, as in `20/40 clips, 2.0 clips/s, ETA 0:00:10`."""
        elapsed = time.monotonic() - self._start
        rate = done / elapsed if elapsed > 0 else 0.0
        number, unit = (rate, "s") if rate >= 1 else (60 * rate, "min")
        left = timedelta(seconds=round((total - done) / rate)) if rate else "unknown"
        return f"{done}/{total} {self._things}, {number:.1f} {self._things}/{unit}, ETA {left}"
