"""Answers that need no network: what every score has to beat.

They see the same frames as the network, at the same size. Their constants are the best of a few
dozen tried on 20 clips with other seeds than the benchmark's.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8
from skimage.filters import threshold_otsu

from easi3r.geometry import pixel_grid
from easi3r.motion import FlowEstimator

_SMOOTHING_PX = 1.0  # standard deviation, against noise and compression
_DIFFERENCE_FLOOR = 8.0  # grey levels of 255: noise alone stays below it
_RESIDUAL_FLOOR_PX = 0.5
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
    residual = homography_residual(images, flow_estimator)
    return (
        MotionMasks("all dynamic", everything, level),
        MotionMasks("empty masks", ~everything, level),
        MotionMasks("frame difference", _upper_class(difference, _DIFFERENCE_FLOOR), difference),
        MotionMasks("flow vs homography", _upper_class(residual, _RESIDUAL_FLOOR_PX), residual),
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
    differences = _by_frame(len(images), 2, lambda a, b: np.abs(smooth[a] - smooth[b]))
    return np.stack([np.mean(one, axis=0) for one in differences])


def homography_residual(
    images: UInt8[np.ndarray, "frames height width 3"], flow_estimator: FlowEstimator
) -> Float32[np.ndarray, "frames height width"]:
    """Length of the flow that one homography per pair of frames leaves unexplained, pixels.

    The smaller of those to the frame before and to the frame after: what is hidden in one of them
    is mostly seen in the other.
    """
    pixels = pixel_grid(*images.shape[1:3]).astype(np.float32)

    def residual(first: int, second: int) -> Float32[np.ndarray, "height width"]:
        target = pixels + flow_estimator(images[first], images[second], np.zeros_like(pixels))
        return np.linalg.norm(target - _fitted_homography(pixels, target), axis=-1)

    return np.stack([np.min(one, axis=0) for one in _by_frame(len(images), 1, residual)])


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


def _by_frame(
    frames: int, reach: int, compare: Callable[[int, int], Float32[np.ndarray, "height width"]]
) -> list[list[Float32[np.ndarray, "height width"]]]:
    """Of every frame: how it compares with each frame at most `reach` away."""
    return [
        [
            compare(frame, other)
            for other in range(max(0, frame - reach), min(frames, frame + reach + 1))
            if other != frame
        ]
        for frame in range(frames)
    ]


def _fitted_homography(
    source: Float32[np.ndarray, "height width 2"], target: Float32[np.ndarray, "height width 2"]
) -> Float32[np.ndarray, "height width 2"]:
    """Where the homography that most pixels agree on takes `source`; stays if there is none."""
    cv2.setRNGSeed(0)
    flat = source.reshape(-1, 1, 2)
    homography, _ = cv2.findHomography(flat, target.reshape(-1, 1, 2), cv2.RANSAC, _INLIER_PX)
    if homography is None:
        return source
    return cv2.perspectiveTransform(flat, homography).reshape(source.shape)


def _upper_class(
    score: Float32[np.ndarray, "frames height width"], floor: float
) -> Bool[np.ndarray, "frames height width"]:
    """True where the score is above the floor and above Otsu's threshold of its logarithm.

    Of the logarithm, because few pixels move and they move far: the plain threshold cuts them in
    two.
    """
    threshold = np.exp(threshold_otsu(np.log(score + floor / 10)))
    return score > max(floor, float(threshold))
