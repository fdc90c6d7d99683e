"""What the images can prove at all: texture, flow that agrees with itself, no cut inside."""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from easi3r.quality.pair_samples import PairSamples, values_at

TEXTURED = 2.0
"""Grey levels of 255 a pixel: a smoothed gradient above it is texture and not noise."""

LEAST_WARP_ERROR = 3.0
"""Grey levels of 255 by which the same surface differs between two frames, at least."""


def brightness(
    images: UInt8[np.ndarray, "frames height width 3"],
) -> Float32[np.ndarray, "frames height width"]:
    """Smoothed brightness of each frame, 0..255."""
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) for image in images]
    return np.stack([cv2.GaussianBlur(one, (0, 0), 1.0) for one in grey])


def textured_share(grey: Float32[np.ndarray, "frames height width"]) -> float:
    """Share of pixels with texture, in the frame that has least of it but for a tenth."""
    shares = []
    for one in grey:
        across, down = (cv2.Sobel(one, cv2.CV_32F, *axis) / 8 for axis in ((1, 0), (0, 1)))
        shares.append(float((np.hypot(across, down) > TEXTURED).mean()))
    return float(np.quantile(shares, 0.1))


def link_shares(samples: PairSamples) -> np.ndarray:
    """Share of consistent flow of every link, both directions together, in order of time."""
    return _by_link(samples, samples.consistent.mean(axis=1))


def jump(samples: PairSamples, grey: Float32[np.ndarray, "frames height width"]) -> float:
    """Largest over median mean difference of a frame and its neighbour warped by the flow.

    The median is at least `LEAST_WARP_ERROR`. Each frame is brought to the same brightness first.
    """
    level = np.maximum(np.median(grey, axis=(1, 2), keepdims=True), 1)
    even = (grey * (np.median(level) / level)).astype(np.float32)
    here = even[samples.edges[:, 0]][
        :, samples.pixels[:, 1].astype(int), samples.pixels[:, 0].astype(int)
    ]
    there, _ = values_at(even, samples.edges[:, 1], samples.targets)
    errors = _by_link(samples, np.abs(here - there).mean(axis=1))
    return float(errors.max() / max(np.median(errors), LEAST_WARP_ERROR))


def mask_flicker(samples: PairSamples, moving: Bool[np.ndarray, "frames height width"]) -> float:
    """Share of the moving pixels that do not move in a neighbour frame, where flow is consistent.

    0 where nothing moves.
    """
    links = samples.links
    there, _ = values_at(moving, samples.edges[links, 1], samples.targets[links])
    here, seen = samples.moving[links], samples.consistent[links]
    either = int(((here | there) & seen).sum())
    return float(((here != there) & seen).sum() / either) if either else 0.0


def _by_link(samples: PairSamples, values: np.ndarray) -> np.ndarray:
    """Means of the values of pairs over both directions of each link."""
    earlier = samples.edges.min(axis=1)
    chosen = samples.links
    return np.array(
        [values[chosen & (earlier == frame)].mean() for frame in np.unique(earlier[chosen])]
    )
