"""Trajectory scores: blind to a similarity, exact on errors put in on purpose, equal to evo's."""

import math

import numpy as np
import pytest
from evo.core.metrics import APE, RPE, PoseRelation
from evo.core.trajectory import PosePath3D
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from easi3r.evaluation import score_still_camera, score_trajectory

SCENE_DEPTH = 1.0


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


def still_path(frames: int = 5) -> np.ndarray:
    return np.tile(np.eye(4), (frames, 1, 1))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100))
def test_a_similarity_of_the_world_is_no_error(seed: int, scale: float) -> None:
    truth, world = random_path(seed), random_path(seed + 1)[0]
    moved = world @ truth
    moved[:, :3, 3] *= scale
    scores = score_trajectory(moved, truth, SCENE_DEPTH)
    assert scores.ate == pytest.approx(0, abs=1e-6)
    assert scores.rpe_translation == pytest.approx(0, abs=1e-6)
    assert scores.rpe_rotation_deg == pytest.approx(0, abs=1e-5)
    assert scores.pairs.rotation_deg.max() == pytest.approx(0, abs=1e-6)
    assert scores.pairs.direction_deg.max() == pytest.approx(0, abs=1e-6)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_ate_and_rpe_are_evos(seed: int) -> None:
    truth, estimate = random_path(seed), random_path(seed + 1)
    reference, aligned = (PosePath3D(poses_se3=list(poses)) for poses in (truth, estimate))
    aligned.align(reference, correct_scale=True)
    expected = []
    for metric in (
        APE(PoseRelation.translation_part),
        RPE(PoseRelation.translation_part),
        RPE(PoseRelation.rotation_angle_deg),
    ):
        metric.process_data((reference, aligned))
        expected.append(metric.get_all_statistics()["rmse"])
    scores = score_trajectory(estimate, truth, SCENE_DEPTH)
    errors = [scores.ate, scores.rpe_translation, scores.rpe_rotation_deg]
    assert errors == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("angle", [1e-5, 3.0, 90.0, 179.0])
def test_rotation_error_of_one_camera_counts_in_its_pairs(angle: float) -> None:
    truth = straight_path(frames=5)
    estimate = truth.copy()
    estimate[4, :3, :3] = Rotation.from_euler("y", angle, degrees=True).as_matrix()
    scores = score_trajectory(estimate, truth, SCENE_DEPTH)
    # 4 of 10 pairs hold camera 4, one for each gap.
    assert scores.pairs.rotation_deg.mean() == pytest.approx(0.4 * angle, rel=1e-6)
    wrong = scores.pairs.rotation_deg > 0
    assert sorted(scores.pairs.gap[wrong]) == [1, 2, 3, 4]
    assert scores.rotation_deg == 0


def test_direction_error_of_a_path_that_runs_backwards() -> None:
    truth = straight_path()
    assert score_trajectory(truth[::-1].copy(), truth, SCENE_DEPTH).direction_deg == 180


def test_pairs_without_baseline_have_no_direction() -> None:
    truth = straight_path(frames=5)
    pairs = score_trajectory(truth, truth, scene_depth=125.0).pairs  # 2 % of which is 2.5
    assert np.isnan(pairs.direction_deg[pairs.gap <= 2]).all()
    assert (pairs.direction_deg[pairs.gap > 2] == 0).all()
    assert math.isnan(score_trajectory(truth, truth, scene_depth=500.0).direction_deg)


def test_estimate_that_stands_still() -> None:
    truth = straight_path(frames=5)
    scores = score_trajectory(still_path(), truth, SCENE_DEPTH)
    assert scores.ate == pytest.approx(truth[:, 2, 3].std())
    assert scores.rpe_translation == 1
    assert scores.rotation_deg == 0
    assert scores.direction_deg == 90


def test_estimate_on_a_line_fits_a_line_anywhere() -> None:
    truth = straight_path(frames=5)
    sideways = still_path()
    sideways[:, 0, 3] = 3 * np.arange(5)
    scores = score_trajectory(sideways, truth, SCENE_DEPTH)
    assert scores.ate == pytest.approx(0, abs=1e-9)
    assert scores.direction_deg == pytest.approx(90)


def test_true_camera_that_stands_still_has_rotations_only() -> None:
    scores = score_trajectory(random_path(0, frames=4), still_path(4), SCENE_DEPTH)
    assert math.isnan(scores.ate)
    assert math.isnan(scores.rpe_translation)
    assert math.isnan(scores.direction_deg)
    assert scores.rotation_deg > 1


def test_drift_and_rotation_of_a_still_camera() -> None:
    estimate = still_path(2)
    estimate[1, 0, 3] = 2.0
    estimate[1, :3, :3] = Rotation.from_euler("y", 5, degrees=True).as_matrix()
    true_depth = np.full((2, 4, 4), 8, np.float32)
    true_depth[:, 0] = 0  # not known
    depth = np.full((2, 4, 4), 4, np.float32)
    depth[:, 0] = 1000
    scores = score_still_camera(estimate, depth, true_depth)
    # Half the true scale: 1 from the mean either way is 2, a quarter of the depth.
    assert scores.wander == pytest.approx(0.25)
    assert scores.rotation_deg == pytest.approx(5)
    still = score_still_camera(still_path(2), depth, true_depth)
    assert (still.wander, still.rotation_deg) == (0, 0)
