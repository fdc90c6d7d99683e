"""Pooling of motion evidence: over a neighbourhood, along a trajectory, over superpixels.

Flow is noisy pixel by pixel, while what moves is an object, and moves in every frame.
"""

import cv2
import numpy as np
from jaxtyping import Float32, Int64, UInt8

from easi3r.geometry import pixel_grid
from easi3r.motion.optical_flow import sampled
from easi3r.types import OpticalFlow

NEIGHBOURHOOD = 1 / 12
"""Side of the square that nearby evidence is averaged over, as a share of the image's diagonal."""

PATCHES = 170
"""Approximate number of superpixels in a frame."""

COMPACTNESS = 10.0
"""Of superpixels: weight of position against colour (SLIC; Achanta et al., PAMI 2012)."""


def neighbourhood_mean(
    values: Float32[np.ndarray, "frames height width"],
) -> Float32[np.ndarray, "frames height width"]:
    """Mean over a square around each pixel."""
    side = 1 + 2 * max(1, round(NEIGHBOURHOOD * np.hypot(*values.shape[1:]) / 2))
    return np.stack([cv2.blur(one, (side, side)) for one in values])


def trajectory_mean(
    values: Float32[np.ndarray, "frames height width"], flow: OpticalFlow
) -> Float32[np.ndarray, "frames height width"]:
    """Mean along each pixel's trajectory: itself, and where it consistently flows to."""
    total, count = values.copy(), np.ones_like(values)
    grid = pixel_grid(*values.shape[1:]).astype(np.float32)
    for (first, second), way, consistent in zip(
        flow.edges, flow.flow, flow.consistent, strict=True
    ):
        total[first] += np.where(consistent, sampled(values[second], grid + way), 0)
        count[first] += consistent
    return total / count


def superpixels(
    images: UInt8[np.ndarray, "frames height width 3"],
) -> Int64[np.ndarray, "frames height width"]:
    """SLIC superpixels, numbered from 0 in each frame."""
    # Imported here: scikit-image is slow to import, and most commands and cues do without.
    from skimage.segmentation import slic

    labels = [
        slic(image, PATCHES, COMPACTNESS, sigma=0.5, start_label=0, channel_axis=-1)
        for image in images
    ]
    return np.stack(labels).astype(np.int64)


def superpixel_mean(
    values: Float32[np.ndarray, "frames height width"],
    patches: Int64[np.ndarray, "frames height width"],
) -> Float32[np.ndarray, "frames height width"]:
    """Mean over each pixel's superpixel."""
    means = np.empty_like(values)
    for mean, of_frame, numbers in zip(means, values, patches, strict=True):
        sums = np.bincount(numbers.ravel(), of_frame.ravel())
        counts = np.bincount(numbers.ravel())
        mean[:] = (sums / np.maximum(counts, 1))[numbers]
    return means
