"""Text files of numbers: trajectories of TUM and KITTI, poses of 7-Scenes, a 3x3 of intrinsics."""

from dataclasses import dataclass

import numpy as np

from easi3r.errors import KnownInputError
from easi3r.known.known_files import child, parse_numbers, read_lines
from easi3r.known.lens import LensTable, lens_of
from easi3r.known.matching import ByNumber, ByPlace, ByTime
from easi3r.known.pose_table import PoseTable, pose_of_matrix, pose_of_quaternion

_TUM, _KITTI, _MATRIX = 8, 12, 3
_FORMATS = "TUM has 8 numbers a row, KITTI 12, a matrix of intrinsics 3"
POSE_SUFFIX = ".pose.txt"


@dataclass(frozen=True)
class _Rows:
    """Rows of a file, all of one length.

    Attributes:
        places: where each stands: `line 7`.
    """

    places: tuple[str, ...]
    values: np.ndarray


def read_pose_rows(url: str) -> PoseTable:
    """A trajectory: TUM's (8 numbers a row, by time) or KITTI's (12, row i is frame i).

    TUM: `time tx ty tz qx qy qz qw`; KITTI: 3x4, row by row. Camera-to-world, OpenCV axes.

    Raises:
        KnownInputError: rows of another or of several lengths, numbers that are no pose, times
            that do not ascend.
    """
    rows = _read_rows(url)
    if rows.values.shape[1] == _TUM:
        return _tum(url, rows)
    if rows.values.shape[1] == _KITTI:
        poses = [
            pose_of_matrix(url, place, row)
            for place, row in zip(rows.places, rows.values, strict=True)
        ]
        return PoseTable(url, np.stack(poses), ByPlace(len(poses), "poses"))
    problem = f"holds {rows.values.shape[1]} numbers a row, which is no trajectory"
    raise KnownInputError(url, problem, f"Give poses: {_FORMATS}; see docs/known-inputs.md")


def read_pose_folder(url: str, names: tuple[str, ...]) -> PoseTable:
    """A folder of 7-Scenes: `*.pose.txt`, each a 4x4 camera-to-world, by the number in its name.

    Args:
        names: of the folder's files; others than `*.pose.txt` are left alone.

    Raises:
        KnownInputError: a file that holds no pose.
    """
    files = tuple(name for name in names if name.endswith(POSE_SUFFIX))
    poses = []
    for name in files:
        file = child(url, name)
        values = _read_rows(file).values
        poses.append(pose_of_matrix(file, "the matrix", values))
    return PoseTable(url, np.stack(poses), ByNumber(files))


def read_matrix_lens(url: str) -> LensTable:
    """A 3x3 of intrinsics as text, of every frame; pixel centres at integers, no size.

    Raises:
        KnownInputError: it is no 3x3, it has a skew, or a last row but (0, 0, 1).
    """
    matrix = _read_rows(url).values
    if matrix.shape != (_MATRIX, _MATRIX):
        problem = f"holds {matrix.shape[0]} rows of {matrix.shape[1]} numbers, not a 3x3"
        raise KnownInputError(url, problem, f"Give intrinsics; {_FORMATS}")
    if matrix[1, 0] or matrix[0, 1] or (matrix[2] != (0, 0, 1)).any():
        problem = "is no pinhole without skew: [fx 0 cx; 0 fy cy; 0 0 1]"
        raise KnownInputError(url, problem, "Give focal lengths and principal point alone")
    fx, fy, cx, cy = (float(matrix[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2)))
    values = {"fx": fx, "fy": fy, "cx": cx, "cy": cy}
    return LensTable(url, (lens_of(url, "the matrix", "PINHOLE", None, values),))


def _tum(url: str, rows: _Rows) -> PoseTable:
    seconds = np.ascontiguousarray(rows.values[:, 0])
    wrong = np.flatnonzero(np.diff(seconds) <= 0)
    if len(wrong):
        row = wrong[0] + 1
        problem = (
            f"{rows.places[row]}: its time {seconds[row]:g} does not follow {seconds[row - 1]:g}"
        )
        raise KnownInputError(url, problem, "Sort the rows by time, each time once")
    poses = [
        pose_of_quaternion(url, place, [row[7], *row[4:7]], row[1:4])
        for place, row in zip(rows.places, rows.values.tolist(), strict=True)
    ]
    return PoseTable(url, np.stack(poses), ByTime(seconds))


def _read_rows(url: str) -> _Rows:
    """The rows of numbers of a file; empty lines and those after `#` are comments."""
    places: list[str] = []
    values: list[list[float]] = []
    for number, line in read_lines(url):
        words = line.partition("#")[0].split()
        if not words:
            continue
        place = f"line {number}"
        row = parse_numbers(url, place, words)
        if values and len(row) != len(values[0]):
            problem = f"{place} holds {len(row)} numbers, {places[0]} holds {len(values[0])}"
            raise KnownInputError(url, problem, f"Give one format in a file: {_FORMATS}")
        places.append(place)
        values.append(row)
    if not values:
        raise KnownInputError(url, "holds no numbers", "Check the path")
    return _Rows(tuple(places), np.array(values, np.float64))
