"""COLMAP's sparse models, text and binary: cameras, and the poses of images.

Poses are world-to-camera in OpenCV axes, quaternions (w, x, y, z), pixel corners at integers:
both are turned into this project's conventions. Layout: https://colmap.github.io/format.html
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from easi3r.errors import KnownInputError
from easi3r.geometry import invert_rigid
from easi3r.known.known_files import child, open_known, parse_numbers, read_lines
from easi3r.known.lens import (
    PARAMETERS,
    Lens,
    LensTable,
    centres_at_integers,
    lens_of,
    refuse_model,
)
from easi3r.known.matching import ByNumber
from easi3r.known.pose_table import PoseTable, pose_of_quaternion
from easi3r.video.storage import StorageFile

Encoding = Literal["txt", "bin"]

_MODELS = (
    *("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "OPENCV_FISHEYE"),
    *("FULL_OPENCV", "FOV", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE", "THIN_PRISM_FISHEYE"),
    *("RAD_TAN_THIN_PRISM_FISHEYE", "SIMPLE_DIVISION", "DIVISION", "SIMPLE_FISHEYE", "FISHEYE"),
    *("EUCM", "EQUIRECTANGULAR"),
)
"""Names of the camera models by the numbers that binary files hold."""

_LONGEST_NAME = 4096
_POINT_BYTES = 24
_DAMAGED = "Export the model again, whole"


@dataclass(frozen=True)
class _Image:
    """An image of a model.

    Attributes:
        place: where it stands in the file, for messages.
        wxyz, translation: world-to-camera.
    """

    place: str
    name: str
    camera: int
    wxyz: Sequence[float]
    translation: Sequence[float]


def read_colmap_poses(folder: str, encoding: Encoding, names: tuple[str, ...]) -> PoseTable:
    """The poses of a model's images, and its cameras where it holds them.

    Args:
        names: of the folder's files.

    Raises:
        KnownInputError: a file is missing or damaged, a camera model cannot be undistorted, or a
            quaternion is none.
    """
    url, images = _read_images(folder, encoding)
    poses = [pose_of_quaternion(url, one.place, one.wxyz, one.translation) for one in images]
    cameras = f"cameras.{encoding}"
    lenses = read_colmap_lenses(folder, encoding, names) if cameras in names else None
    matching = ByNumber(tuple(one.name for one in images))
    return PoseTable(url, invert_rigid(np.stack(poses)), matching, lenses)


def read_colmap_lenses(folder: str, encoding: Encoding, names: tuple[str, ...]) -> LensTable:
    """The cameras of a model: one of all frames, or one for each image.

    Raises:
        KnownInputError: as `read_colmap_poses`; several cameras, and no images that name them.
    """
    url = child(folder, f"cameras.{encoding}")
    lenses = _cameras_text(url) if encoding == "txt" else _cameras_binary(url)
    if not lenses:
        raise KnownInputError(url, "holds no camera", _DAMAGED)
    if len(lenses) == 1:
        return LensTable(url, tuple(lenses.values()))
    if f"images.{encoding}" not in names:
        problem = f"holds {len(lenses)} cameras, and no images.{encoding} says which is whose"
        raise KnownInputError(url, problem, "Give the whole model, or one camera")
    _, images = _read_images(folder, encoding)
    for one in images:
        if one.camera not in lenses:
            problem = f"holds no camera {one.camera}, which {one.name!r} has"
            raise KnownInputError(url, problem, _DAMAGED)
    of_images = tuple(lenses[one.camera] for one in images)
    return LensTable(url, of_images, ByNumber(tuple(one.name for one in images)))


def _read_images(folder: str, encoding: Encoding) -> tuple[str, tuple[_Image, ...]]:
    """The URL of a model's images, and the images."""
    url = child(folder, f"images.{encoding}")
    images = tuple(_images_text(url) if encoding == "txt" else _images_binary(url))
    if not images:
        raise KnownInputError(url, "holds no image", _DAMAGED)
    return url, images


def _cameras_text(url: str) -> dict[int, Lens]:
    lenses = {}
    for number, line in read_lines(url):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        place = f"line {number}"
        if len(words) < 4:
            raise KnownInputError(url, f"{place}: is no camera", _DAMAGED)
        camera, width, height, *values = parse_numbers(url, place, [words[0], *words[2:]])
        lenses[int(camera)] = _lens(url, place, words[1], (width, height), values)
    return lenses


def _images_text(url: str) -> Iterator[_Image]:
    """Two lines an image: its pose and name, then its points (often an empty line)."""
    lines = iter(read_lines(url))
    for number, line in lines:
        words = line.split(maxsplit=9)
        if not words or words[0].startswith("#"):
            continue
        place = f"line {number}"
        if len(words) < 10:
            problem = f"{place}: holds {len(words)} words, an image has 10"
            raise KnownInputError(url, problem, _DAMAGED)
        values = parse_numbers(url, place, words[:9])
        below, points = next(lines, (number, ""))
        if len(points.split()) % 3:
            problem = f"line {below}: is not the line of points of the image above"
            remedy = "Give two lines for each image, the second may be empty"
            raise KnownInputError(url, problem, remedy)
        yield _Image(place, words[9].strip(), int(values[8]), values[1:5], values[5:8])


def _cameras_binary(url: str) -> dict[int, Lens]:
    lenses = {}
    with open_known(url) as file:
        (count,) = _unpack(url, file, "<Q")
        for number in range(count):
            place = f"camera {number}"
            camera, model, width, height = _unpack(url, file, "<IiQQ")
            if not 0 <= model < len(_MODELS):
                problem = f"{place}: its model has the number {model}, which is not known here"
                raise KnownInputError(url, problem, "Give a pinhole, undistorted")
            name = _MODELS[model]
            refuse_model(url, place, name)
            values = _unpack(url, file, f"<{len(PARAMETERS[name])}d")
            parse_numbers(url, place, values)
            size = (float(width), float(height))
            lenses[camera] = _lens(url, place, name, size, values)
    return lenses


def _images_binary(url: str) -> Iterator[_Image]:
    with open_known(url) as file:
        (count,) = _unpack(url, file, "<Q")
        for number in range(count):
            place = f"image {number}"
            _, *values, camera = _unpack(url, file, "<I7dI")
            name = _read_name(url, file)
            (points,) = _unpack(url, file, "<Q")
            if points >= 2**40:  # more than any file has; a seek beyond 2**63 would not be ours
                raise KnownInputError(url, f"{place}: has {points} points", _DAMAGED)
            file.seek(points * _POINT_BYTES, 1)
            parse_numbers(url, place, values)
            yield _Image(f"{place}, {name!r}", name, camera, values[:4], values[4:])


def _read_name(url: str, file: StorageFile) -> str:
    name = b""
    while (letter := file.read(1)) != b"\0":
        if not letter or len(name) > _LONGEST_NAME:
            raise KnownInputError(url, "the name of an image does not end", _DAMAGED)
        name += letter
    return name.decode(errors="replace")


def _unpack(url: str, file: StorageFile, layout: str) -> tuple:
    content = file.read(struct.calcsize(layout))
    if len(content) < struct.calcsize(layout):
        raise KnownInputError(url, "ends too early: it is damaged, or no COLMAP file", _DAMAGED)
    return struct.unpack(layout, content)


def _lens(
    url: str, place: str, model: str, size: tuple[float, float], values: Sequence[float]
) -> Lens:
    refuse_model(url, place, model)
    names = PARAMETERS[model]
    if len(values) != len(names):
        problem = f"{place}: {model} has {len(names)} parameters, not {len(values)}"
        raise KnownInputError(url, problem, f"Give {' '.join(names)}")
    named = centres_at_integers(dict(zip(names, values, strict=True)))
    return lens_of(url, place, model, size, named)
