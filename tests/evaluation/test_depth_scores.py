"""Depth and point scores on errors put in on purpose."""

import itertools
import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from easi3r.evaluation import score_depth, score_points
from easi3r.evaluation.depth_scores import point_distances, score_depth_per_frame


def random_depth(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1, 5, (3, 8, 10)).astype(np.float32)


def test_one_factor_for_the_clip_is_no_error() -> None:
    truth = random_depth()
    scores = score_depth(7.5 * truth, truth)
    assert scores.abs_rel == pytest.approx(0, abs=1e-6)
    assert scores.delta_1_25 == 1


def test_a_factor_per_frame_is_an_error() -> None:
    truth = random_depth()
    drifting = truth * np.array([1, 1.2, 1.5], np.float32)[:, None, None]
    scores = score_depth(drifting, truth)
    # The median factor is 1.2: frames are off by 1 - 1/1.2, 0 and 0.25.
    assert scores.abs_rel == pytest.approx((1 / 6 + 0 + 0.25) / 3, rel=1e-5)


def test_delta_counts_pixels_within_a_quarter() -> None:
    truth = np.ones((1, 1, 10), np.float32)
    estimate = truth.copy()
    estimate[..., :2] = (1.3, 0.75)
    assert score_depth(estimate, truth).delta_1_25 == 0.8


@pytest.mark.parametrize("unknown", [0.0, math.nan])
def test_unknown_truth_is_left_out(unknown: float) -> None:
    truth, estimate = random_depth(), random_depth()
    estimate[:, :4] = 100
    truth[:, :4] = unknown
    assert score_depth(estimate, truth).abs_rel == 0
    assert math.isnan(score_depth(estimate, np.full_like(truth, unknown)).abs_rel)


def test_points_after_a_similarity() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(size=(2, 5, 6, 3))
    turned = 3 * truth @ Rotation.random(random_state=rng).as_matrix() + 5
    known = np.ones(truth.shape[:3], bool)
    scores = score_points(turned, truth, known)
    assert list(vars(scores).values()) == pytest.approx([0, 0, 0], abs=1e-9)
    turned[0, 0] += 100
    assert score_points(turned, truth, known).distance > 1
    known[0, 0] = False
    assert score_points(turned, truth, known).distance == pytest.approx(0, abs=1e-9)
    assert math.isnan(score_points(turned, truth, np.zeros_like(known)).distance)


def test_points_off_by_a_known_distance() -> None:
    # Corners of a cube, every other one pulled out and pushed in by a tenth: by symmetry the best
    # similarity is the scale 2 / (1.1**2 + 0.9**2).
    corners = np.array(list(itertools.product([-1.0, 1.0], repeat=3)))
    factor = 1 + 0.1 * corners.prod(axis=1, keepdims=True)
    scale = 2 / (1.1**2 + 0.9**2)
    expected = math.sqrt(3) * ((1.1 * scale - 1) + (1 - 0.9 * scale)) / 2
    shape = (1, 2, 4, 3)
    scores = score_points(
        (factor * corners).reshape(shape), corners.reshape(shape), np.ones(shape[:3], bool)
    )
    # Every corner is nearest to itself, so all three are the same.
    assert list(vars(scores).values()) == pytest.approx([expected] * 3)


def test_a_nearest_point_is_never_farther_than_that_of_the_same_pixel() -> None:
    truth, estimate = np.random.default_rng(4).normal(size=(2, 2, 5, 6, 3))
    scores = score_points(estimate, truth, np.ones(truth.shape[:3], bool))
    assert 0 < scores.accuracy < scores.distance
    assert 0 < scores.completeness < scores.distance


def test_half_a_cloud_is_accurate_but_not_complete() -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(size=(1, 20, 20, 3))
    collapsed = truth.copy()
    collapsed[..., 2] = np.abs(truth[..., 2])  # as if only the front were seen
    scores = score_points(collapsed, truth, np.ones(truth.shape[:3], bool))
    assert scores.completeness > 1.3 * scores.accuracy


def test_a_scale_and_a_shift_of_each_frame_are_forgiven() -> None:
    truth = np.random.default_rng(0).uniform(1, 4, (3, 6, 8)).astype(np.float32)
    drift = np.array([0.5, 2.0, 3.0], np.float32)[:, None, None]
    estimate = truth * drift + drift
    assert score_depth(estimate, truth).abs_rel > 0.1
    scores = score_depth_per_frame(estimate, truth)
    assert scores.abs_rel == pytest.approx(0, abs=1e-6)
    assert scores.delta_1_25 == 1


def test_known_errors_of_depth_by_hand() -> None:
    """A tenth of the pixels 30 % too far; unknown pixels and frames take no part."""
    truth = np.full((3, 10, 10), 2.0, np.float32)
    truth[1] = 0
    estimate = np.where(truth > 0, truth * 5, np.float32(1000))
    estimate[:, 0] *= 1.3
    scores = score_depth(estimate, truth)
    assert scores.abs_rel == pytest.approx(0.03, abs=1e-6)
    assert scores.delta_1_25 == pytest.approx(0.9)
    # One depth is true in every frame: its best fit is the mean, wherever the estimate errs.
    assert score_depth_per_frame(estimate, truth).abs_rel == pytest.approx(0, abs=1e-6)
    nothing = score_depth_per_frame(estimate, np.zeros_like(truth))
    assert math.isnan(nothing.abs_rel)


def test_one_depth_fits_a_frame_by_its_mean() -> None:
    truth = np.array([[[1.0, 3.0]]], np.float32)
    scores = score_depth_per_frame(np.ones_like(truth), truth)
    assert scores.abs_rel == pytest.approx((1 + 1 / 3) / 2)


def test_distances_of_points_by_hand() -> None:
    truth = np.array([[0.0, 0, 0], [10, 0, 0], [20, 0, 0]])
    estimate = truth + np.array([[1.0, 0, 0], [2, 0, 0], [-6, 0, 0]])  # at 1, 12 and 14
    scores = point_distances(estimate, truth)
    assert scores.distance == pytest.approx(3)
    assert scores.distance_median == pytest.approx(2)
    assert scores.accuracy == pytest.approx((1 + 2 + 4) / 3)
    assert scores.accuracy_median == pytest.approx(2)
    assert scores.completeness == pytest.approx((1 + 2 + 6) / 3)
    assert scores.completeness_median == pytest.approx(2)
    assert math.isnan(point_distances(estimate[:0], truth[:0]).accuracy)
