"""Do depths agree: between frames, with what flow triangulates, among the network's own maps?"""

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from easi3r.geometry import project
from easi3r.quality.pair_samples import NEAREST, PairSamples, values_at
from easi3r.types import Reconstruction

LARGEST_LOG = 3.0
"""Logarithms of ratios of depths end here, at a factor of 20."""

FEWEST_TRIANGULATED = 100
LEAST_ANGLE_DEG = 0.7
"""Rays that meet at a smaller angle triangulate nothing at the precision of dense flow."""


def frame_disagreement(samples: PairSamples, reconstruction: Reconstruction) -> float:
    """Median |logarithm| of the depth of static points over the other frame's depth there.

    At most `LARGEST_LOG`, which it is too where no frame shows a static point of another.
    """
    unit = np.median(reconstruction.depth)
    seen, places = samples.landing(samples.to_second)
    there, inside = values_at(reconstruction.depth, samples.edges[:, 1], places)
    compared = inside & ~samples.moving & (seen[..., 2] > NEAREST)
    if not compared.any():
        return LARGEST_LOG
    off = np.abs(np.log(seen[..., 2][compared] * unit / there[compared]))
    return min(float(np.median(off)), LARGEST_LOG)


def one_depth_error(depth: Float[np.ndarray, "*shape"]) -> float:
    """Mean |median / depth - 1| after one scale: the error of one depth if this one were true."""
    ratio = 1 / depth.astype(np.float64)
    return float(np.abs(ratio / np.median(ratio) - 1).mean())


def scaled_error(
    estimate: Float[np.ndarray, "*shape"], truth: Float[np.ndarray, "*shape"]
) -> float:
    """Mean |estimate / truth - 1| after the median ratio is 1."""
    ratio = estimate.astype(np.float64) / truth
    return float(np.abs(ratio / np.median(ratio) - 1).mean())


def map_spread(
    depth: Float[np.ndarray, "pairs points"], edges: Int64[np.ndarray, "pairs 2"]
) -> float:
    """Median standard deviation of the logarithm of a pixel's depth over its frame's maps.

    Args:
        depth: z of the first image's pixels as each pair predicts it; scales may differ.

    Returns:
        NaN where no frame comes first in two pairs.
    """
    logs = np.log(np.maximum(depth, 1e-6))
    logs = logs - np.median(logs, axis=1, keepdims=True)
    spreads = [
        logs[edges[:, 0] == frame].std(axis=0)
        for frame in np.unique(edges[:, 0])
        if (edges[:, 0] == frame).sum() > 1
    ]
    return float(np.median(spreads)) if spreads else float("nan")


def log_correlation(
    one: Float64[np.ndarray, " points"], other: Float64[np.ndarray, " points"]
) -> float:
    """Correlation of the logarithms of two depths, -1..1; 0 where one of them is constant."""
    logs = [np.log(depth) - np.log(depth).mean() for depth in (one, other)]
    length = np.sqrt(np.square(logs[0]).sum() * np.square(logs[1]).sum())
    return float((logs[0] * logs[1]).sum() / length) if length > 1e-9 else 0.0


def triangulated(
    samples: PairSamples, to_second: Float64[np.ndarray, "pairs 4 4"]
) -> tuple[Float64[np.ndarray, " points"], Float64[np.ndarray, " points"]]:
    """Depths of usable points by the flow and the cameras of the widest pairs, and as estimated.

    Points whose rays meet at less than `LEAST_ANGLE_DEG` are left out.
    """
    chosen = samples.widest
    rotation, shift = to_second[chosen, :3, :3], to_second[chosen, None, :3, 3]
    points = samples.points[chosen]
    rays = points / points[..., 2:] @ rotation.swapaxes(1, 2)
    cameras = samples.intrinsics[samples.edges[chosen, 1]]
    focal, principal = cameras[:, [0, 1], [0, 1]][:, None], cameras[:, :2, 2][:, None]
    target = (samples.targets[chosen] - principal) / focal
    target = np.concatenate([target, np.ones((*target.shape[:2], 1))], axis=-1)
    across = np.cross(target, rays)
    length = np.square(across).sum(-1)
    depth = -(np.cross(target, np.broadcast_to(shift, rays.shape)) * across).sum(-1) / np.maximum(
        length, 1e-12
    )
    sine = np.sqrt(length) / (np.linalg.norm(rays, axis=-1) * np.linalg.norm(target, axis=-1))
    good = samples.usable[chosen] & (depth > NEAREST)
    good &= sine > np.sin(np.radians(LEAST_ANGLE_DEG))
    return depth[good], points[..., 2][good]


def triangulation_angle_deg(samples: PairSamples) -> float:
    """Median angle at which static points see the two cameras of the widest pairs, degrees."""
    chosen = samples.widest
    to_first = -(
        samples.to_second[chosen, :3, :3].swapaxes(1, 2) @ samples.to_second[chosen, :3, 3:]
    )
    points = samples.points[chosen]
    other = points - to_first[:, None, :, 0]
    cosine = (points * other).sum(-1)
    sine = np.linalg.norm(np.cross(points, other), axis=-1)
    angle = np.degrees(np.arctan2(sine, cosine))
    static = ~samples.moving[chosen]
    return float(np.median(angle[static])) if static.any() else 0.0


def parallax_deg(samples: PairSamples, to_second: Float64[np.ndarray, "pairs 4 4"]) -> float:
    """Median flow of usable points that no turn of the camera explains, widest pairs, degrees."""
    chosen = samples.widest & samples.usable.any(axis=1)
    if not chosen.any():
        return 0.0
    turned = samples.points[chosen] @ to_second[chosen, :3, :3].swapaxes(1, 2)
    turned[..., 2] = np.maximum(turned[..., 2], NEAREST)
    cameras = samples.intrinsics[samples.edges[chosen, 1]]
    off = np.linalg.norm(samples.targets[chosen] - project(turned, cameras), axis=-1)
    focal = cameras[:, 0, 0]
    medians = [np.median(o[u]) for o, u in zip(off, samples.usable[chosen], strict=True)]
    return float(np.median(np.degrees(np.arctan(np.array(medians) / focal))))


def relative_error(
    estimate: Float32[np.ndarray, "frames height width"],
    other: Float32[np.ndarray, "frames height width"],
) -> float:
    """`scaled_error` over pixels of a clip, every third in both directions."""
    return scaled_error(estimate[:, ::3, ::3], other[:, ::3, ::3])
