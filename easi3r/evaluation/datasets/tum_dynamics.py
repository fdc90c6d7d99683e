"""TUM-dynamics: eight sequences of TUM's RGB-D benchmark in which people sit and walk."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from easi3r.evaluation.datasets import bonn_dynamic
from easi3r.evaluation.datasets.frame_choice import Stride, strided
from easi3r.evaluation.datasets.rgbd_folders import read_rgbd, rgbd_folders
from easi3r.evaluation.sequence import TrueSequence

LAYOUT = "SEQ/rgb.txt, SEQ/rgb/*.png, SEQ/groundtruth.txt, SEQ/depth.txt, SEQ/depth/*.png"
_PREFIX = "rgbd_dataset_"
_EVERY = 30
_SEQUENCES = tuple(
    f"freiburg3_{person}_{camera}"
    for person in ("sitting", "walking")
    for camera in ("static", "xyz", "halfsphere", "rpy")
)
# The published calibrations of 640x480; the images of the third camera have no distortion.
_CALIBRATIONS = {
    "freiburg1": (517.3, 516.5, 318.6, 255.3),
    "freiburg2": (520.9, 521.0, 325.1, 249.7),
    "freiburg3": (535.4, 539.2, 320.1, 247.6),
}


def find(root: Path) -> dict[str, Path]:
    """Folders of this layout, but for Bonn's, by their names without `rgbd_dataset_`."""
    bonn = set(bonn_dynamic.find(root).values())
    folders = [folder for folder in rgbd_folders(root) if folder not in bonn]
    return {folder.resolve().name.removeprefix(_PREFIX): folder for folder in folders}


def listed(root: Path) -> tuple[str, ...]:
    """The eight sequences of the paper."""
    return _SEQUENCES


def read(name: str, folder: Path, stride: Stride, least_depth_m: float) -> TrueSequence:
    """A sequence; in the paper's protocol every 30th of the images that have a pose.

    Raises:
        TruthError, FrameSizeError: it cannot be used.
    """

    def choose(posed: Sequence[int], images: int) -> list[int]:
        return [posed[at] for at in strided(len(posed), stride, slice(None, None, _EVERY))]

    numbers = _CALIBRATIONS.get(name.split("_")[0])
    calibration = None
    if numbers is not None:
        focal_x, focal_y, x, y = numbers
        calibration = np.array([[focal_x, 0, x], [0, focal_y, y], [0, 0, 1.0]])
    return read_rgbd("tum", name, folder, choose, calibration, least_depth_m)
