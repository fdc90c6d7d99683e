"""Folders as TUM publishes them: `rgb.txt`, `depth.txt`, `groundtruth.txt`, images by time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from easi3r.errors import TruthError
from easi3r.evaluation.datasets.true_depths import DepthFiles, PngDepth, usable
from easi3r.evaluation.datasets.true_images import ImageFiles, image_files, images_in, readable
from easi3r.evaluation.datasets.true_poses import (
    calibration_beside,
    one_camera,
    quaternion_poses,
    require_inside,
    scaled_intrinsics,
)
from easi3r.evaluation.sequence import LeftOut, TrueSequence, no_motion

_PAIRED_SECONDS = 0.02
_NEAREST_DEPTH_SECONDS = 0.05  # depths come 30 times a second: one farther away is of another view
_STEP_M = 1 / 5000
_CALIBRATED = (640, 480)


@dataclass(frozen=True)
class TimedFiles:
    """Files and the seconds at which they were recorded, in order of time."""

    seconds: Float64[np.ndarray, " files"]
    paths: tuple[Path, ...]


def is_rgbd_folder(folder: Path) -> bool:
    """Whether a folder is a sequence of this layout."""
    has_images = (folder / "rgb.txt").is_file() or (folder / "rgb").is_dir()
    return has_images and (folder / "groundtruth.txt").is_file()


def rgbd_folders(root: Path) -> list[Path]:
    """The sequences of this layout in a folder, itself or up to two levels below."""
    if is_rgbd_folder(root):
        return [root]
    levels = (*root.glob("*"), *root.glob("*/*"))
    return sorted(folder for folder in levels if folder.is_dir() and is_rgbd_folder(folder))


def read_rgbd(
    dataset: str,
    name: str,
    folder: Path,
    choose: Callable[[Sequence[int], int], list[int]],
    calibration: Float64[np.ndarray, "3 3"] | None,
    least_depth_m: float,
) -> TrueSequence:
    """A sequence: images paired with poses within .02 s and with the nearest depth.

    Args:
        choose: which images are read: from the places of those that have a pose, in order of
            time, and the number of all images.
        calibration: intrinsics of 640x480 pixels; None where they are not known.
            `camera-intrinsics.txt` in or beside the folder comes first.

    Raises:
        TruthError, FrameSizeError: it cannot be used.
    """
    images = _timed_files(folder, "rgb")
    pairs, unpaired = _pairs(folder / "groundtruth.txt", images)
    places = choose(sorted(pairs), len(images.paths))
    if not places:
        problem = f"none of its {len(images.paths)} images is among the frames that are read"
        raise TruthError(str(folder), problem, "Give the whole sequence, or choose frames yourself")
    kept, unreadable = readable([images.paths[at] for at in places])
    places = [places[at] for at in kept]
    files = image_files(folder, [images.paths[at] for at in places])
    depths, no_depths = _nearest_depths(folder, images.seconds[places], files, least_depth_m)
    poses = np.stack([pairs[at] for at in places])
    return TrueSequence(
        name=name,
        dataset=dataset,
        frame_names=tuple(path.stem for path in files.paths),
        pts_seconds=images.seconds[places] - images.seconds[places[0]],
        width=files.width,
        height=files.height,
        image=files,
        motion=no_motion,
        depth=depths,
        camera_to_world=quaternion_poses(str(folder / "groundtruth.txt"), poses),
        intrinsics=_intrinsics(folder, calibration, len(places), files.width, files.height),
        depth_left_out=depths.left_out,
        left_out=(*unreadable, *no_depths, *unpaired),
    )


def _pairs(
    trajectory: Path, images: TimedFiles
) -> tuple[dict[int, Float64[np.ndarray, "7"]], tuple[LeftOut, ...]]:
    """The pose `tx ty tz qx qy qz qw` of each image that has one, by place, and what has none.

    Raises:
        TruthError: no image has a pose.
    """
    times, rows, lost = _trajectory(trajectory)
    pairs = pair_within(images.seconds, times, _PAIRED_SECONDS)
    if not pairs:
        problem = f"no pose lies within {_PAIRED_SECONDS} s of an image"
        raise TruthError(str(trajectory), problem, "Check that times are of one clock")
    left_out = list(lost)
    if unpaired := len(images.paths) - len(pairs):
        words = f"{unpaired} of {len(images.paths)} images have no pose within {_PAIRED_SECONDS} s"
        left_out.append(LeftOut(trajectory.name, words))
    return {image: rows[pose] for image, pose in pairs.items()}, tuple(left_out)


def pair_within(
    first: Float64[np.ndarray, " first"], second: Float64[np.ndarray, " second"], seconds: float
) -> dict[int, int]:
    """Pairs of times less than `seconds` apart, the closest first, each time in one pair.

    Returns:
        Places in `second` by places in `first`. Both ascend.
    """
    low = np.searchsorted(second, first - seconds)
    high = np.searchsorted(second, first + seconds, side="right")
    candidates = sorted(
        (abs(float(first[a] - second[b])), a, b)
        for a in range(len(first))
        for b in range(low[a], high[a])
    )
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for apart, a, b in candidates:
        if apart < seconds and a not in pairs and b not in taken:
            pairs[a] = b
            taken.add(b)
    return pairs


def _nearest_depths(
    folder: Path, seconds: Float64[np.ndarray, " frames"], images: ImageFiles, least_depth_m: float
) -> tuple[DepthFiles, tuple[LeftOut, ...]]:
    reader = PngDepth(_STEP_M)
    paths: list[Path | None] = [None] * len(seconds)
    if (folder / "depth.txt").is_file() or images_in(folder / "depth"):
        depths = _timed_files(folder, "depth")
        for at, time in enumerate(seconds):
            nearest = int(np.abs(depths.seconds - time).argmin())
            if abs(depths.seconds[nearest] - time) <= _NEAREST_DEPTH_SECONDS:
                paths[at] = depths.paths[nearest]
    chosen, left_out = usable(paths, reader, images.width, images.height)
    return DepthFiles(chosen, reader, images.width, images.height, least_depth_m), left_out


def _intrinsics(
    folder: Path,
    calibration: Float64[np.ndarray, "3 3"] | None,
    frames: int,
    width: int,
    height: int,
) -> Float64[np.ndarray, "frames 3 3"] | None:
    beside = calibration_beside(folder)
    if beside is None and calibration is not None:
        beside = scaled_intrinsics(calibration, _CALIBRATED, width, height)
    intrinsics = one_camera(beside, frames)
    if intrinsics is not None:
        require_inside(str(folder), intrinsics, width, height)
    return intrinsics


def _timed_files(folder: Path, kind: str) -> TimedFiles:
    """Files of `KIND.txt` (`time path` a line), or of `KIND/`, named by their times."""
    listing = folder / f"{kind}.txt"
    try:
        if listing.is_file():
            rows = _rows(listing)
            seconds = np.array([float(row[0]) for row in rows])
            paths = [folder / row[1] for row in rows]
        else:
            paths = images_in(folder / kind)
            seconds = np.array([float(path.stem) for path in paths])
    except (ValueError, IndexError) as error:
        problem = f"is no list of times and files ({error})"
        raise TruthError(str(listing), problem, "Restore the file, lines of `time path`") from error
    if not paths:
        raise TruthError(str(listing), "names no image", "Restore the sequence's folder")
    order = np.argsort(seconds, kind="stable")
    return TimedFiles(seconds[order], tuple(paths[at] for at in order))


def _trajectory(
    path: Path,
) -> tuple[Float64[np.ndarray, " poses"], Float64[np.ndarray, "poses 7"], tuple[LeftOut, ...]]:
    """Times and rows `tx ty tz qx qy qz qw` of finite poses, in order of time."""
    try:
        rows = np.array([[float(word) for word in row] for row in _rows(path)])
    except ValueError as error:
        remedy = "Give rows of: time tx ty tz qx qy qz qw"
        raise TruthError(str(path), f"is no trajectory ({error})", remedy) from error
    if rows.ndim != 2 or rows.shape[1] != 8:
        problem = f"holds {rows.shape} numbers, not 8 a row"
        raise TruthError(str(path), problem, "Give rows of: time tx ty tz qx qy qz qw")
    finite = np.isfinite(rows).all(axis=1)
    lost = int((~finite).sum())
    rows = rows[finite]
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    words = f"{lost} of {len(finite)} poses are not finite: the camera was lost"
    return rows[:, 0], rows[:, 1:], (LeftOut(path.name, words),) if lost else ()


def _rows(path: Path) -> list[list[str]]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TruthError(str(path), f"cannot be read ({error})", "Restore the file") from error
    stripped = [line.replace(",", " ").split() for line in lines if not line.startswith("#")]
    return [row for row in stripped if row]
