"""Cameras of a COLMAP model, binary or text, by the names of their images."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from easi3r.errors import TruthError
from easi3r.geometry import invert_rigid

# Names of models by their numbers, and how many parameters they have.
_MODELS = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV")
_PARAMETERS = {"SIMPLE_PINHOLE": 3, "PINHOLE": 4, "SIMPLE_RADIAL": 4, "RADIAL": 5, "OPENCV": 8}
_ONE_FOCAL = {"SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL"}


@dataclass(frozen=True)
class ModelCamera:
    """One camera of a model; `intrinsics` are pixels of `width` x `height`."""

    width: int
    height: int
    intrinsics: Float64[np.ndarray, "3 3"]


@dataclass(frozen=True)
class ModelImage:
    """One image of a model: its camera-to-world pose, and its camera."""

    camera_to_world: Float64[np.ndarray, "4 4"]
    camera: ModelCamera


def find_model(folder: Path) -> Path | None:
    """The folder of a model's files, in a folder or where COLMAP writes them; None without."""
    places = (folder / "sparse", folder / "sparse" / "0", folder)
    files = ("images.bin", "images.txt")
    return next((one for one in places for file in files if (one / file).is_file()), None)


def read_model(folder: Path) -> dict[str, ModelImage]:
    """The images of `cameras.bin` and `images.bin`, or of their text, by name.

    COLMAP's pixel centres are at halves: principal points are half a pixel less here.

    Raises:
        TruthError: a file is missing, damaged, or of a camera model that has no pinhole.
    """
    suffix = "bin" if (folder / "images.bin").is_file() else "txt"
    cameras_file, images_file = folder / f"cameras.{suffix}", folder / f"images.{suffix}"
    try:
        if suffix == "bin":
            cameras = dict(_binary_cameras(cameras_file))
            return dict(_binary_images(images_file, cameras))
        cameras = dict(_text_cameras(cameras_file))
        return dict(_text_images(images_file, cameras))
    except (OSError, ValueError, IndexError, KeyError, struct.error) as error:
        problem = f"is no COLMAP model ({error})"
        raise TruthError(str(folder), problem, "Restore its cameras and images files") from error


def _camera(model: str, width: int, height: int, numbers: list[float]) -> ModelCamera:
    if len(numbers) != _PARAMETERS[model]:
        raise ValueError(f"a camera {model} has {len(numbers)} parameters")
    focal_x = numbers[0]
    focal_y, x, y = numbers[:3] if model in _ONE_FOCAL else numbers[1:4]
    matrix = np.array([[focal_x, 0, x - 0.5], [0, focal_y, y - 0.5], [0, 0, 1]])
    return ModelCamera(width, height, matrix)


def _pose(quaternion: list[float], translation: list[float]) -> Float64[np.ndarray, "4 4"]:
    """Camera-to-world of COLMAP's world-to-camera, whose quaternions are w x y z."""
    world_to_camera = np.eye(4)
    world_to_camera[:3, :3] = Rotation.from_quat(quaternion, scalar_first=True).as_matrix()
    world_to_camera[:3, 3] = translation
    return invert_rigid(world_to_camera)


def _binary_cameras(path: Path) -> Iterator[tuple[int, ModelCamera]]:
    with path.open("rb") as file:
        (count,) = struct.unpack("<Q", file.read(8))
        for _ in range(count):
            number, model, width, height = struct.unpack("<iiQQ", file.read(24))
            if not 0 <= model < len(_MODELS):
                raise ValueError(f"camera model {model} is no pinhole")
            parameters = _PARAMETERS[_MODELS[model]]
            numbers = struct.unpack(f"<{parameters}d", file.read(8 * parameters))
            yield number, _camera(_MODELS[model], width, height, list(numbers))


def _binary_images(path: Path, cameras: dict[int, ModelCamera]) -> Iterator[tuple[str, ModelImage]]:
    with path.open("rb") as file:
        (count,) = struct.unpack("<Q", file.read(8))
        for _ in range(count):
            _, *pose, camera = struct.unpack("<i7di", file.read(64))
            name = b"".join(iter(lambda: _byte(file.read(1)), b"\0")).decode()
            (points,) = struct.unpack("<Q", file.read(8))
            file.seek(24 * points, 1)
            yield name, ModelImage(_pose(pose[:4], pose[4:]), cameras[camera])


def _byte(read: bytes) -> bytes:
    if not read:
        raise ValueError("it ends within a name")
    return read


def _text_cameras(path: Path) -> Iterator[tuple[int, ModelCamera]]:
    for line in _lines(path):
        number, model, width, height, *numbers = line.split()
        if model not in _PARAMETERS:
            raise ValueError(f"camera model {model} is no pinhole")
        yield int(number), _camera(model, int(width), int(height), [float(n) for n in numbers])


def _text_images(path: Path, cameras: dict[int, ModelCamera]) -> Iterator[tuple[str, ModelImage]]:
    """Every other line: those between hold points, and may be empty."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    for line in lines[::2]:
        if line.strip():
            _, *pose, camera, name = line.split(maxsplit=9)
            numbers = [float(number) for number in pose]
            yield name, ModelImage(_pose(numbers[:4], numbers[4:]), cameras[int(camera)])


def _lines(path: Path) -> list[str]:
    lines = path.read_text().splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]
