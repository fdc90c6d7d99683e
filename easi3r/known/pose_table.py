"""Poses as a file holds them: checked, in this project's conventions, not yet those of frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from easi3r.errors import KnownInputError
from easi3r.known.lens import LensTable
from easi3r.known.matching import NO_ROW, Matching
from easi3r.types import Video

# Text files round: 7-Scenes' rotations are off by 2e-4, quaternions of four decimals by 1e-4.
_TOLERANCE = 5e-3
_LAST_ROW_TOLERANCE = 1e-6


@dataclass(frozen=True)
class PoseTable:
    """The poses of a file.

    Attributes:
        url: of the file or folder.
        camera_to_world: OpenCV axes, one a row of the file.
        matching: which frames they are of.
        lenses: the cameras that the same file holds; None where it holds none.
        rescaled: what the file says that its translations were multiplied by.
    """

    url: str
    camera_to_world: Float64[np.ndarray, "rows 4 4"]
    matching: Matching
    lenses: LensTable | None = None
    rescaled: float = 1.0

    def of_frames(self, video: Video) -> Float64[np.ndarray, "frames 4 4"]:
        """The pose of every frame of a video, NaN where the file has none.

        Raises:
            KnownInputError: the rows are not those of this video.
        """
        rows = self.matching.rows_of_frames(self.url, video)
        poses = self.camera_to_world[rows]
        poses[rows == NO_ROW] = np.nan
        return poses


def pose_of_quaternion(
    url: str, place: str, wxyz: Sequence[float], translation: Sequence[float]
) -> Float64[np.ndarray, "4 4"]:
    """A rigid transform from a quaternion, made a unit one, and a translation.

    Args:
        place: where it stands in the file, for messages: `line 7`.

    Raises:
        KnownInputError: the quaternion's norm is not 1.
    """
    norm = float(np.linalg.norm(wxyz))
    if abs(norm - 1) > _TOLERANCE:
        problem = f"{place}: its quaternion has the norm {norm:.4g}, not 1"
        remedy = "Check the order of the columns against docs/known-inputs.md"
        raise KnownInputError(url, problem, remedy)
    w, x, y, z = np.asarray(wxyz, np.float64) / norm
    pose = np.eye(4)
    pose[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    pose[:3, 3] = translation
    return pose


def pose_of_matrix(
    url: str, place: str, values: Sequence[float] | np.ndarray
) -> Float64[np.ndarray, "4 4"]:
    """A rigid transform from 3x4 or 4x4 numbers, row by row; its rotation is made exact.

    Raises:
        KnownInputError: another count, a last row but (0, 0, 0, 1), a matrix that scales, shears
            or mirrors.
    """
    numbers = np.asarray(values, np.float64).ravel()
    pose = np.eye(4)
    if len(numbers) not in (12, 16):
        problem = f"{place}: holds {len(numbers)} numbers, not 3x4 or 4x4"
        raise KnownInputError(url, problem, "Give rotation and translation, row by row")
    pose[: len(numbers) // 4] = numbers.reshape(-1, 4)
    if np.abs(pose[3] - (0, 0, 0, 1)).max() > _LAST_ROW_TOLERANCE:
        problem = f"{place}: its last row is {pose[3].tolist()}, not [0, 0, 0, 1]"
        raise KnownInputError(url, problem, "Give matrices whose translation is the last column")
    rotation = pose[:3, :3]
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.abs(rotation @ rotation.T - np.eye(3)).max()
    if not error <= _TOLERANCE:  # NaN too, where products overflow
        problem = f"{place}: its upper left 3x3 is not orthonormal (it scales or shears)"
        raise KnownInputError(url, problem, "Give rigid transforms: a rotation and a translation")
    if np.linalg.det(rotation) < 0:
        problem = f"{place}: it mirrors, the determinant of its rotation is -1"
        remedy = "Give right-handed axes, see docs/known-inputs.md for those of each format"
        raise KnownInputError(url, problem, remedy)
    left, _, right = np.linalg.svd(rotation)
    pose[:3, :3] = left @ right
    pose[3] = 0, 0, 0, 1
    return pose
