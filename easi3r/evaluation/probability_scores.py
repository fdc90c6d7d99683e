"""How good a probability is: ranking, calibration, intervals by resampling whole groups."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

BINS = 10
RESAMPLINGS = 2000


@dataclass(frozen=True)
class CurveBin:
    """One bin of a calibration curve.

    Attributes:
        low, high: its probabilities: above `low` (0 included), up to `high`.
        count: cases in it.
        probability: their mean probability.
        share: of them that came true.
    """

    low: float
    high: float
    count: int
    probability: float
    share: float


def area_under_curve(
    score: Float64[np.ndarray, " cases"], positive: Bool[np.ndarray, " cases"]
) -> float:
    """Probability that a positive case has a higher score than another; ties count half.

    NaN where all cases are alike.
    """
    from scipy.stats import rankdata  # scipy.stats takes long to import

    positives = int(positive.sum())
    others = len(positive) - positives
    if not positives or not others:
        return float("nan")
    ranks = rankdata(score)[positive].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * others))


def rank_correlation(a: Float64[np.ndarray, " cases"], b: Float64[np.ndarray, " cases"]) -> float:
    """Spearman's: correlation of the ranks, ties at their mean rank."""
    from scipy.stats import rankdata  # see `area_under_curve`

    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def calibration_curve(
    probability: Float64[np.ndarray, " cases"],
    outcome: Bool[np.ndarray, " cases"],
    bins: int = BINS,
) -> tuple[CurveBin, ...]:
    """Bins of equal width that hold any case."""
    number = np.clip(np.ceil(probability * bins).astype(int) - 1, 0, bins - 1)
    return tuple(
        CurveBin(
            low=one / bins,
            high=(one + 1) / bins,
            count=int((number == one).sum()),
            probability=float(probability[number == one].mean()),
            share=float(outcome[number == one].mean()),
        )
        for one in np.unique(number)
    )


def expected_calibration_error(
    probability: Float64[np.ndarray, " cases"],
    outcome: Bool[np.ndarray, " cases"],
    bins: int = BINS,
) -> float:
    """Mean |probability - share| over the bins of `calibration_curve`, by their cases."""
    curve = calibration_curve(probability, outcome, bins)
    off = sum(one.count * abs(one.probability - one.share) for one in curve)
    return off / len(probability)


def interval(
    statistic: Callable[[np.ndarray], float], groups: Sequence[str], seed: int = 0
) -> tuple[float, float]:
    """95 % bootstrap interval: whole groups are drawn with replacement.

    Args:
        statistic: of the cases with these indices; resamplings where it is NaN are left out.
        groups: of each case.
    """
    rng = np.random.default_rng(seed)
    names, number = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(number == one) for one in range(len(names))]
    values = [
        statistic(np.concatenate([members[one] for one in rng.integers(0, len(names), len(names))]))
        for _ in range(RESAMPLINGS)
    ]
    low, high = np.nanquantile(values, (0.025, 0.975))
    return float(low), float(high)
