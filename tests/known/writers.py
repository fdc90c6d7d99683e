"""Files of every format, written from poses and cameras in this project's conventions."""

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from easi3r.types import Video

WIDTH, HEIGHT = 96, 64
MODEL_NUMBERS = {
    "SIMPLE_PINHOLE": 0,
    "PINHOLE": 1,
    "SIMPLE_RADIAL": 2,
    "RADIAL": 3,
    "OPENCV": 4,
    "OPENCV_FISHEYE": 5,
    "FULL_OPENCV": 6,
    "FOV": 7,
    "THIN_PRISM_FISHEYE": 10,
}
WORLD_TURN = [[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0]]
"""What `ns-process-data` writes as `applied_transform`."""


def video_of(frames: int, rate_hz: float = 25.0, start: float = 0.0, **changes: object) -> Video:
    """A probed video of 96x64 pixels."""
    times = start + np.arange(frames) / rate_hz
    values = dict(url="clip.mp4", fingerprint="0" * 64, size_bytes=1, width=WIDTH, height=HEIGHT)
    rest = dict(rotation_degrees=0, pixel_aspect=1.0, codec="h264", pts_seconds=times)
    return Video(**{**values, **rest, **changes})


def random_poses(seed: int, count: int) -> np.ndarray:
    """Rigid camera-to-world transforms."""
    random = np.random.default_rng(seed)
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, :3] = Rotation.random(count, rng=random).as_matrix()
    poses[:, :3, 3] = random.normal(size=(count, 3)) * 10
    return poses


def image_names(count: int, first: int = 0) -> list[str]:
    return [f"cam1/frame_{first + number:05d}.png" for number in range(count)]


def numbers(values: Sequence[float] | np.ndarray) -> str:
    return " ".join(repr(float(value)) for value in np.ravel(values))


def write_tum(path: Path, poses: np.ndarray, times: Sequence[float]) -> Path:
    lines = ["# time tx ty tz qx qy qz qw", ""]
    for time, pose in zip(times, poses, strict=True):
        quaternion = Rotation.from_matrix(pose[:3, :3]).as_quat()
        lines.append(numbers([time, *pose[:3, 3], *quaternion]))
    path.write_text("\n".join(lines))
    return path


def write_kitti(path: Path, poses: np.ndarray) -> Path:
    path.write_text("\n".join(numbers(pose[:3]) for pose in poses))
    return path


def write_seven_scenes(folder: Path, poses: np.ndarray, first: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    for number, pose in enumerate(poses, first):
        text = "\n".join("\t ".join(map(repr, map(float, row))) for row in pose)
        (folder / f"frame-{number:06d}.pose.txt").write_text(text)
    return folder


def write_transforms(
    path: Path, poses: np.ndarray, names: Sequence[str], applied: bool = False, **camera: object
) -> Path:
    """nerfstudio's file; `camera` are values of the top level: `fl_x=..`."""
    document: dict[str, object] = dict(camera)
    world = np.eye(4)
    if applied:
        world[:3] = WORLD_TURN
        document["applied_transform"] = WORLD_TURN
    matrices = world @ poses @ np.diag([1, -1, -1, 1])
    document["frames"] = [
        {"file_path": name, "transform_matrix": matrix.tolist()}
        for name, matrix in zip(names, matrices, strict=True)
    ]
    path.write_text(json.dumps(document))
    return path


def write_json(path: Path, **values: object) -> Path:
    path.write_text(json.dumps(values))
    return path


def world_to_camera(pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quaternion (w, x, y, z) and translation of the inverse of a pose."""
    inverse = np.linalg.inv(pose)
    x, y, z, w = Rotation.from_matrix(inverse[:3, :3]).as_quat()
    return np.array([w, x, y, z]), inverse[:3, 3]


def write_colmap_text(
    folder: Path,
    poses: np.ndarray,
    names: Sequence[str],
    model: str = "PINHOLE",
    parameters: Sequence[float] = (80, 80, 48, 32),
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "cameras.txt").write_text(
        "# Camera list with one line of data per camera:\n"
        f"7 {model} {size[0]} {size[1]} {numbers(parameters)}\n"
    )
    lines = ["# Image list with two lines of data per image:", "# .."]
    for number, (pose, name) in enumerate(zip(poses, names, strict=True), 1):
        quaternion, translation = world_to_camera(pose)
        lines.append(f"{number} {numbers(quaternion)} {numbers(translation)} 7 {name}")
        lines.append("1.5 2.5 -1 3.25 4.5 17" if number % 2 else "")
    (folder / "images.txt").write_text("\n".join(lines) + "\n")
    return folder


def write_colmap_binary(
    folder: Path,
    poses: np.ndarray,
    names: Sequence[str],
    model: str = "PINHOLE",
    parameters: Sequence[float] = (80, 80, 48, 32),
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    camera = struct.pack("<IiQQ", 7, MODEL_NUMBERS[model], *size)
    camera += struct.pack(f"<{len(parameters)}d", *parameters)
    (folder / "cameras.bin").write_bytes(struct.pack("<Q", 1) + camera)
    images = struct.pack("<Q", len(names))
    for number, (pose, name) in enumerate(zip(poses, names, strict=True), 1):
        quaternion, translation = world_to_camera(pose)
        images += struct.pack("<I7dI", number, *quaternion, *translation, 7)
        images += name.encode() + b"\0" + struct.pack("<Q", number)
        images += struct.pack("<ddq", 1.5, 2.5, -1) * number
    (folder / "images.bin").write_bytes(images)
    return folder
