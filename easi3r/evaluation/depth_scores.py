"""Depth and point scores: abs-rel, delta < 1.25, accuracy, completeness."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64
from scipy.spatial import cKDTree

from easi3r.geometry.similarity import register

_DELTA = 1.25
_QUERIES = 5_000
_CANDIDATES = 200_000


@dataclass(frozen=True)
class DepthScores:
    """Depth errors after one factor for the whole clip.

    Attributes:
        abs_rel: mean of |estimate - truth| / truth; lower is better.
        delta_1_25: share of pixels whose depth is within a factor of 1.25; higher is better.
    """

    abs_rel: float
    delta_1_25: float


def known_depth(
    depth: Float32[np.ndarray, "frames height width"],
) -> Bool[np.ndarray, "frames height width"]:
    """True where a depth is known: finite and positive."""
    return np.isfinite(depth) & (depth > 0)


def score_depth(
    estimate: Float32[np.ndarray, "frames height width"],
    truth: Float32[np.ndarray, "frames height width"],
) -> DepthScores:
    """Depth errors of a clip after dividing the estimate by the median of estimate / truth.

    One factor for all frames, so that a scale that drifts over the clip is an error.

    Args:
        estimate: > 0.
        truth: pixels that are 0 or NaN are left out; NaN scores where none is left.
    """
    known = known_depth(truth)
    if not known.any():
        return DepthScores(math.nan, math.nan)
    true = truth[known].astype(np.float64)
    ratio = estimate[known] / true
    ratio /= np.median(ratio)
    return DepthScores(
        abs_rel=float(np.abs(ratio - 1).mean()),
        delta_1_25=float((np.maximum(ratio, 1 / ratio) < _DELTA).mean()),
    )


@dataclass(frozen=True)
class PointScores:
    """Errors of world points after the best similarity of the clip, in the truth's unit.

    Attributes:
        distance: mean distance from an estimated point to the true point of the same pixel.
        accuracy: mean distance from an estimated point to the nearest true one, of any pixel.
        completeness: mean distance from a true point to the nearest estimated one.
    """

    distance: float
    accuracy: float
    completeness: float


def score_points(
    estimate: Float64[np.ndarray, "frames height width 3"],
    truth: Float64[np.ndarray, "frames height width 3"],
    known: Bool[np.ndarray, "frames height width"],
) -> PointScores:
    """Errors of world points after the similarity that best aligns them with the true ones.

    Nearest points are sought from a fixed sample of `_QUERIES` points, among at most
    `_CANDIDATES`.

    Args:
        known: which pixels count; NaN scores where none does.

    Raises:
        DegenerateGeometryError: the points lie on one line.
    """
    if not known.any():
        return PointScores(math.nan, math.nan, math.nan)
    source, target = _points(estimate[known]), _points(truth[known])
    weights = torch.ones(len(source), dtype=torch.float64)
    aligned = register(source, target, weights, "point maps")(source)
    rng = np.random.default_rng(0)
    ours, true = rng.permutation(aligned.numpy()), rng.permutation(target.numpy())
    return PointScores(
        distance=float((aligned - target).norm(dim=-1).mean()),
        accuracy=_mean_nearest(ours, true),
        completeness=_mean_nearest(true, ours),
    )


def _mean_nearest(
    queries: Float64[np.ndarray, "queries 3"], candidates: Float64[np.ndarray, "candidates 3"]
) -> float:
    distance, _ = cKDTree(candidates[:_CANDIDATES]).query(queries[:_QUERIES])
    return float(distance.mean())


def _points(values: Float[np.ndarray, "points 3"]) -> Float[torch.Tensor, "points 3"]:
    return torch.from_numpy(values.astype(np.float64))
