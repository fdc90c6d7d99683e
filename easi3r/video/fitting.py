"""The size frames are stored at, and the map from source pixels to stored ones."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image

from easi3r.config import FrameFit
from easi3r.errors import FrameSizeError
from easi3r.types import Padding


class FrameSize(NamedTuple):
    """The size that frames are asked for.

    Attributes:
        long_side_px: the longer side after resizing.
        patch_size: of the network, in pixels.
        fit: how a picture is brought to whole patches.
    """

    long_side_px: int
    patch_size: int
    fit: FrameFit = "crop"


@dataclass(frozen=True)
class Fit:
    """How a frame is resized, then cropped or padded (docs/method.md §1).

    Attributes:
        resized_width, resized_height: pixels after resizing.
        crop_x, crop_y: first column and row of the stored frame, in pixels of the resized one;
            negative where it is padded.
        width, height: pixels of the stored frame, multiples of the patch size.
        shrinks: the long side gets shorter (Lanczos), else it grows (bicubic).
        source_to_stored: see `fit_size`.
    """

    resized_width: int
    resized_height: int
    crop_x: int
    crop_y: int
    width: int
    height: int
    shrinks: bool
    source_to_stored: Float64[np.ndarray, "3 3"]

    @property
    def padding(self) -> Padding:
        """Rows and columns of the stored frame beside the picture."""
        return Padding(
            left=max(0, -self.crop_x),
            top=max(0, -self.crop_y),
            right=max(0, self.crop_x + self.width - self.resized_width),
            bottom=max(0, self.crop_y + self.height - self.resized_height),
        )

    def apply(self, image: Image.Image) -> UInt8[np.ndarray, "height width 3"]:
        """The stored pixels of one oriented RGB frame."""
        resample = Image.Resampling.LANCZOS if self.shrinks else Image.Resampling.BICUBIC
        resized = image.resize((self.resized_width, self.resized_height), resample)
        left, top, right, bottom = self.padding
        shown = (
            self.crop_x + left,
            self.crop_y + top,
            self.crop_x + self.width - right,
            self.crop_y + self.height - bottom,
        )
        picture = np.asarray(resized.crop(shown))
        if not any(self.padding):
            return picture
        # Repeated pixels make no edge of their own, which a bar of one colour would.
        return np.pad(picture, ((top, bottom), (left, right), (0, 0)), mode="edge")


def fit_size(
    width: int,
    height: int,
    pixel_aspect: float,
    long_side_px: int,
    patch_size: int,
    fit: FrameFit = "crop",
) -> Fit:
    """Resizes the long side to `long_side_px` and brings both sides to multiples of `patch_size`.

    docs/method.md §1. Pixels that are not square are made so by the same resize, hence the two
    scales of the affine map.

    - `crop`: the centre is cut out; an image that is square after resizing is cropped to 4:3
      (landscape), as the published networks were trained.
    - `pad`: the long side is resized to whole patches, and the short one padded on both sides, by
      less than a patch in all: every token shows some of the picture. Nothing is lost; a square
      stays one.
    - `resize`: the long side is resized to whole patches, and the short one to the nearest
      multiple: its pixels are stretched by at most half a patch over the side. Networks and the
      alignment take pixels for square, so that an estimated focal lies between those of x and y;
      known intrinsics go through the two scales and stay exact.

    The map: resizing W pixels to w covers the same picture, so that it scales the coordinate in
    which pixel i spans [i, i + 1) by s = w / W. With pixel centres at integers that coordinate is
    x + 1/2, hence `stored = (x + 1/2) s - 1/2 - crop_x`; likewise y. It says where a pixel went;
    the principal point of a stored image is the convention (width/2, height/2), not the image of
    the source's.

    Args:
        width, height: source pixels, after rotation metadata.
        pixel_aspect: width of a source pixel over its height.
        long_side_px: the longer side after resizing; `pad` and `resize` take whole patches of it.
        patch_size: of the network, in pixels.
        fit: see above.

    Raises:
        FrameSizeError: a side of the picture would be shorter than one patch.
    """
    square_width = width * pixel_aspect
    long_side = long_side_px if fit == "crop" else long_side_px // patch_size * patch_size
    scale = long_side / max(square_width, height)
    resized = (max(1, round(square_width * scale)), max(1, round(height * scale)))
    stored = _whole_patches(resized, patch_size, fit)
    if min(*resized, *stored) < patch_size:
        raise FrameSizeError(
            f"frames of {width}x{height}",
            f"{resized[0]}x{resized[1]} after resizing holds no {patch_size} px patch",
            f"Raise long_side_px (now {long_side_px}) or leave this video out",
        )
    if fit == "resize":
        resized = stored
    crop_x, crop_y = ((whole - part) // 2 for whole, part in zip(resized, stored, strict=True))
    scale_x, scale_y = resized[0] / width, resized[1] / height
    source_to_stored = np.array(
        [
            [scale_x, 0.0, (scale_x - 1) / 2 - crop_x],
            [0.0, scale_y, (scale_y - 1) / 2 - crop_y],
            [0.0, 0.0, 1.0],
        ]
    )
    return Fit(
        resized_width=resized[0],
        resized_height=resized[1],
        crop_x=crop_x,
        crop_y=crop_y,
        width=stored[0],
        height=stored[1],
        shrinks=scale < 1,
        source_to_stored=source_to_stored,
    )


def _whole_patches(size: tuple[int, int], patch: int, fit: FrameFit) -> tuple[int, int]:
    """Width and height of the stored frame for a resized picture of some width and height."""
    width, height = size
    match fit:
        case "crop":
            kept_height = height * 3 // 4 if width == height else height
            return width // patch * patch, kept_height // patch * patch
        case "pad":
            return -(-width // patch) * patch, -(-height // patch) * patch
        case "resize":
            return (width + patch // 2) // patch * patch, (height + patch // 2) // patch * patch
