"""What every picture shares: colours, sizes, bare axes, masks overlaid on images."""

import numpy as np
from jaxtyping import Bool, UInt8
from matplotlib.axes import Axes
from scipy.ndimage import binary_erosion

MOVING_COLOUR = (255, 92, 20)
INK = (0.13, 0.15, 0.18)
MUTED = (0.42, 0.45, 0.50)
RULE = (0.84, 0.85, 0.87)
ACCENT = (0.13, 0.42, 0.72)
WARNING = (0.78, 0.24, 0.05)
SCORE_COLOURS = "inferno"
DEPTH_COLOURS = "viridis_r"
HEADING_SIZE = 12.5
TITLE_SIZE = 9.5
LABEL_SIZE = 8.0
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


def bare(axes: Axes) -> None:
    """Axes of a picture: no ticks, a thin border."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(RULE)
