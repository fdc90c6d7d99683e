"""The trust of many clips in two figures, without a list of them."""

from collections import Counter
from dataclasses import dataclass, field

LOW_TRUST = 0.3
"""Clips below it are counted apart wherever many are summed up."""


@dataclass
class TrustCounts:
    """How many clips have which trust, to a hundredth; enough for a summary of any number.

    Attributes:
        clips: number of clips by trust in hundredths.
    """

    clips: Counter[int] = field(default_factory=Counter)

    def add(self, value: float) -> None:
        """Count one clip."""
        self.clips[round(100 * value)] += 1

    @property
    def median(self) -> float | None:
        """Lower median, to a hundredth; None without clips."""
        half = (self.clips.total() + 1) // 2
        for value in sorted(self.clips):
            half -= self.clips[value]
            if half <= 0:
                return value / 100
        return None

    @property
    def low_share(self) -> float | None:
        """Share of clips below `LOW_TRUST`; None without clips."""
        total = self.clips.total()
        low = sum(number for value, number in self.clips.items() if value < 100 * LOW_TRUST)
        return low / total if total else None

    def __str__(self) -> str:
        return trust_in_words(self.median, self.low_share) or ""


def trust_in_words(median: float | None, low_share: float | None) -> str | None:
    """Median trust and the share of clips below `LOW_TRUST`; None without either."""
    if median is None or low_share is None:
        return None
    return f"median {median:.2f}, {low_share:.0%} below {LOW_TRUST}"
