"""TUM-dynamics and Bonn: images, depths and poses, each with clocks of their own."""

from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from easi3r.synthetic import RenderedClip
from tests.replicas.clips import save

STEPS_A_METRE = 5000
_START_SECONDS = 1341846313.25
_POSE_LATER_SECONDS = 0.003
_DEPTH_EARLIER_SECONDS = 0.008
_POSES_AN_IMAGE = 4


def write_tum(root: Path, clips: dict[str, RenderedClip]) -> None:
    """`rgbd_dataset_NAME` for each."""
    for name, clip in clips.items():
        _write_sequence(root / f"rgbd_dataset_{name}", clip)


def write_bonn(root: Path, clips: dict[str, RenderedClip]) -> None:
    """`rgbd_bonn_NAME` for each."""
    for name, clip in clips.items():
        _write_sequence(root / f"rgbd_bonn_{name}", clip)


def depth_steps(clip: RenderedClip, at: int) -> np.ndarray:
    """Depth as it is stored; 0 where 16 bits cannot hold it."""
    steps = np.rint(clip.depth[at].astype(np.float64) * STEPS_A_METRE)
    return np.where(steps < 65535, steps, 0).astype(np.uint16)


def _write_sequence(folder: Path, clip: RenderedClip) -> None:
    seconds = _START_SECONDS + np.arange(len(clip)) / 30
    lists = {"rgb": ["# color images"], "depth": ["# depth maps"]}
    for at, time in enumerate(seconds):
        colour = f"rgb/{time:.6f}.png"
        depth = f"depth/{time - _DEPTH_EARLIER_SECONDS:.6f}.png"
        save(folder / colour, clip.images[at])
        save(folder / depth, depth_steps(clip, at))
        lists["rgb"].append(f"{time:.6f} {colour}")
        lists["depth"].append(f"{time - _DEPTH_EARLIER_SECONDS:.6f} {depth}")
    for kind, lines in lists.items():
        lines.insert(1, "# timestamp filename")
        (folder / f"{kind}.txt").write_text("\n".join(lines) + "\n")
    _write_trajectory(folder / "groundtruth.txt", seconds + _POSE_LATER_SECONDS, clip)


def _write_trajectory(path: Path, seconds: np.ndarray, clip: RenderedClip) -> None:
    """The clip's poses at their times, and poses between them."""
    between = np.concatenate(
        [np.linspace(a, b, _POSES_AN_IMAGE + 1)[:-1] for a, b in pairwise(seconds)]
    )
    times = np.append(between, seconds[-1])
    poses = clip.camera_to_world
    turns = Slerp(seconds, Rotation.from_matrix(poses[:, :3, :3]))(times).as_quat()
    places = np.stack([np.interp(times, seconds, poses[:, axis, 3]) for axis in range(3)], axis=1)
    rows = ["# ground truth trajectory", "# timestamp tx ty tz qx qy qz qw"]
    for time, place, turn in zip(times, places, turns):
        rows.append(f"{time:.6f} " + " ".join(f"{number:.12g}" for number in (*place, *turn)))
    path.write_text("\n".join(rows) + "\n")
