"""Cameras of pairs by optical flow on the estimated depth: a second opinion on the path.

The alignment minimises distances between the network's maps; here flow on static pixels decides
each pair by itself, from where the alignment left it. Where the two disagree, one of them is wrong.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from scipy.spatial.transform import Rotation

from easi3r.quality.pair_samples import PairSamples

STEPS = 4
DAMPING = 1e-4
FEWEST_POINTS = 30
"""A pair with fewer usable points has no camera by flow."""

PAIRS_AT_ONCE = 32  # bounds memory: a pair of 800 points takes half a megabyte

LARGEST = 10.0
"""Ratios end here: beyond it all are alike."""


@dataclass(frozen=True)
class FlowCameras:
    """Relative cameras by flow.

    Attributes:
        to_second: from the first camera of each pair to the second, in median depths.
        known: the pair has points enough.
    """

    to_second: Float64[np.ndarray, "pairs 4 4"]
    known: Bool[np.ndarray, " pairs"]


def flow_cameras(samples: PairSamples) -> FlowCameras:
    """Gauss-Newton on the flow of usable points, from the estimated cameras; Cauchy weights."""
    blocks = [_cameras_of(block) for block in samples.blocks(PAIRS_AT_ONCE)]
    return FlowCameras(
        np.concatenate([block.to_second for block in blocks]),
        np.concatenate([block.known for block in blocks]),
    )


def _cameras_of(samples: PairSamples) -> FlowCameras:
    to_second = samples.to_second.copy()
    known = samples.usable.sum(axis=1) >= FEWEST_POINTS
    for _ in range(STEPS):
        seen, places = samples.landing(to_second)
        residual = places - samples.targets
        distance = np.linalg.norm(residual, axis=-1) / samples.noise
        weight = np.where(samples.usable, 1 / (samples.noise**2 * (1 + distance**2)), 0)
        step = _step(_jacobian(samples, seen), residual, weight)
        change = np.tile(np.eye(4), (len(step), 1, 1))
        change[:, :3, :3] = Rotation.from_rotvec(np.clip(step[:, 3:], -1, 1)).as_matrix()
        change[:, :3, 3] = np.clip(step[:, :3], -1, 1)
        to_second = np.where(known[:, None, None], change @ to_second, to_second)
    return FlowCameras(to_second, known)


def _jacobian(
    samples: PairSamples, seen: Float64[np.ndarray, "pairs points 3"]
) -> Float64[np.ndarray, "pairs points 2 6"]:
    """Derivatives of the pixels by a shift and a turn of the second camera's frame."""
    focal = samples.intrinsics[samples.edges[:, 1]][:, [0, 1], [0, 1]][:, None]
    x, y, z = np.moveaxis(seen, -1, 0)
    zero = np.zeros_like(x)
    by_place = np.stack(
        [np.stack([1 / z, zero, -x / z**2], -1), np.stack([zero, 1 / z, -y / z**2], -1)], -2
    )
    by_place *= focal[..., None]
    by_turn = np.stack(
        [np.stack([zero, z, -y], -1), np.stack([-z, zero, x], -1), np.stack([y, -x, zero], -1)], -2
    )
    return np.concatenate([by_place, by_place @ by_turn], -1)


def _step(
    jacobian: Float64[np.ndarray, "pairs points 2 6"],
    residual: Float64[np.ndarray, "pairs points 2"],
    weight: Float64[np.ndarray, "pairs points"],
) -> Float64[np.ndarray, "pairs 6"]:
    """The damped Gauss-Newton step of each pair."""
    flat = jacobian.reshape(len(jacobian), -1, 6)
    weighted = flat * np.repeat(weight, 2, axis=1)[..., None]
    normal = weighted.swapaxes(1, 2) @ flat
    right = (weighted * residual.reshape(len(flat), -1, 1)).sum(axis=1)
    diagonal = np.einsum("pii->pi", normal)
    diagonal += DAMPING * diagonal.mean(axis=1, keepdims=True) + 1e-12
    step: Float64[np.ndarray, "pairs 6"] = -np.linalg.solve(normal, right[..., None])[..., 0]
    return step


def rotation_angles_deg(
    rotations: Float64[np.ndarray, "pairs 3 3"],
) -> Float64[np.ndarray, " pairs"]:
    """Angles of rotations, degrees."""
    return np.degrees(Rotation.from_matrix(rotations).magnitude())


def centres_by_flow(
    samples: PairSamples,
    cameras: FlowCameras,
    camera_to_world: Float64[np.ndarray, "frames 4 4"],
) -> Float64[np.ndarray, "frames 3"]:
    """Camera centres that agree best with the pairs' shifts, in median depths; mean at 0.

    Args:
        camera_to_world: the estimated rotations turn the shifts of all pairs into one world.
    """
    frames = len(camera_to_world)
    first, second = samples.edges[cameras.known].T
    relative = cameras.to_second[cameras.known]
    in_first = -(relative[:, :3, :3].swapaxes(1, 2) @ relative[:, :3, 3:])
    shifts = (camera_to_world[first][:, :3, :3] @ in_first)[..., 0]
    rows = np.arange(len(first))
    system = np.zeros((len(first), frames))
    system[rows, second] += 1
    system[rows, first] -= 1
    centres = (
        np.linalg.lstsq(system, shifts, rcond=None)[0] if len(first) else np.zeros((frames, 3))
    )
    return centres - centres.mean(axis=0)


def spread(centres: Float64[np.ndarray, "frames 3"]) -> float:
    """Root mean square distance of points from their mean."""
    return float(np.sqrt(np.square(centres - centres.mean(axis=0)).sum(axis=1).mean()))


def off_straight_line(
    centres: Float64[np.ndarray, "frames 3"],
) -> Float64[np.ndarray, "frames 3"]:
    """From the evenly paced straight line that fits a path best to the path."""
    time = np.linspace(-1, 1, len(centres))
    around = centres - centres.mean(axis=0)
    velocity = time @ around / (time @ time)
    deviation: Float64[np.ndarray, "frames 3"] = around - time[:, None] * velocity
    return deviation


def bend_agreement(
    centres: Float64[np.ndarray, "frames 3"], others: Float64[np.ndarray, "frames 3"]
) -> float:
    """Whether two paths leave the straight line alike: 1 the same way, 0 unrelated, -1 opposite.

    Cosine between their deviations from their own best evenly paced lines; 0 where one has none.
    """
    one, other = off_straight_line(centres), off_straight_line(others)
    length = np.sqrt(np.square(one).sum() * np.square(other).sum())
    return float((one * other).sum() / length) if length > 0 else 0.0


def halves_agreement(
    samples: PairSamples, camera_to_world: Float64[np.ndarray, "frames 4 4"]
) -> float:
    """`bend_agreement` of the paths that flow gives in the left and the right half of the images.

    Errors of depth and flow differ between the halves; the camera does not.
    """
    middle = np.median(samples.pixels[:, 0])
    left = samples.pixels[:, 0] < middle
    paths = [
        centres_by_flow(half, flow_cameras(half), camera_to_world)
        for half in (samples.part(left), samples.part(~left))
    ]
    return bend_agreement(*paths)


def share(error: float, of: float) -> float:
    """An error as a share of a length, at most `LARGEST`."""
    return min(error / of, LARGEST) if of > 0 else LARGEST
