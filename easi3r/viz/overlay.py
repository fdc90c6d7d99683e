"""Masks drawn over images."""

import numpy as np
from jaxtyping import Bool, UInt8
from scipy.ndimage import binary_erosion

MOVING_COLOUR = (255, 92, 20)
_TINT = 0.5
_OUTLINE_SHARE = 1 / 200  # of the image's longer side


def overlay_masks(
    images: UInt8[np.ndarray, "frames height width 3"],
    masks: Bool[np.ndarray, "frames height width"],
) -> UInt8[np.ndarray, "frames height width 3"]:
    """Images with what moves tinted and outlined, and everything else as it was."""
    thickness = max(1, round(max(images.shape[1:3]) * _OUTLINE_SHARE))
    disc = np.ones((1, 2 * thickness + 1, 2 * thickness + 1), bool)
    inside = binary_erosion(masks, disc, border_value=1)
    colour = np.array(MOVING_COLOUR, np.float64)
    drawn = images.copy()
    drawn[masks] = np.rint((1 - _TINT) * images[masks] + _TINT * colour)
    drawn[masks & ~inside] = MOVING_COLOUR
    return drawn
