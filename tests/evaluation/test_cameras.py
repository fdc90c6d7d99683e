"""Trajectory scores: blind to a similarity, exact on errors put in on purpose."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from easi3r.evaluation import score_trajectory


def random_path(seed: int, frames: int = 6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, :3, :3] = Rotation.random(frames, random_state=rng).as_matrix()
    poses[:, :3, 3] = rng.normal(size=(frames, 3))
    return poses


def straight_path(frames: int = 5) -> np.ndarray:
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, 2, 3] = np.arange(frames)
    return poses


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100))
def test_a_similarity_of_the_world_is_no_error(seed: int, scale: float) -> None:
    truth, world = random_path(seed), random_path(seed + 1)[0]
    moved = world @ truth
    moved[:, :3, 3] *= scale
    scores = score_trajectory(moved, truth)
    assert scores.ate == pytest.approx(0, abs=1e-6)
    assert scores.rotation_deg == pytest.approx(0, abs=1e-6)
    assert scores.direction_deg == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("angle", [1e-5, 3.0, 90.0, 179.0])
def test_rotation_error_of_one_camera_counts_in_its_pairs(angle: float) -> None:
    truth = straight_path(frames=5)
    estimate = truth.copy()
    estimate[4, :3, :3] = Rotation.from_euler("y", angle, degrees=True).as_matrix()
    # 4 of 10 pairs hold camera 4.
    assert score_trajectory(estimate, truth).rotation_deg == pytest.approx(0.4 * angle, rel=1e-6)


def test_direction_error_of_a_path_that_runs_backwards() -> None:
    truth = straight_path()
    assert score_trajectory(truth[::-1].copy(), truth).direction_deg == pytest.approx(180)


def test_estimate_that_stands_still() -> None:
    truth = straight_path(frames=5)
    scores = score_trajectory(np.tile(np.eye(4), (5, 1, 1)), truth)
    assert scores.ate == pytest.approx(truth[:, 2, 3].std())
    assert scores.rotation_deg == 0
    assert scores.direction_deg == 90


def test_true_camera_that_stands_still_has_rotations_only() -> None:
    truth = np.tile(np.eye(4), (4, 1, 1))
    scores = score_trajectory(random_path(0, frames=4), truth)
    assert math.isnan(scores.ate)
    assert math.isnan(scores.direction_deg)
    assert scores.rotation_deg > 1
