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
    depth: Float32[np.ndarray, "*frames height width"],
) -> Bool[np.ndarray, "*frames height width"]:
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


def score_depth_per_frame(
    estimate: Float32[np.ndarray, "frames height width"],
    truth: Float32[np.ndarray, "frames height width"],
) -> DepthScores:
    """Depth errors after a scale and a shift of every frame: what drifts over a clip is forgiven.

    Both are the least-squares ones of `scale * estimate + shift` against the true depth.

    Args:
        truth: pixels that are 0 or NaN are left out, and frames without any other; NaN scores
            where none is left.
    """
    ratios = [np.empty(0)]
    for ours, true in zip(estimate, truth, strict=True):
        known = known_depth(true)
        if known.any():
            target = true[known].astype(np.float64)
            ratios.append(_fitted(ours[known].astype(np.float64), target) / target)
    ratio = np.concatenate(ratios)
    if not len(ratio):
        return DepthScores(math.nan, math.nan)
    return DepthScores(
        abs_rel=float(np.abs(ratio - 1).mean()),
        delta_1_25=float(((ratio < _DELTA) & (ratio > 1 / _DELTA)).mean()),
    )


def _fitted(
    values: Float64[np.ndarray, " pixels"], target: Float64[np.ndarray, " pixels"]
) -> Float64[np.ndarray, " pixels"]:
    """`values` after the scale and shift that bring them nearest to `target`."""
    centred = values - values.mean()
    spread = np.square(centred).sum()
    scale = (centred * target).sum() / spread if spread > 0 else 0.0
    return scale * centred + target.mean()


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


@dataclass(frozen=True)
class PointDistances:
    """Errors of world points whose similarity is known, in the truth's unit; lower is better.

    Attributes:
        accuracy, accuracy_median: distance from an estimated point to the nearest true one.
        completeness, completeness_median: from a true point to the nearest estimated one.
        distance, distance_median: from an estimated point to the true point of the same pixel.
    """

    accuracy: float
    accuracy_median: float
    completeness: float
    completeness_median: float
    distance: float
    distance_median: float


def point_distances(
    estimate: Float64[np.ndarray, "points 3"], truth: Float64[np.ndarray, "points 3"]
) -> PointDistances:
    """Distances between points of the same pixels, in one world and one unit.

    Nearest points are sought as in `score_points`. NaN without points.
    """
    if not len(truth):
        return PointDistances(*[math.nan] * 6)
    rng = np.random.default_rng(0)
    ours, true = rng.permutation(estimate), rng.permutation(truth)
    accuracy, completeness = _nearest(ours, true), _nearest(true, ours)
    distance = np.linalg.norm(estimate - truth, axis=1)
    return PointDistances(
        accuracy=float(accuracy.mean()),
        accuracy_median=float(np.median(accuracy)),
        completeness=float(completeness.mean()),
        completeness_median=float(np.median(completeness)),
        distance=float(distance.mean()),
        distance_median=float(np.median(distance)),
    )


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
        accuracy=float(_nearest(ours, true).mean()),
        completeness=float(_nearest(true, ours).mean()),
    )


def _nearest(
    queries: Float64[np.ndarray, "queries 3"], candidates: Float64[np.ndarray, "candidates 3"]
) -> Float64[np.ndarray, " distances"]:
    """Distances from a sample of the queries to the nearest of a sample of the candidates."""
    distance, _ = cKDTree(candidates[:_CANDIDATES]).query(queries[:_QUERIES])
    return np.asarray(distance)


def _points(values: Float[np.ndarray, "points 3"]) -> Float[torch.Tensor, "points 3"]:
    return torch.from_numpy(values.astype(np.float64))
