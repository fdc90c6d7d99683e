"""The size frames are stored at, and the map from source pixels to stored ones."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image

from easi3r.errors import FrameSizeError


@dataclass(frozen=True)
class Fit:
    """How a frame is resized and cropped (docs/method.md §1).

    Attributes:
        resized_width, resized_height: pixels after resizing; they are square.
        crop_x, crop_y: first column and row of the crop, in pixels of the resized frame.
        width, height: pixels of the crop, multiples of the patch size.
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

    def apply(self, image: Image.Image) -> UInt8[np.ndarray, "height width 3"]:
        """The stored pixels of one oriented RGB frame."""
        resample = Image.Resampling.LANCZOS if self.shrinks else Image.Resampling.BICUBIC
        resized = image.resize((self.resized_width, self.resized_height), resample)
        right, bottom = self.crop_x + self.width, self.crop_y + self.height
        return np.asarray(resized.crop((self.crop_x, self.crop_y, right, bottom)))


def fit_size(
    width: int, height: int, pixel_aspect: float, long_side_px: int, patch_size: int
) -> Fit:
    """Resizes the long side to `long_side_px` and crops the centre to multiples of `patch_size`.

    docs/method.md §1: an image that is square after resizing is cropped to 4:3 (landscape). Pixels
    that are not square are made so by the same resize, hence the two scales of the affine map.

    The map: resizing W pixels to w covers the same picture, so that it scales the coordinate in
    which pixel i spans [i, i + 1) by s = w / W. With pixel centres at integers that coordinate is
    x + 1/2, hence `stored = (x + 1/2) s - 1/2 - crop_x`; likewise y. It says where a pixel went;
    the principal point of a stored image is the convention (width/2, height/2), not the image of
    the source's.

    Args:
        width, height: source pixels, after rotation metadata.
        pixel_aspect: width of a source pixel over its height.
        long_side_px: the longer side after resizing.
        patch_size: of the network, in pixels.

    Raises:
        FrameSizeError: a side of the stored frame would be shorter than one patch.
    """
    square_width = width * pixel_aspect
    scale = long_side_px / max(square_width, height)
    resized_width = max(1, round(square_width * scale))
    resized_height = max(1, round(height * scale))

    stored_width = resized_width // patch_size * patch_size
    kept_height = resized_height * 3 // 4 if resized_width == resized_height else resized_height
    stored_height = kept_height // patch_size * patch_size
    if stored_width == 0 or stored_height == 0:
        raise FrameSizeError(
            f"frames of {width}x{height}",
            f"{resized_width}x{resized_height} after resizing holds no {patch_size} px patch",
            f"Raise long_side_px (now {long_side_px}) or leave this video out",
        )

    crop_x = (resized_width - stored_width) // 2
    crop_y = (resized_height - stored_height) // 2
    scale_x, scale_y = resized_width / width, resized_height / height
    source_to_stored = np.array(
        [
            [scale_x, 0.0, (scale_x - 1) / 2 - crop_x],
            [0.0, scale_y, (scale_y - 1) / 2 - crop_y],
            [0.0, 0.0, 1.0],
        ]
    )
    return Fit(
        resized_width=resized_width,
        resized_height=resized_height,
        crop_x=crop_x,
        crop_y=crop_y,
        width=stored_width,
        height=stored_height,
        shrinks=scale < 1,
        source_to_stored=source_to_stored,
    )
