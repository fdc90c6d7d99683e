"""Baselines without a network, which every score has to beat.

They see the same frames as the network, at the same size. Their constants are the best of 320
variants tried on 32 clips drawn as the benchmark's, from other seeds (see docs/benchmark.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8
from skimage.filters import threshold_otsu

from easi3r.geometry import pixel_grid
from easi3r.motion import FlowEstimator

_SMOOTHING_PX = 1.0  # standard deviation, against noise and compression
_CHANGED = 8.0  # grey levels of 255: noise alone stays below it
_INLIER_PX = 0.5


@dataclass(frozen=True)
class MotionMasks:
    """Masks and the scores they come from, of one method.

    Attributes:
        method: its name in tables.
        mask: True where something moves.
        score: higher where something is more likely to move.
    """

    method: str
    mask: Bool[np.ndarray, "frames height width"]
    score: Float32[np.ndarray, "frames height width"]


def mask_baselines(
    images: UInt8[np.ndarray, "frames height width 3"], flow_estimator: FlowEstimator
) -> tuple[MotionMasks, ...]:
    """Everything moves, nothing moves, frame difference, flow residual against a homography."""
    everything = np.ones(images.shape[:3], bool)
    level = np.zeros(images.shape[:3], np.float32)
    difference = frame_difference(images)
    near, wide = homography_residuals(images, flow_estimator)
    return (
        MotionMasks("all dynamic", everything, level),
        MotionMasks("empty masks", ~everything, level),
        MotionMasks("frame difference", difference > _CHANGED, difference),
        MotionMasks("flow vs homography", near > threshold_otsu(near), near),
        MotionMasks("flow vs homography, wide", wide > threshold_otsu(wide), wide),
    )


def frame_difference(
    images: UInt8[np.ndarray, "frames height width 3"],
) -> Float32[np.ndarray, "frames height width"]:
    """Change of brightness against the two frames before and after, in grey levels, smoothed.

    The median brightness of each frame is taken off first: exposure changes are not motion.
    """
    grey = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images])
    grey = grey.astype(np.float32)
    smooth = np.stack([cv2.GaussianBlur(one, (0, 0), _SMOOTHING_PX) for one in grey])
    smooth -= np.median(smooth, axis=(1, 2), keepdims=True)
    numbers = range(len(images))
    return np.stack(
        [
            np.mean([np.abs(smooth[a] - smooth[b]) for b in _within(2, a, numbers)], axis=0)
            for a in numbers
        ]
    )


def homography_residuals(
    images: UInt8[np.ndarray, "frames height width 3"], flow_estimator: FlowEstimator
) -> tuple[Float32[np.ndarray, "frames height width"], Float32[np.ndarray, "frames height width"]]:
    """Length of the flow that one homography per pair of frames leaves unexplained, px a frame.

    Returns:
        The smaller of those to the frame before and the frame after: what is hidden in one of them
        is mostly seen in the other; and the median over all frames at most 3 away.
    """
    pixels = pixel_grid(*images.shape[1:3]).astype(np.float32)
    nothing = np.zeros_like(pixels)

    def residual(first: int, second: int) -> Float32[np.ndarray, "height width"]:
        target = pixels + flow_estimator(images[first], images[second], nothing)
        length = np.linalg.norm(target - _fitted_homography(pixels, target), axis=-1)
        return length / abs(second - first)

    near, wide = [], []
    for frame in range(len(images)):
        others = list(_within(3, frame, range(len(images))))
        lengths = [residual(frame, other) for other in others]
        pairs = zip(others, lengths, strict=True)
        near.append(np.min([one for other, one in pairs if abs(other - frame) == 1], axis=0))
        wide.append(np.median(lengths, axis=0))
    return np.stack(near), np.stack(wide)


def static_camera(frames: int) -> Float64[np.ndarray, "frames 4 4"]:
    """Poses of a camera that never moves."""
    return np.tile(np.eye(4), (frames, 1, 1))


def constant_velocity(frames: int) -> Float64[np.ndarray, "frames 4 4"]:
    """Poses of a camera that goes straight ahead at one speed and never turns.

    No truth gives it a speed or a heading; after the similarity that ATE allows it is the evenly
    paced straight line that fits the true path best. Its directions count as they are: forward.
    """
    poses = static_camera(frames)
    poses[:, 2, 3] = np.arange(frames)
    return poses


def _within(reach: int, frame: int, frames: range) -> Iterator[int]:
    """The other frames at most `reach` away."""
    return (other for other in frames if 0 < abs(other - frame) <= reach)


def _fitted_homography(
    source: Float32[np.ndarray, "height width 2"], target: Float32[np.ndarray, "height width 2"]
) -> Float32[np.ndarray, "height width 2"]:
    """`source` mapped by the RANSAC homography to `target`; unchanged where none can be fitted."""
    cv2.setRNGSeed(0)
    flat = source.reshape(-1, 1, 2)
    homography, _ = cv2.findHomography(flat, target.reshape(-1, 1, 2), cv2.RANSAC, _INLIER_PX)
    if homography is None:
        return source
    return cv2.perspectiveTransform(flat, homography).reshape(source.shape)
