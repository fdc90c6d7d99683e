"""Flow residual: distance of optical flow from the flow that depths and cameras explain.

MonST3R (arXiv 2410.03825, section 4.2) compares the flow with that of the estimated depth. Depths
of a small network are off by tens of percent, and a depth in error is not a motion, so here any
depth within a factor explains a flow: the distance is that to a piece of the epipolar line.

On a surface without texture flow is arbitrary, and disagreement proves nothing. So a photometric
residual is compared too: whether the explained position looks any worse than the flow's target.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

from easi3r.geometry import backproject, invert_rigid, pixel_grid, project, transform_points
from easi3r.motion.optical_flow import sampled
from easi3r.types import OpticalFlow, Reconstruction

DEPTH_FACTOR = 1.5
"""Depths between estimate / factor and estimate * factor count as explanations."""

LOOSE_FACTOR = 4.0
"""The same where depths may be far off: what is left then lies across the epipolar line."""

NOISE_PX = 0.3
NOISE_SHARE = 0.05
"""A flow is expected to err by `NOISE_PX` plus this share of its length."""

NEAREST = 1e-3
"""A point nearer to a camera than this share of the median depth projects nowhere useful."""

LARGEST_RESIDUAL = 50.0
"""Residuals end here, in units of the expected error: beyond it all are alike."""


GREY_NOISE = 4.0
"""Grey levels of 255 by which the same surface differs between two frames."""


@dataclass(frozen=True)
class FlowEvidence:
    """Motion evidence of each pixel: medians over the pairs in which its flow is consistent.

    Over all pairs where it is consistent in none, as with fast movers and what leaves the image.

    Attributes:
        residual: distance from what any depth within `DEPTH_FACTOR` explains, in units of the
            flow's expected error, 0..`LARGEST_RESIDUAL`.
        strict_residual: the same with the estimated depth alone.
        loose_residual: the same with any depth within `LOOSE_FACTOR`.
        photometric_residual: by how much the position that `residual` takes looks less like the
            pixel than the flow's target does, in units of `GREY_NOISE`, 0..`LARGEST_RESIDUAL`.
        loose_photometric_residual: the same for the position that `loose_residual` takes.
        seen: share of the pairs that start at the frame in which the pixel is consistent.
    """

    residual: Float32[np.ndarray, "frames height width"]
    strict_residual: Float32[np.ndarray, "frames height width"]
    loose_residual: Float32[np.ndarray, "frames height width"]
    photometric_residual: Float32[np.ndarray, "frames height width"]
    loose_photometric_residual: Float32[np.ndarray, "frames height width"]
    seen: Float32[np.ndarray, "frames height width"]


def flow_evidence(
    images: UInt8[np.ndarray, "frames height width 3"],
    flow: OpticalFlow,
    reconstruction: Reconstruction,
) -> FlowEvidence:
    """Compare optical flow with a reconstruction of the same frames.

    In a frame from which no flow starts, `seen` and all residuals are 0.
    """
    shape = reconstruction.depth.shape
    maps, seen = np.zeros((5, *shape), np.float32), np.zeros(shape, np.float32)
    grey = _equal_brightness(images)
    for frame in range(len(seen)):
        numbers = np.flatnonzero(flow.edges[:, 0] == frame)
        if not len(numbers):
            continue
        compared = [
            _compare(grey, flow.flow[number], reconstruction, frame, int(flow.edges[number, 1]))
            for number in numbers
        ]
        consistent = flow.consistent[numbers]
        used = consistent | ~consistent.any(axis=0)
        maps[:, frame] = [_median_where(used, values) for values in np.stack(compared, axis=1)]
        seen[frame] = consistent.mean(axis=0)
    residual, strict, loose, photometric, loose_photometric = maps
    return FlowEvidence(residual, strict, loose, photometric, loose_photometric, seen)


def _compare(
    grey: Float32[np.ndarray, "frames height width"],
    flow: Float32[np.ndarray, "height width 2"],
    reconstruction: Reconstruction,
    first: int,
    second: int,
) -> Float64[np.ndarray, "5 height width"]:
    """The five residuals of each pixel in one pair, in the order of `FlowEvidence`."""
    depth = reconstruction.depth[first].astype(np.float64)
    shape = depth.shape
    ends = pixel_grid(*shape) + flow
    to_second = (
        invert_rigid(reconstruction.camera_to_world[second]) @ reconstruction.camera_to_world[first]
    )
    points = backproject(depth, reconstruction.intrinsics[first]).reshape(-1, 3)
    nearest = NEAREST * float(np.median(reconstruction.depth[second]))

    def landing(factor: float) -> np.ndarray:
        seen = transform_points(to_second, points * factor)
        seen[:, 2] = np.maximum(seen[:, 2], nearest)
        return project(seen, reconstruction.intrinsics[second]).reshape(*shape, 2)

    explained, loosely = (
        _nearest_between(landing(1 / factor), landing(factor), ends)
        for factor in (DEPTH_FACTOR, LOOSE_FACTOR)
    )
    expected = NOISE_PX + NOISE_SHARE * np.linalg.norm(flow, axis=-1)
    places = (explained, landing(1.0), loosely)
    off = [np.linalg.norm(ends - place, axis=-1) / expected for place in places]
    by_flow = _photometric_difference(grey[first], grey[second], ends)
    photometric = [
        _photometric_difference(grey[first], grey[second], place) - by_flow
        for place in (explained, loosely)
    ]
    return np.stack([*off, *np.maximum(photometric, 0) / GREY_NOISE])


def _nearest_between(
    begin: Float64[np.ndarray, "height width 2"],
    end: Float64[np.ndarray, "height width 2"],
    place: Float64[np.ndarray, "height width 2"],
) -> Float64[np.ndarray, "height width 2"]:
    """The place on each line from `begin` to `end` that is nearest to `place`."""
    along = end - begin
    length = np.square(along).sum(-1)
    share = (along * (place - begin)).sum(-1) / np.maximum(length, 1e-12)
    return begin + np.clip(share, 0, 1)[..., None] * along


def _equal_brightness(
    images: UInt8[np.ndarray, "frames height width 3"],
) -> Float32[np.ndarray, "frames height width"]:
    """Brightness, each frame at the median brightness of the clip: exposure is no motion."""
    grey = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images])
    medians = np.median(grey, axis=(1, 2), keepdims=True)
    return (grey * (np.median(grey) / np.maximum(medians, 1))).astype(np.float32)


def _photometric_difference(
    here: Float32[np.ndarray, "height width"],
    there: Float32[np.ndarray, "height width"],
    place: Float64[np.ndarray, "height width 2"],
) -> Float32[np.ndarray, "height width"]:
    """How much 3x3 pixels differ from those at a place in the other image, grey levels."""
    at = np.clip(place, -1, (here.shape[1], here.shape[0])).astype(np.float32)
    return cv2.blur(np.abs(here - sampled(there, at)), (3, 3))


def _median_where(
    used: Bool[np.ndarray, "flows height width"], values: Float64[np.ndarray, "flows height width"]
) -> Float32[np.ndarray, "height width"]:
    """Median over the flows in use, of which each pixel has at least one; clipped."""
    median = np.nanmedian(np.where(used, values, np.nan), axis=0)
    return np.minimum(median, LARGEST_RESIDUAL).astype(np.float32)
