"""Rigid transforms as 4x4 numpy arrays, camera-to-world unless said otherwise."""

import numpy as np
from jaxtyping import Float, Float64

from easi3r.errors import DegenerateGeometryError


def invert_rigid(pose: Float[np.ndarray, "*batch 4 4"]) -> Float64[np.ndarray, "*batch 4 4"]:
    """The inverse of rigid transforms: transposed rotation, exact to rounding."""
    rotation = np.swapaxes(pose[..., :3, :3], -1, -2)
    inverse = np.zeros(pose.shape, np.float64)
    inverse[..., :3, :3] = rotation
    inverse[..., :3, 3:] = -rotation @ pose[..., :3, 3:]
    inverse[..., 3, 3] = 1
    return inverse


def transform_points(
    pose: Float[np.ndarray, "*batch 4 4"], points: Float[np.ndarray, "*batch points 3"]
) -> Float64[np.ndarray, "*batch points 3"]:
    """Points after a rigid transform."""
    rotation = np.swapaxes(pose[..., :3, :3], -1, -2).astype(np.float64)
    return points @ rotation + pose[..., None, :3, 3]


def require_poses(name: str, poses: Float[np.ndarray, "frames 4 4"]) -> None:
    """Check that every matrix is a rigid transform, to 1e-4 (float32 text files pass).

    Raises:
        DegenerateGeometryError: names the first frame whose matrix is not, and what is wrong.
    """
    for frame, pose in enumerate(poses):
        rotation = pose[:3, :3]
        if not np.isfinite(pose).all():
            problem = "holds a value that is not finite"
        elif np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-4:
            problem = "has an upper left 3x3 that is not orthonormal"
        elif np.linalg.det(rotation) < 0:
            problem = "mirrors: the determinant of its rotation is -1"
        elif np.abs(pose[3] - (0, 0, 0, 1)).max() > 1e-6:
            problem = f"has the last row {pose[3].tolist()} instead of [0, 0, 0, 1]"
        else:
            continue
        remedy = "Give camera-to-world matrices in OpenCV axes (rotation, then translation)"
        raise DegenerateGeometryError(f"{name}[{frame}]", problem, remedy)
