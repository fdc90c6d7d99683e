"""Mask scores on masks whose overlap is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.evaluation import score_masks


def bars(*widths: int) -> np.ndarray:
    """One frame per width: that many of ten columns are True."""
    return np.array([[np.arange(10) < width] * 4 for width in widths])


def test_jaccard_and_recall_of_known_overlaps() -> None:
    mask, truth = bars(2, 6, 10), bars(8, 8, 8)
    scores = score_masks(mask, mask.astype(np.float32), truth)
    assert scores.jaccard_mean == pytest.approx((2 / 8 + 6 / 8 + 8 / 10) / 3)
    assert scores.jaccard_recall == pytest.approx(2 / 3)


def test_both_empty_agree_and_one_empty_does_not() -> None:
    mask, truth = bars(0, 0), bars(0, 5)
    scores = score_masks(mask, np.zeros(mask.shape, np.float32), truth)
    assert scores.jaccard_mean == 0.5
    assert scores.auc == 0.5


def test_exactly_half_is_not_recalled() -> None:
    mask, truth = bars(4), bars(8)
    assert score_masks(mask, mask.astype(np.float32), truth).jaccard_recall == 0


def test_auc_needs_no_threshold_and_both_kinds_of_pixels() -> None:
    truth, ramp = bars(5), np.linspace(1, 0, 40, dtype=np.float32).reshape(1, 4, 10)
    by_column = np.broadcast_to(np.linspace(1, 0, 10, dtype=np.float32), (1, 4, 10))
    assert score_masks(truth, by_column, truth).auc == 1
    assert 0.5 < score_masks(truth, ramp, truth).auc < 1
    assert score_masks(truth, -by_column, truth).auc == 0
    assert math.isnan(score_masks(truth, ramp, bars(0)).auc)
    assert math.isnan(score_masks(truth, ramp, bars(10)).auc)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_truth_itself_is_perfect_and_scores_are_symmetric(seed: int) -> None:
    first, second = np.random.default_rng(seed).random((2, 3, 5, 6)) > 0.6
    flat = np.zeros(first.shape, np.float32)
    assert score_masks(first, flat, first).jaccard_mean == 1
    there, back = score_masks(first, flat, second), score_masks(second, flat, first)
    assert there.jaccard_mean == back.jaccard_mean
    assert 0 <= there.jaccard_mean <= 1


def test_auc_against_objects_ignores_the_background() -> None:
    truth, objects = bars(2), bars(5)
    score = np.zeros((1, 4, 10), np.float32)
    score[..., 2:5], score[..., :2] = 0.5, 0.4  # look-alikes outscore movers, both the background
    scores = score_masks(truth, score, truth, objects)
    assert scores.auc_objects == 0
    assert scores.auc == pytest.approx(5 / 8)
    assert math.isnan(score_masks(truth, score, truth).auc_objects)
    assert math.isnan(score_masks(truth, score, truth, truth).auc_objects)


def test_false_positives_are_a_share_of_what_stands_still() -> None:
    flat = np.zeros((1, 4, 10), np.float32)
    assert score_masks(bars(7), flat, bars(2)).false_positive_share == pytest.approx(5 / 8)
    assert score_masks(bars(2), flat, bars(0)).false_positive_share == pytest.approx(0.2)
    assert score_masks(bars(1), flat, bars(2)).false_positive_share == 0
    assert math.isnan(score_masks(bars(1), flat, bars(10)).false_positive_share)
