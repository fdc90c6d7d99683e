"""Region similarity J and boundary accuracy F of motion masks, as DAVIS 2017 defines them.

Void pixels take no part: they are taken out of mask and truth before anything is counted.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Bool, Float64, UInt8

from easi3r.evaluation.sequence import MOVING, VOID

BOUNDARY_REACH = 0.008
"""Radius of the disc in which boundaries match, as a share of the image's diagonal."""
_RECALLED = 0.5
_QUARTERS = 4


@dataclass(frozen=True)
class MeasureStatistics:
    """What DAVIS says of a measure over a sequence.

    Attributes:
        mean: over the frames, 0..1; higher is better.
        recall: share of the frames over 0.5; higher is better.
        decay: mean of the first quarter of the frames less that of the last; lower is better.
    """

    mean: float
    recall: float
    decay: float


@dataclass(frozen=True)
class RegionScores:
    """J and F of the masks of a sequence.

    Attributes:
        frames: number of frames that were judged.
        region, boundary: of J and of F; NaN where no frame was judged.
    """

    frames: int
    region: MeasureStatistics
    boundary: MeasureStatistics

    @property
    def region_and_boundary(self) -> float:
        """J&F: the mean of both means."""
        return (self.region.mean + self.boundary.mean) / 2


def score_regions(
    frames: Iterable[tuple[Bool[np.ndarray, "height width"], UInt8[np.ndarray, "height width"]]],
) -> RegionScores:
    """J and F over frames in order of time.

    Args:
        frames: mask and truth of each, at one resolution; the truth of `STILL`, `MOVING` and
            `VOID`. Walked through once.
    """
    measures = [(jaccard(mask, truth), boundary_f(mask, truth)) for mask, truth in frames]
    values = np.array(measures, np.float64).reshape(-1, 2)
    return RegionScores(len(values), statistics(values[:, 0]), statistics(values[:, 1]))


def jaccard(
    mask: Bool[np.ndarray, "height width"], truth: UInt8[np.ndarray, "height width"]
) -> float:
    """Intersection over union of one frame; 1 where both are empty."""
    ours, moving = mask & (truth != VOID), truth == MOVING
    union = np.count_nonzero(ours | moving)
    return np.count_nonzero(ours & moving) / union if union else 1.0


def boundary_f(
    mask: Bool[np.ndarray, "height width"], truth: UInt8[np.ndarray, "height width"]
) -> float:
    """F of one frame: harmonic mean of the boundary's precision and recall.

    A pixel of one boundary is right where the other passes within `BOUNDARY_REACH`. Where one
    frame has no boundary and the other has, F is 0; where neither has, 1.
    """
    ours = boundary(mask & (truth != VOID))
    true = boundary(truth == MOVING)
    if not ours.any() or not true.any():
        return 1.0 if ours.any() == true.any() else 0.0
    disc = _disc(math.ceil(BOUNDARY_REACH * math.hypot(*mask.shape)))
    precision = _share_within(ours, true, disc)
    recall = _share_within(true, ours, disc)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary(mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """Pixels whose right, lower or lower right neighbour is on the other side of the mask's edge.

    The image's own border is no edge.
    """
    below = np.concatenate([mask[1:], mask[-1:]])
    right, corner = (np.concatenate([m[:, 1:], m[:, -1:]], axis=1) for m in (mask, below))
    return (mask != right) | (mask != below) | (mask != corner)


def statistics(values: Float64[np.ndarray, " frames"]) -> MeasureStatistics:
    """Mean, recall and decay of a measure; NaN without frames.

    The quarters share their first and last frame, as in DAVIS's own code.
    """
    if not len(values):
        return MeasureStatistics(math.nan, math.nan, math.nan)
    ends = np.round(np.linspace(1, len(values), _QUARTERS + 1) + 1e-10).astype(int) - 1
    first, last = values[ends[0] : ends[1] + 1], values[ends[-2] : ends[-1] + 1]
    return MeasureStatistics(
        mean=float(values.mean()),
        recall=float((values > _RECALLED).mean()),
        decay=float(first.mean() - last.mean()),
    )


def _share_within(
    pixels: Bool[np.ndarray, "height width"],
    others: Bool[np.ndarray, "height width"],
    disc: UInt8[np.ndarray, "side side"],
) -> float:
    near = cv2.dilate(others.astype(np.uint8), disc)
    return float(near[pixels].mean())


@lru_cache(maxsize=8)
def _disc(radius: int) -> UInt8[np.ndarray, "side side"]:
    offsets = np.arange(-radius, radius + 1)
    return (np.add.outer(offsets**2, offsets**2) <= radius**2).astype(np.uint8)
