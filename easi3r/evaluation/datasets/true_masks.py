"""Motion masks as people save them, in every mode of an image, as STILL, MOVING and VOID.

The rules, first to last:

- Alpha says nothing. Black stands still, and so do index 0 and level 0.
- Images that compression changes (JPEG, WebP) move where they are brighter than half.
- Palettes and colours go by colour: a palette's background need not be index 0.
- Level or index 255 beside other labels is void, as DAVIS 2017 has it; so is the colour
  (224, 224, 192), its colour there. Alone with 0, 255 moves.
- A grey mask is one of labels where levels between 0 and 255 cover areas; else they are the soft
  edge of a mask, or traces of a compression it went through, and half is its border. Somewhere in
  the sequence a tenth of those pixels have eight neighbours of their own level.
- A sequence of which no pixel stands still is refused: its background is not black.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from easi3r.errors import TruthError
from easi3r.evaluation.datasets.true_images import header, open_image
from easi3r.evaluation.sequence import MOVING, STILL, VOID, LeftOut

_FULL, _HALF, _SOME_LABEL = 255, 128, 254
_VOID_COLOUR = (224, 224, 192)
_LEAST_FLAT_SHARE = 0.1
_LOSSY = {"JPEG", "MPO", "WEBP"}
_REMEDY = "Give masks in which 0 or black stands still and 255 or white moves"


@dataclass(frozen=True)
class Labels:
    """A mask as numbers: 0 stands still; 255 is void or the only label; others move.

    Attributes:
        coloured: numbers stand for colours, so that none of them is a soft edge.
        lossy: compression changed the numbers.
    """

    values: UInt8[np.ndarray, "height width"]
    coloured: bool = False
    lossy: bool = False

    @cached_property
    def has_labels(self) -> bool:
        """It holds labels besides 0 and 255."""
        between = (self.values > 0) & (self.values < _FULL)
        if self.coloured or not between.any():
            return bool(between.any())
        square = np.ones((3, 3), np.uint8)  # beyond the border there is nothing that differs
        level = cv2.erode(self.values, square) == cv2.dilate(self.values, square)
        return bool((level & between).sum() > _LEAST_FLAT_SHARE * between.sum())

    @property
    def brightest(self) -> int:
        return int(self.values.max())

    @property
    def has_background(self) -> bool:
        return bool((self.values < _HALF if self.lossy else self.values == 0).any())


@dataclass(frozen=True)
class _Meaning:
    """What the masks of a sequence hold together."""

    has_labels: bool
    brightest: int
    has_background: bool
    lossy: bool


@dataclass(frozen=True)
class MaskFiles:
    """Masks of a sequence, read one at a time by the frame's place; None where there is none.

    `mask_files` checks their headers. What a number means is a matter of the whole sequence, so
    the first call reads all masks.

    Attributes:
        name: of the sequence's masks, for messages.
        paths: one a frame.
        width, height: pixels of the frames; masks are of the same size.

    Raises:
        TruthError: when called: a mask is missing, damaged, of another size, or its background
            cannot be told.
    """

    name: str
    paths: tuple[Path | None, ...]
    width: int
    height: int

    def __call__(self, at: int) -> UInt8[np.ndarray, "height width"] | None:
        path = self.paths[at]
        if path is None:
            return None
        labels = read_labels(path)
        rows, columns = labels.values.shape
        _require_size(path, (columns, rows), (self.width, self.height))
        self._require_contrast()
        values, meaning = labels.values, self._meaning
        if labels.lossy or (meaning.brightest == _FULL and not meaning.has_labels):
            return np.where(values >= _HALF, MOVING, STILL).astype(np.uint8)
        moving = np.where(values > 0, MOVING, STILL)
        return np.where(values == _FULL, VOID, moving).astype(np.uint8)

    @cached_property
    def _meaning(self) -> _Meaning:
        found = [read_labels(path) for path in self.paths if path is not None]
        return _Meaning(
            any(one.has_labels for one in found),
            max((one.brightest for one in found), default=0),
            any(one.has_background for one in found),
            any(one.lossy for one in found),
        )

    def _require_contrast(self) -> None:
        if not self._meaning.has_background:
            problem = "no pixel of any mask is black, so that the background cannot be told"
            raise TruthError(self.name, problem, _REMEDY)
        if self._meaning.lossy and 0 < self._meaning.brightest < _HALF:
            problem = "they were compressed (JPEG), and no pixel is brighter than half"
            raise TruthError(self.name, problem, _REMEDY)


def mask_files(
    folder: Path, paths: Sequence[Path | None], width: int, height: int
) -> tuple[MaskFiles, tuple[LeftOut, ...]]:
    """Masks of some frames, without those that are damaged, and what was left out.

    Args:
        folder: of the masks, for messages.
        paths: one a frame, None where it has none.

    Raises:
        TruthError: a mask is of another size than the frames.
    """
    kept: list[Path | None] = []
    left_out = []
    for path in paths:
        kept.append(path)
        if path is None:
            continue
        try:
            size = header(path).size
        except TruthError as error:
            left_out.append(LeftOut(error.subject, error.problem))
            kept[-1] = None
            continue
        if set(size) != {width, height}:  # turned or not: that shows when it is read
            _require_size(path, size, (width, height))
    if missing := sum(path is None for path in paths):
        words = f"{missing} of {len(paths)} frames have no mask"
        left_out.append(LeftOut(str(folder), words))
    return MaskFiles(str(folder), tuple(kept), width, height), tuple(left_out)


def _require_size(path: Path, size: tuple[int, int], expected: tuple[int, int]) -> None:
    if size != expected:
        problem = f"is {size[0]}x{size[1]}, its video {expected[0]}x{expected[1]}"
        raise TruthError(str(path), problem, "Give masks of the video's size")


def read_labels(path: Path) -> Labels:
    """A mask in any of Pillow's modes.

    Raises:
        TruthError: it is missing, damaged, of floating-point numbers, or its palette shows two
            labels in black.
    """
    image = open_image(path)
    lossy = image.format in _LOSSY
    if image.mode in ("P", "PA"):
        return _palette_labels(path, image)
    if image.mode == "F":
        raise TruthError(str(path), "holds floating-point numbers", _REMEDY)
    if image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I"):
        values = np.asarray(image)
        return Labels(_to_eight_bits(values[..., 0] if values.ndim == 3 else values), lossy=lossy)
    # RGBA's colours as they are stored, whatever is transparent.
    colours = np.asarray(image if image.mode == "RGBA" else image.convert("RGB"))[..., :3]
    if (colours == colours[..., :1]).all():
        return Labels(np.ascontiguousarray(colours[..., 0]), lossy=lossy)
    if lossy:
        return Labels(colours.max(axis=2), lossy=True)
    return Labels(_by_colour(colours), coloured=True)


def _palette_labels(path: Path, image: Image.Image) -> Labels:
    indices = np.asarray(image if image.mode == "P" else image.getchannel(0))
    palette = np.zeros((256, 3), np.uint8)
    stored = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    palette[: len(stored)] = stored
    used = np.flatnonzero(np.bincount(indices.ravel(), minlength=256))
    if (palette[used] == used[:, None]).all():  # greys, each at its own index
        return Labels(np.ascontiguousarray(indices))
    black = [index for index in used if not palette[index].any()]
    if len(black) > 1:
        problem = f"its palette shows the labels {', '.join(map(str, black))} in one black"
        raise TruthError(str(path), problem, "Give them different colours, or save levels of grey")
    labels = _by_colour(palette[None])[0]
    own_number = np.arange(256, dtype=np.uint8)
    keeps = (labels == _SOME_LABEL) & (own_number > 0)
    labels[keeps] = own_number[keeps]
    return Labels(labels[indices], coloured=True)


def _by_colour(
    colours: UInt8[np.ndarray, "height width 3"],
) -> UInt8[np.ndarray, "height width"]:
    labels = np.where(colours.any(axis=2), _SOME_LABEL, 0).astype(np.uint8)
    void: Bool[np.ndarray, "height width"] = (colours == _VOID_COLOUR).all(axis=2)
    labels[void] = _FULL
    return labels


def _to_eight_bits(values: np.ndarray) -> UInt8[np.ndarray, "height width"]:
    """Levels of 1, 8, 16 or 32 bits; in deeper images than 8 bits, the deepest is 65535."""
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * _FULL
    if values.max(initial=0) <= _FULL:
        return np.ascontiguousarray(values.clip(0), np.uint8)
    labels = np.where(values > 0, _SOME_LABEL, 0).astype(np.uint8)
    labels[values == 65535] = _FULL
    return labels
