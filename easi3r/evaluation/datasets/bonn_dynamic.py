"""Bonn RGB-D dynamic: `rgbd_bonn_SEQ` in TUM's layout, people who handle things."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from easi3r.evaluation.datasets.frame_choice import Stride, strided
from easi3r.evaluation.datasets.rgbd_folders import read_rgbd, rgbd_folders
from easi3r.evaluation.sequence import TrueSequence

LAYOUT = "rgbd_bonn_SEQ/rgb.txt, rgb/*.png, groundtruth.txt, depth.txt, depth/*.png"
_PREFIX = "rgbd_bonn_"
_FIRST, _LAST = 30, 139
_SEQUENCES = ("balloon2", "crowd2", "crowd3", "person_tracking2", "synchronous")
# The published calibration of 640x480; distortion (k1 = .04) is not taken out.
_INTRINSICS = np.array([[542.822841, 0, 315.593520], [0, 542.576870, 237.756098], [0, 0, 1]])


def find(root: Path) -> dict[str, Path]:
    """Folders called `rgbd_bonn_SEQ`, or as a sequence of the paper, by `SEQ`."""
    named = {folder.resolve().name: folder for folder in rgbd_folders(root)}
    return {
        name.removeprefix(_PREFIX): folder
        for name, folder in named.items()
        if name.startswith(_PREFIX) or name in _SEQUENCES
    }


def listed(root: Path) -> tuple[str, ...]:
    """The five sequences of the paper."""
    return _SEQUENCES


def read(name: str, folder: Path, stride: Stride, least_depth_m: float) -> TrueSequence:
    """A sequence; in the paper's protocol its images 30 to 139, those that have a pose.

    Raises:
        TruthError, FrameSizeError: it cannot be used.
    """

    def choose(posed: Sequence[int], images: int) -> list[int]:
        if stride == "paper":
            return [at for at in posed if _FIRST <= at <= _LAST]
        return [posed[at] for at in strided(len(posed), stride, slice(None))]

    return read_rgbd("bonn", name, folder, choose, _INTRINSICS, least_depth_m)
