"""Optical flow of a clip: estimator protocol, OpenCV's DIS flow, and flows chained over time.

Far apart, frames differ by more than a dense search can bridge. So each search begins where the
flow over the frames in between already leads (on rendered clips of 96 pixels, nine frames apart,
the median error fell from 15 to 1 pixel).
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from easi3r.geometry import pixel_grid
from easi3r.types import OpticalFlow

CONSISTENT_PX = 0.5
CONSISTENT_SHARE = 0.05
"""Forward-backward check: the error allowed is `CONSISTENT_PX` plus this share of the flow."""


@runtime_checkable
class FlowEstimator(Protocol):
    """An optical flow method: where each pixel of image a is in image b."""

    def __call__(
        self,
        image_a: UInt8[np.ndarray, "height width 3"],
        image_b: UInt8[np.ndarray, "height width 3"],
        guess: Float32[np.ndarray, "height width 2"],
    ) -> Float32[np.ndarray, "height width 2"]:
        """Flow in pixels, (x, y): pixel p of a is at p + flow[p] in b.

        Args:
            guess: initial flow, in pixels; zeros where nothing is known.
        """
        ...


@dataclass(frozen=True)
class DISFlow:
    """OpenCV's dense inverse search (Kroeger et al., ECCV 2016), medium preset; needs no weights.

    Attributes:
        min_side_px: smaller images are enlarged to it before the search, whose coarsest level
            has too few pixels of them.
    """

    min_side_px: int = 192

    def __call__(
        self,
        image_a: UInt8[np.ndarray, "height width 3"],
        image_b: UInt8[np.ndarray, "height width 3"],
        guess: Float32[np.ndarray, "height width 2"],
    ) -> Float32[np.ndarray, "height width 2"]:
        height, width = image_a.shape[:2]
        factor = max(1.0, self.min_side_px / min(height, width))
        size = (round(width * factor), round(height * factor))
        enlarged = np.array([size[0] / width, size[1] / height], np.float32)
        grey = [
            cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_CUBIC)
            for image in (image_a, image_b)
        ]
        search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        begin = cv2.resize(guess, size, interpolation=cv2.INTER_LINEAR) * enlarged
        flow = search.calc(grey[0], grey[1], np.ascontiguousarray(begin, np.float32))
        return cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR) / enlarged


def clip_flow(
    images: UInt8[np.ndarray, "frames height width 3"],
    edges: Int64[np.ndarray, "flows 2"],
    estimator: FlowEstimator,
) -> OpticalFlow:
    """Optical flow of every directed pair of frames, chained over the frames in between.

    Args:
        edges: (from, to); a pair without its opposite has that estimated too, to compare.
    """
    wanted = {(int(a), int(b)) for a, b in edges} | {(int(b), int(a)) for a, b in edges}
    nothing = np.zeros((*images.shape[1:3], 2), np.float32)
    numbers = range(len(images))
    links = {
        (a, b): np.asarray(estimator(images[a], images[b], nothing), np.float32)
        for a in numbers
        for b in (a - 1, a + 1)
        if b in numbers
    }
    flows = dict(links)
    for first in numbers:
        for step in (1, -1):
            reach = max([(b - a) * step for a, b in wanted if a == first], default=0)
            flows |= _chain(images, first, step, reach, estimator, links)
    pairs = [(int(a), int(b)) for a, b in edges]
    consistent = [_consistent(flows[a, b], flows[b, a]) for a, b in pairs]
    return OpticalFlow(edges, np.stack([flows[pair] for pair in pairs]), np.stack(consistent))


def _chain(
    images: np.ndarray,
    first: int,
    step: int,
    reach: int,
    estimator: FlowEstimator,
    links: dict[tuple[int, int], np.ndarray],
) -> dict[tuple[int, int], np.ndarray]:
    """Flows from one frame to those 2 to `reach` frames on in one direction of time.

    Args:
        links: flows between neighbours.
    """
    chained: dict[tuple[int, int], np.ndarray] = {}
    if reach < 2:
        return chained
    flow = links[first, first + step]
    for target in range(first + 2 * step, first + step * (reach + 1), step):
        here = pixel_grid(*flow.shape[:2]).astype(np.float32)
        guess = flow + sampled(links[target - step, target], here + flow)
        flow = np.asarray(estimator(images[first], images[target], guess), np.float32)
        chained[first, target] = flow
    return chained


def sampled(
    values: Float32[np.ndarray, "height width *channels"],
    at: Float32[np.ndarray, "height width 2"],
) -> Float32[np.ndarray, "height width *channels"]:
    """Bilinear values at (x, y); beyond the border those of the border."""
    return cv2.remap(
        values, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _consistent(
    there: Float32[np.ndarray, "height width 2"], back: Float32[np.ndarray, "height width 2"]
) -> Bool[np.ndarray, "height width"]:
    """Forward-backward consistency: the target is inside the image and flows back to the start."""
    height, width = there.shape[:2]
    landing = pixel_grid(height, width).astype(np.float32) + there
    inside = ((landing >= 0) & (landing <= (width - 1, height - 1))).all(axis=-1)
    missed = np.linalg.norm(there + sampled(back, landing), axis=-1)
    way = np.linalg.norm(there, axis=-1)
    return inside & (missed <= CONSISTENT_PX + CONSISTENT_SHARE * way)
