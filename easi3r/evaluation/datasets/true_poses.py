"""True poses and intrinsics: camera-to-world, OpenCV axes, NaN where the camera was lost."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64
from scipy.spatial.transform import Rotation

from easi3r.errors import DegenerateGeometryError, TruthError
from easi3r.evaluation.sequence import LeftOut
from easi3r.geometry import require_poses

_ROTATION_TOLERANCE = 5e-3
_QUATERNION_TOLERANCE = 1e-2

Poses = Float64[np.ndarray, "frames 4 4"]


def exact_poses(name: str, poses: Float[np.ndarray, "frames 4 4"]) -> Poses:
    """Poses whose rotations are made exact: 7-Scenes' are off by 2e-4. Rows of NaN stay.

    Args:
        name: of the file or folder, for messages.

    Raises:
        TruthError: one is no rigid transform.
    """
    exact = np.array(poses, np.float64)
    known = np.isfinite(exact).all(axis=(1, 2))
    for at in np.flatnonzero(known):
        rotation = exact[at, :3, :3]
        nearly = np.abs(rotation @ rotation.T - np.eye(3)).max() < _ROTATION_TOLERANCE
        if nearly and np.linalg.det(rotation) > 0:
            exact[at, :3, :3] = Rotation.from_matrix(rotation).as_matrix()
    try:
        require_poses(name, exact[known])
    except DegenerateGeometryError as error:
        raise TruthError(error.subject, error.problem, error.remedy) from error
    return exact


def quaternion_poses(name: str, rows: Float[np.ndarray, "frames 7"]) -> Poses:
    """Poses of rows `tx ty tz qx qy qz qw`.

    Raises:
        TruthError: a quaternion is none: its length is not 1.
    """
    lengths = np.linalg.norm(rows[:, 3:], axis=1)
    wrong = np.flatnonzero(~(np.abs(lengths - 1) < _QUATERNION_TOLERANCE))
    if len(wrong):
        problem = f"pose {wrong[0] + 1} has a quaternion of length {lengths[wrong[0]]:.3g}, not 1"
        raise TruthError(name, problem, "Give rows of: time tx ty tz qx qy qz qw")
    poses = np.tile(np.eye(4), (len(rows), 1, 1))
    poses[:, :3, :3] = Rotation.from_quat(rows[:, 3:]).as_matrix()
    poses[:, :3, 3] = rows[:, :3]
    return poses


def read_matrix(path: Path, side: int) -> Float64[np.ndarray, "side side"]:
    """A square matrix of a text file, a row a line.

    Raises:
        TruthError: it is missing, damaged, or of another shape.
    """
    matrix = _numbers(path)
    if matrix.shape != (side, side):
        problem = f"holds {matrix.shape} numbers, not {side} x {side}"
        raise TruthError(str(path), problem, "Give a matrix, a row a line")
    return matrix


def _numbers(path: Path) -> Float64[np.ndarray, "..."]:
    try:
        rows = [line.split() for line in path.read_text().splitlines()]
        numbers = np.array([[float(word) for word in row] for row in rows if row])
    except (OSError, ValueError) as error:
        raise TruthError(str(path), f"cannot be read ({error})", "Restore the file") from error
    if not numbers.size:
        raise TruthError(str(path), "holds no numbers", "Restore the file")
    return numbers


def read_poses(name: str, paths: Sequence[Path]) -> tuple[Poses | None, tuple[LeftOut, ...]]:
    """A pose of each file; NaN where there is none, no text of numbers, or the camera was lost.

    A lost camera has numbers that are not finite (`-inf`, NaN).

    Returns:
        The poses, None where no frame has one, and what is missing, damaged and lost.

    Raises:
        TruthError: a file holds something else than a rigid transform.
    """
    poses = np.full((len(paths), 4, 4), np.nan)
    missing, lost = 0, 0
    left_out = []
    for at, path in enumerate(paths):
        if not path.exists():
            missing += 1
            continue
        try:
            _numbers(path)
        except TruthError as error:
            left_out.append(LeftOut(error.subject, error.problem))
            continue
        pose = read_matrix(path, 4)
        if not np.isfinite(pose).all():
            lost += 1
            continue
        poses[at] = exact_poses(str(path), pose[None])[0]
    if 0 < missing < len(paths):
        left_out.append(LeftOut(name, f"{missing} of {len(paths)} frames have no pose"))
    if lost:
        words = f"{lost} of {len(paths)} poses are not finite: the camera was lost"
        left_out.append(LeftOut(name, words))
    known = np.isfinite(poses).any()
    return (poses if known else None), tuple(left_out)


def scaled_intrinsics(
    intrinsics: Float64[np.ndarray, "3 3"],
    calibrated: tuple[int, int],
    width: int,
    height: int,
) -> Float64[np.ndarray, "3 3"] | None:
    """Intrinsics of a calibrated size at the images' size; None where the aspects differ.

    Args:
        calibrated: width and height that the intrinsics are of.
    """
    if calibrated[0] * height != calibrated[1] * width:
        return None
    scale = width / calibrated[0]
    return intrinsics * np.array([[scale], [scale], [1.0]])


def one_camera(
    intrinsics: Float64[np.ndarray, "3 3"] | None, frames: int
) -> Float64[np.ndarray, "frames 3 3"] | None:
    """The same intrinsics for every frame."""
    return None if intrinsics is None else np.tile(intrinsics, (frames, 1, 1))


def calibration_beside(folder: Path) -> Float64[np.ndarray, "3 3"] | None:
    """`camera-intrinsics.txt` in a folder or the one above; None where there is none.

    Raises:
        TruthError: it cannot be read, or is no matrix of intrinsics.
    """
    for place in (folder, folder.parent):
        if (file := place / "camera-intrinsics.txt").is_file():
            matrix = read_matrix(file, 3)
            plain = matrix[0, 0] > 0 and matrix[1, 1] > 0 and np.isfinite(matrix).all()
            if not plain or matrix[2].tolist() != [0, 0, 1]:
                problem = "is no matrix of intrinsics"
                raise TruthError(str(file), problem, "Give fx 0 cx, 0 fy cy, 0 0 1")
            return matrix
    return None


def require_inside(
    name: str, intrinsics: Float64[np.ndarray, "frames 3 3"], width: int, height: int
) -> None:
    """The principal point lies in the image: else intrinsics are those of another size.

    Raises:
        TruthError: it does not.
    """
    x, y = intrinsics[:, 0, 2], intrinsics[:, 1, 2]
    if not ((x > 0) & (x < width) & (y > 0) & (y < height)).all():
        problem = (
            f"its principal point ({x[0]:.5g}, {y[0]:.5g}) lies outside of images of"
            f" {width}x{height}"
        )
        raise TruthError(name, problem, "Give intrinsics in pixels of these images")
