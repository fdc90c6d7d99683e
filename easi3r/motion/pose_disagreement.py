"""Whether poses that the user gave are those of this video: optical flow says, not the network.

Poses of another clip, of another time, or given in the wrong direction or axes, are rigid
transforms like any others; the alignment holds them and bends the depths. The images do not bend.
"""

import numpy as np
from jaxtyping import Float64

from easi3r.geometry import invert_rigid, pixel_grid
from easi3r.types import OpticalFlow

PIXELS = 256
"""Pixels of a frame that are looked at, roughly."""

LEAST_PIXELS = 16
"""A frame with fewer pixels of consistent flow than this says nothing."""

LEAST_MOTION_PX = 1.0
"""Shorter flow counts as this long: what moves less cannot be told from noise."""

PARALLAX = np.concatenate([[0.0], np.logspace(-3.5, 0.5, 81)])
"""Depths that a pixel may have: baseline over depth; 0 is infinitely far."""

DISAGREEMENT_LIMIT = 0.25
"""Poses that leave more unexplained are taken for wrong (docs/known-inputs.md)."""

POSES_DISAGREE = "known cameras disagree"
"""The warning of a clip whose known poses leave more unexplained than that."""

_FAR_OFF_PX = 1e3  # of a pixel that would be behind the camera


def pose_disagreement(
    flow: OpticalFlow,
    intrinsics: Float64[np.ndarray, "frames 3 3"],
    camera_to_world: Float64[np.ndarray, "frames 4 4"],
) -> float:
    """The part of the image's motion that no depths explain with these poses: 0..1.

    Every pixel of a frame may have any positive depth, the same for all flows that start there:
    that which leaves least of them unexplained, in mean over the consistent ones. Of every frame
    the median over the pixels, so that what moves by itself does not count where it covers less
    than half of the image; summed over the frames, and divided by the sum of the median lengths of
    the flow.

    Returns:
        0: everything is explained; 1: as much is left as if the camera stood still, or more. NaN
        where no flow is consistent.
    """
    height, width = flow.flow.shape[1:3]
    step = max(1, round((height * width / PIXELS) ** 0.5))
    start = pixel_grid(height, width)[::step, ::step].reshape(-1, 2)
    world_to_camera = invert_rigid(camera_to_world)
    unexplained = motion = 0.0
    for frame in range(len(camera_to_world)):
        flows = np.flatnonzero(flow.edges[:, 0] == frame)
        targets = flow.edges[flows, 1]
        arrows = flow.flow[flows, ::step, ::step].reshape(len(flows), -1, 2)
        counts = flow.consistent[flows, ::step, ::step].reshape(len(flows), -1)
        seen = counts.sum(axis=0) > len(flows) // 2
        if seen.sum() < LEAST_PIXELS:
            continue
        rays = _rays(start[seen], intrinsics[frame])
        relative = world_to_camera[targets] @ camera_to_world[frame]
        apart = _distances(rays, start[seen] + arrows[:, seen], intrinsics[targets], relative)
        shares = counts[:, seen] / counts[:, seen].sum(axis=0)
        lengths = np.linalg.norm(arrows[:, seen], axis=-1)
        left = np.einsum("fp,fpd->pd", shares, apart).min(axis=1)
        unexplained += float(np.median(left))
        motion += max(float(np.median((shares * lengths).sum(axis=0))), LEAST_MOTION_PX)
    return min(unexplained / motion, 1.0) if motion else float("nan")


def _rays(
    pixels: Float64[np.ndarray, "pixels 2"], intrinsics: Float64[np.ndarray, "3 3"]
) -> Float64[np.ndarray, "pixels 3"]:
    homogeneous = np.concatenate([pixels, np.ones((len(pixels), 1))], axis=1)
    rays: Float64[np.ndarray, "pixels 3"] = homogeneous @ np.linalg.inv(intrinsics).T
    return rays


def _distances(
    rays: Float64[np.ndarray, "pixels 3"],
    ends: Float64[np.ndarray, "flows pixels 2"],
    intrinsics: Float64[np.ndarray, "flows 3 3"],
    relative: Float64[np.ndarray, "flows 4 4"],
) -> Float64[np.ndarray, "flows pixels depths"]:
    """Pixels between where each flow ends and where the pixel would be at each depth.

    Args:
        relative: from the frame's camera to the targets'.
    """
    baseline = float(np.median(np.linalg.norm(relative[:, :3, 3], axis=1)))
    inverse_depth = PARALLAX / baseline if baseline > 0 else PARALLAX[:1]
    turned = rays @ relative[:, :3, :3].mT
    shifts = inverse_depth[:, None] * relative[:, None, :3, 3]
    points = turned[:, :, None] + shifts[:, None]
    front = points[..., 2] > 0
    focal = intrinsics[:, [0, 1], [0, 1]][:, None, None]
    landing = focal * points[..., :2] / np.where(front, points[..., 2], 1.0)[..., None]
    offset = landing + intrinsics[:, None, None, :2, 2] - ends[:, :, None]
    return np.where(front, np.linalg.norm(offset, axis=-1), _FAR_OFF_PX)
