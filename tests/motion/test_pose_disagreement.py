"""Optical flow of a rigid scene, in closed form, against right and wrong poses."""

import numpy as np
import pytest

from easi3r.geometry import (
    backproject,
    centred_intrinsics,
    invert_rigid,
    pixel_grid,
    project,
    transform_points,
)
from easi3r.motion import DISAGREEMENT_LIMIT, pose_disagreement
from easi3r.types import OpticalFlow

HEIGHT, WIDTH, FRAMES = 48, 64, 6
INTRINSICS = np.tile(centred_intrinsics(60.0, WIDTH, HEIGHT), (FRAMES, 1, 1))
EDGES = np.array([(i, j) for i in range(FRAMES) for j in range(FRAMES) if 0 < abs(i - j) < 4])


def turned_path(degrees: float, step: float, seed: int = 0) -> np.ndarray:
    """A camera that turns and moves by so much a frame, about and along axes drawn once."""
    rng = np.random.default_rng(seed)
    axis, way = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    for frame, angle in enumerate(np.radians(degrees) * np.arange(FRAMES)):
        poses[frame, :3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
        poses[frame, :3, 3] = step * frame * way
    return poses


def rigid_flow(poses: np.ndarray, noise_px: float = 0.1) -> OpticalFlow:
    rng = np.random.default_rng(1)
    depth = rng.uniform(2, 6, (HEIGHT, WIDTH))
    flows = []
    for first, second in EDGES.tolist():
        points = backproject(depth, INTRINSICS[first]).reshape(-1, 3)
        seen = transform_points(invert_rigid(poses[second]) @ poses[first], points)
        landing = project(seen, INTRINSICS[second]).reshape(HEIGHT, WIDTH, 2)
        flows.append(landing - pixel_grid(HEIGHT, WIDTH))
    flow = np.stack(flows) + rng.normal(scale=noise_px, size=(len(EDGES), HEIGHT, WIDTH, 2))
    return OpticalFlow(EDGES, flow.astype(np.float32), np.ones(flow.shape[:3], bool))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("degrees", "step"), [(0, 0.15), (1.5, 0.1), (1.5, 0.0)])
def test_right_poses_explain_the_flow_and_wrong_ones_do_not(
    degrees: float, step: float, seed: int
) -> None:
    poses = turned_path(degrees, step, seed)
    flow = rigid_flow(poses)
    assert pose_disagreement(flow, INTRINSICS, poses) < 0.15
    scaled = poses.copy()
    scaled[:, :3, 3] *= 100  # of another unit
    assert pose_disagreement(flow, INTRINSICS, scaled) < 0.15
    assert pose_disagreement(flow, INTRINSICS, invert_rigid(poses)) > DISAGREEMENT_LIMIT
    other = turned_path(6, 0.1, seed + 100)  # so little as 1.5 a translation may imitate
    assert pose_disagreement(flow, INTRINSICS, other) > DISAGREEMENT_LIMIT


def test_what_moves_by_itself_is_no_reason() -> None:
    poses = turned_path(1.0, 0.1)
    flow = rigid_flow(poses)
    flow.flow[:, :20] += 7
    assert pose_disagreement(flow, INTRINSICS, poses) < 0.2


def test_a_camera_that_stands_still_disagrees_with_poses_that_move() -> None:
    still = turned_path(0, 0)
    flow = rigid_flow(still)
    assert pose_disagreement(flow, INTRINSICS, still) < 0.2
    assert pose_disagreement(flow, INTRINSICS, turned_path(3.0, 0)) == 1


def test_without_consistent_flow_nobody_knows() -> None:
    flow = rigid_flow(turned_path(1.0, 0.1))
    flow.consistent[:] = False
    assert np.isnan(pose_disagreement(flow, INTRINSICS, turned_path(1.0, 0.1)))
