"""How far optical flow is from what the scene's own depths and cameras explain.

MonST3R (arXiv 2410.03825, section 4.2) compares the flow with that of the estimated depth. Depths
of a small network are off by tens of percent, and a depth in error is not a motion, so here any
depth within a factor explains a flow: the distance is that to a piece of the epipolar line.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from easi3r.geometry import backproject, invert_rigid, pixel_grid, project, transform_points
from easi3r.types import OpticalFlow, Reconstruction

DEPTH_FACTOR = 1.5
"""Depths between estimate / factor and estimate * factor count as explanations."""

NOISE_PX = 0.3
NOISE_SHARE = 0.05
"""A flow is expected to err by `NOISE_PX` plus this share of its length."""

NEAREST = 1e-3
"""A point nearer to a camera than this share of the median depth projects nowhere useful."""

MOST = 50.0
"""Residuals end here, in units of the expected error: beyond it all are alike."""


@dataclass(frozen=True)
class FlowEvidence:
    """What the flows of each pixel say, over the pairs in which it is consistent.

    Attributes:
        residual: median distance from what any depth within `DEPTH_FACTOR` explains, in units of
            the flow's expected error, 0..`MOST`; 0 where no pair saw the pixel.
        strict_residual: the same with the estimated depth alone.
        seen: share of the pairs that start at the frame in which the pixel is consistent.
    """

    residual: Float32[np.ndarray, "frames height width"]
    strict_residual: Float32[np.ndarray, "frames height width"]
    seen: Float32[np.ndarray, "frames height width"]


def flow_evidence(flow: OpticalFlow, reconstruction: Reconstruction) -> FlowEvidence:
    """Compare the flows with a reconstruction of the same frames.

    A frame from which no flow starts has nothing seen.
    """
    residual, strict, seen = (np.zeros(reconstruction.depth.shape, np.float32) for _ in range(3))
    for frame in range(len(residual)):
        numbers = np.flatnonzero(flow.edges[:, 0] == frame)
        if not len(numbers):
            continue
        consistent = flow.consistent[numbers]
        distances = [
            _distances(flow.flow[number], reconstruction, frame, int(flow.edges[number, 1]))
            for number in numbers
        ]
        tolerant, exact = np.stack(distances, axis=1)
        residual[frame] = _median_where(consistent, tolerant)
        strict[frame] = _median_where(consistent, exact)
        seen[frame] = consistent.mean(axis=0)
    return FlowEvidence(residual, strict, seen)


def _distances(
    flow: Float32[np.ndarray, "height width 2"],
    found: Reconstruction,
    first: int,
    second: int,
) -> Float64[np.ndarray, "2 height width"]:
    """Of a flow's ends from the epipolar segment and from the point of the estimated depth."""
    depth = found.depth[first].astype(np.float64)
    shape = depth.shape
    ends = pixel_grid(*shape) + flow
    to_second = invert_rigid(found.camera_to_world[second]) @ found.camera_to_world[first]
    points = backproject(depth, found.intrinsics[first]).reshape(-1, 3)
    nearest = NEAREST * float(np.median(found.depth[second]))

    def landing(factor: float) -> np.ndarray:
        seen = transform_points(to_second, points * factor)
        seen[:, 2] = np.maximum(seen[:, 2], nearest)
        return project(seen, found.intrinsics[second]).reshape(*shape, 2)

    near, middle, far = (landing(factor) for factor in (1 / DEPTH_FACTOR, 1.0, DEPTH_FACTOR))
    along, way = far - near, ends - near
    length = np.square(along).sum(-1)
    share = (along * way).sum(-1) / np.maximum(length, 1e-12)
    closest = near + np.clip(share, 0, 1)[..., None] * along
    expected = NOISE_PX + NOISE_SHARE * np.linalg.norm(flow, axis=-1)
    return np.stack(
        [np.linalg.norm(ends - place, axis=-1) / expected for place in (closest, middle)]
    )


def _median_where(
    used: np.ndarray, values: Float64[np.ndarray, "flows height width"]
) -> Float32[np.ndarray, "height width"]:
    """Median over the flows in use, at most `MOST`; 0 where none is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of pixels that no flow sees
        median = np.nanmedian(np.where(used, values, np.nan), axis=0)
    return np.clip(np.nan_to_num(median, nan=0.0), 0, MOST).astype(np.float32)
