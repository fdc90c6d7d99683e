"""Camera paths with errors put in on purpose, held against values worked out by hand and evo's."""

import math

import numpy as np
import pytest
from evo.core.metrics import APE, RPE, PoseRelation
from evo.core.trajectory import PosePath3D
from scipy.spatial.transform import Rotation

from easi3r.evaluation.path_scores import PathScores, score_path

FRAMES = 20


def path(seed: int = 0, frames: int = FRAMES) -> np.ndarray:
    rng = np.random.default_rng(seed)
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, :3, :3] = Rotation.random(frames, random_state=rng).as_matrix()
    poses[:, :3, 3] = rng.normal(size=(frames, 3)).cumsum(axis=0)
    return poses


def errors(scores: PathScores) -> list[float]:
    return [scores.ate, scores.rpe_translation, scores.rpe_rotation_deg]


def test_truth_itself_has_no_error() -> None:
    assert errors(score_path(path(), path())) == pytest.approx([0, 0, 0], abs=1e-6)


def test_a_path_of_another_size_in_another_world_has_no_error() -> None:
    moved = path(9)[0] @ path()
    moved[:, :3, 3] *= 0.37
    assert errors(score_path(moved, path())) == pytest.approx([0, 0, 0], abs=1e-6)


def test_a_turn_of_five_degrees_counts_in_two_steps() -> None:
    turned = path()
    turned[7, :3, :3] = turned[7, :3, :3] @ Rotation.from_euler("y", 5, degrees=True).as_matrix()
    scores = score_path(turned, path())
    assert scores.ate == pytest.approx(0, abs=1e-6)
    assert scores.rpe_rotation_deg == pytest.approx(5 * math.sqrt(2 / (FRAMES - 1)), abs=1e-6)


def test_one_camera_out_of_place_by_hand() -> None:
    """A square whose corner is drawn out: mirrored, so that the best similarity is known."""
    corners = np.array([[1.0, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]])
    truth, estimate = (np.tile(np.eye(4), (4, 1, 1)) for _ in range(2))
    truth[:, :3, 3] = corners
    estimate[:, :3, 3] = corners * [[1.2], [0.8], [1.2], [0.8]]
    # The best scale is 4 / (2 * 1.44 + 2 * .64); no rotation, no shift.
    scale = 4 / 4.16
    expected = math.sqrt(((1.2 * scale - 1) ** 2 + (0.8 * scale - 1) ** 2) / 2)
    scores = score_path(estimate, truth)
    assert scores.ate == pytest.approx(expected, abs=1e-6)
    step = np.hypot(1.2 * scale - 1, 0.8 * scale - 1)  # every step errs by both of its ends
    assert scores.rpe_translation == pytest.approx(step, abs=1e-6)


def test_all_scores_are_evos() -> None:
    truth, estimate = path(1), path(2)
    reference, aligned = (PosePath3D(poses_se3=list(poses)) for poses in (truth, estimate))
    aligned.align(reference, correct_scale=True)
    metrics = [
        APE(PoseRelation.translation_part),
        RPE(PoseRelation.translation_part),
        RPE(PoseRelation.rotation_angle_deg),
    ]
    for metric in metrics:
        metric.process_data((reference, aligned))
    expected = [metric.get_all_statistics()["rmse"] for metric in metrics]
    assert errors(score_path(estimate, truth)) == pytest.approx(expected, rel=1e-6)


def test_a_tenth_of_the_frames_missing_leaves_the_others_as_they_are() -> None:
    """ATE is evo's of the 18 others; RPE skips the steps into and out of the missing ones."""
    truth, estimate = path(1), path(2)
    missing = [5, 12]
    others = [frame for frame in range(FRAMES) if frame not in missing]
    reference, aligned = (PosePath3D(poses_se3=list(poses[others])) for poses in (truth, estimate))
    aligned.align(reference, correct_scale=True)
    whole = APE(PoseRelation.translation_part)
    whole.process_data((reference, aligned))
    steps = []
    for a, b in zip(range(17), range(1, 18), strict=True):
        if others[b] - others[a] == 1:
            true = np.linalg.inv(reference.poses_se3[a]) @ reference.poses_se3[b]
            ours = np.linalg.inv(aligned.poses_se3[a]) @ aligned.poses_se3[b]
            steps.append(np.linalg.norm((np.linalg.inv(true) @ ours)[:3, 3]))
    assert len(steps) == FRAMES - 1 - 4
    lost = truth.copy()
    lost[missing] = np.nan
    scores = score_path(estimate, lost)
    assert scores.ate == pytest.approx(whole.get_all_statistics()["rmse"], abs=1e-6)
    assert scores.rpe_translation == pytest.approx(math.sqrt(np.square(steps).mean()), abs=1e-6)
    estimate[missing] = path(3)[missing]  # what was said of them does not matter
    assert errors(score_path(estimate, lost)) == pytest.approx(errors(scores), abs=1e-12)


def test_degenerate_paths_have_no_score_and_a_reason() -> None:
    still = path()
    still[:, :3, 3] = 0
    scores = score_path(path(), still)
    assert math.isnan(scores.ate)
    assert math.isnan(scores.rpe_translation)
    assert scores.rpe_rotation_deg == pytest.approx(0, abs=1e-5)
    assert scores.problem == "the true camera stands still"
    two = path()
    two[2:] = np.nan
    scores = score_path(path(), two)
    assert all(math.isnan(value) for value in errors(scores))
    assert scores.problem == "2 true poses fix no similarity"
