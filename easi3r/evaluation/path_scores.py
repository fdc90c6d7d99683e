"""Camera paths against truth that may lack some frames: ATE and RPE after one similarity."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from scipy.spatial.transform import Rotation

from easi3r.errors import DegenerateGeometryError
from easi3r.geometry import invert_rigid
from easi3r.geometry.trajectory import align_path, trajectory_error

FEWEST_POSES = 3
"""A similarity takes any two points onto any two others."""


@dataclass(frozen=True)
class PathScores:
    """Camera errors of a path, lower is better; lengths in the truth's unit.

    Attributes:
        ate: RMSE of camera centres after the best similarity.
        rpe_translation, rpe_rotation_deg: relative pose error from each frame to the next (evo's
            RPE at a distance of one frame), RMSE, after the same similarity.
        problem: why scores are NaN; empty where none is.
    """

    ate: float
    rpe_translation: float
    rpe_rotation_deg: float
    problem: str = ""


def score_path(
    estimate: Float64[np.ndarray, "frames 4 4"], truth: Float64[np.ndarray, "frames 4 4"]
) -> PathScores:
    """Errors of camera-to-world poses where the true ones are known.

    Args:
        truth: rows of NaN where the camera is not known. Relative errors are of frames that
            follow each other, both known.
    """
    known = known_poses(truth)
    if known.sum() < FEWEST_POSES:
        problem = f"{known.sum()} true poses fix no similarity"
        return PathScores(math.nan, math.nan, math.nan, problem)
    follows = np.diff(np.flatnonzero(known)) == 1
    true = truth[known]
    aligned = align_path(estimate[known], true)
    difference = invert_rigid(_steps(true, follows)) @ _steps(aligned, follows)
    angles = np.degrees(Rotation.from_matrix(difference[:, :3, :3]).magnitude())
    try:
        ate = trajectory_error(estimate[known], true)
    except DegenerateGeometryError:
        return PathScores(math.nan, math.nan, _rms(angles), "the true camera stands still")
    return PathScores(ate, _rms(np.linalg.norm(difference[:, :3, 3], axis=1)), _rms(angles))


def known_poses(truth: Float64[np.ndarray, "frames 4 4"]) -> Bool[np.ndarray, " frames"]:
    """True for frames whose pose is known."""
    known: Bool[np.ndarray, " frames"] = np.isfinite(truth).all(axis=(1, 2))
    return known


def _steps(
    poses: Float64[np.ndarray, "frames 4 4"], follows: Bool[np.ndarray, " steps"]
) -> Float64[np.ndarray, "used 4 4"]:
    """Poses in the axes of the frame before."""
    return invert_rigid(poses[:-1][follows]) @ poses[1:][follows]


def _rms(values: Float64[np.ndarray, " values"]) -> float:
    return float(np.sqrt(np.square(values).mean())) if len(values) else math.nan
