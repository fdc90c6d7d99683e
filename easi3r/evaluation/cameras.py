"""How far estimated cameras are from the true ones."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from easi3r.errors import DegenerateGeometryError
from easi3r.geometry import invert_rigid
from easi3r.geometry.trajectory import trajectory_error

_STILL = 1e-3
"""Two true cameras closer than this share of the path's extent have no direction between them."""


@dataclass(frozen=True)
class TrajectoryScores:
    """Camera errors, lower is better.

    Attributes:
        ate: absolute trajectory error, RMSE of camera centres after the best similarity, in the
            truth's unit; NaN where the true camera stands still.
        rotation_deg: angle between estimated and true relative rotation, mean over all pairs of
            frames.
        direction_deg: angle between estimated and true direction from one camera to the other, in
            the axes of the first, mean over pairs; 90 where the estimate does not move; NaN where
            the true camera stands still.
    """

    ate: float
    rotation_deg: float
    direction_deg: float


def score_trajectory(
    estimate: Float64[np.ndarray, "frames 4 4"], truth: Float64[np.ndarray, "frames 4 4"]
) -> TrajectoryScores:
    """Judge camera-to-world poses; neither a common similarity nor its scale counts as an error."""
    first, second = np.triu_indices(len(truth), k=1)
    ours = invert_rigid(estimate[first]) @ estimate[second]
    true = invert_rigid(truth[first]) @ truth[second]
    difference = np.swapaxes(true[:, :3, :3], 1, 2) @ ours[:, :3, :3]
    return TrajectoryScores(
        ate=_ate(estimate, truth),
        rotation_deg=float(np.degrees(_rotation_angles(difference)).mean()),
        direction_deg=_direction_deg(ours[:, :3, 3], true[:, :3, 3]),
    )


def _ate(
    estimate: Float64[np.ndarray, "frames 4 4"], truth: Float64[np.ndarray, "frames 4 4"]
) -> float:
    try:
        return trajectory_error(estimate, truth)
    except DegenerateGeometryError:  # the true camera stands still: documented as NaN
        return math.nan


def _rotation_angles(
    rotations: Float64[np.ndarray, "pairs 3 3"],
) -> Float64[np.ndarray, " pairs"]:
    # atan2 of sine and cosine: arccos of the trace alone loses small angles to rounding.
    skew = rotations - np.swapaxes(rotations, 1, 2)
    axis = np.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], axis=1)
    return np.arctan2(np.linalg.norm(axis, axis=1), np.trace(rotations, axis1=1, axis2=2) - 1)


def _direction_deg(
    ours: Float64[np.ndarray, "pairs 3"], true: Float64[np.ndarray, "pairs 3"]
) -> float:
    distance = np.linalg.norm(true, axis=1)
    moved = (distance > 0) & (distance > _STILL * distance.max(initial=0))
    if not moved.any():
        return math.nan
    ours, true = ours[moved], true[moved]
    sine = np.linalg.norm(np.cross(ours, true), axis=1)
    angles = np.degrees(np.arctan2(sine, (ours * true).sum(axis=1)))
    return float(np.where(np.linalg.norm(ours, axis=1) > 0, angles, 90.0).mean())
