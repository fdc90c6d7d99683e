"""Images of a data set: in the order of their numbers, upright, of one size."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from easi3r.errors import FrameSizeError, TruthError
from easi3r.evaluation.sequence import LeftOut

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})

_DAMAGES = (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError)

_ENDS = {"PNG": b"IEND", "JPEG": b"\xff\xd9"}
_END_BYTES = 64


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sorts names as people number them: `2.png` before `10.png`."""
    parts = re.split(r"([0-9]+)", path.name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def images_in(folder: Path) -> list[Path]:
    """The images of a folder in natural order; hidden files (`._1.png`) are none."""
    inside = folder.iterdir() if folder.is_dir() else ()
    return sorted((path for path in inside if is_image(path)), key=natural_key)


def is_image(path: Path) -> bool:
    """Whether a name is that of an image."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def open_image(path: Path) -> Image.Image:
    """An image, decoded and turned as its EXIF orientation says; `format` is the file's.

    Raises:
        TruthError: it is missing or damaged.
    """
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            upright.load()
            upright.format = image.format
    except _DAMAGES as error:
        raise TruthError(str(path), f"cannot be read ({error})", "Restore the file") from error
    return upright


def header(path: Path) -> Image.Image:
    """An image that is not decoded yet: its mode, its format, its size as stored.

    Raises:
        TruthError: it is missing, no image, or cut off.
    """
    try:
        with Image.open(path) as image:
            whole = _ends_well(path, image.format)
    except _DAMAGES as error:
        raise TruthError(str(path), f"cannot be read ({error})", "Restore the file") from error
    return image if whole else open_image(path)  # which says what is wrong, if anything


def _ends_well(path: Path, kind: str | None) -> bool:
    """Whether a file ends as its format does; one that goes on behind its end does not."""
    if kind not in _ENDS:
        return True
    with path.open("rb") as file:
        file.seek(-min(path.stat().st_size, _END_BYTES), 2)
        return _ENDS[kind] in file.read()


@dataclass(frozen=True)
class ImageFiles:
    """Images of a sequence, read one at a time by their place in it.

    Attributes:
        width, height: pixels of all of them, upright.

    Raises:
        TruthError: when called: the file is missing or damaged.
        FrameSizeError: when called: its size is another.
    """

    paths: tuple[Path, ...]
    width: int
    height: int

    def __call__(self, at: int) -> UInt8[np.ndarray, "height width 3"]:
        image = open_image(self.paths[at]).convert("RGB")
        if image.size != (self.width, self.height):
            raise _differing(self.paths[at], image.size, self.paths[0], (self.width, self.height))
        return np.array(image)


def image_files(folder: Path, paths: Sequence[Path]) -> ImageFiles:
    """Images of one sequence, of the first one's size.

    Only headers are read, but for the first: an image that is turned by 90 degrees among others
    that are not is refused when it is read.

    Args:
        folder: of the sequence, for messages.

    Raises:
        TruthError: there are none, or the first cannot be read.
        FrameSizeError: they differ in size.
    """
    if not paths:
        raise TruthError(str(folder), "holds no image that can be read", "Restore the folder")
    width, height = open_image(paths[0]).size
    for path in paths[1:]:
        size = header(path).size
        if set(size) != {width, height}:
            raise _differing(path, size, paths[0], (width, height))
    return ImageFiles(tuple(paths), width, height)


def readable(paths: Sequence[Path]) -> tuple[list[int], tuple[LeftOut, ...]]:
    """Places of the files that are images, and those that are not, by name."""
    kept, left_out = [], []
    for at, path in enumerate(paths):
        try:
            header(path)
        except TruthError as error:
            left_out.append(LeftOut(error.subject, error.problem))
        else:
            kept.append(at)
    return kept, tuple(left_out)


def _differing(
    path: Path, size: tuple[int, int], first: Path, first_size: tuple[int, int]
) -> FrameSizeError:
    problem = f"is {size[0]}x{size[1]}, {first.name} {first_size[0]}x{first_size[1]}"
    return FrameSizeError(str(path), f"its images differ in size: it {problem}", "Give one size")
