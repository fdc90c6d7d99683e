"""Scores of probabilities against values computed by hand."""

import numpy as np
import pytest

from easi3r.evaluation.probability_scores import (
    area_under_curve,
    calibration_curve,
    expected_calibration_error,
    interval,
    rank_correlation,
)


def test_the_area_under_the_curve_counts_pairs() -> None:
    score = np.array([0.1, 0.4, 0.4, 0.8])
    positive = np.array([False, True, False, True])
    # (0.4, 0.1) and both pairs of 0.8 are in order, (0.4, 0.4) is a tie: 3.5 of 4
    assert area_under_curve(score, positive) == pytest.approx(3.5 / 4)
    assert area_under_curve(-score, positive) == pytest.approx(0.5 / 4)


def test_without_both_kinds_there_is_no_area() -> None:
    assert np.isnan(area_under_curve(np.array([0.1, 0.2]), np.array([True, True])))


def test_the_calibration_error_weighs_bins_by_their_cases() -> None:
    probability = np.array([0.0, 0.05, 0.1, 0.95])
    outcome = np.array([False, False, True, False])
    first, last = calibration_curve(probability, outcome)
    assert (first.count, first.probability, first.share) == (3, pytest.approx(0.05), 1 / 3)
    assert (last.low, last.high, last.count, last.share) == (0.9, 1.0, 1, 0.0)
    # 3/4 * |.05 - 1/3| + 1/4 * |.95 - 0|
    expected = 0.75 * (1 / 3 - 0.05) + 0.25 * 0.95
    assert expected_calibration_error(probability, outcome) == pytest.approx(expected)


def test_a_calibrated_probability_has_no_error() -> None:
    probability = np.repeat([0.25, 0.75], 4)
    outcome = np.array([1, 0, 0, 0, 1, 1, 1, 0], bool)
    assert expected_calibration_error(probability, outcome) == 0


def test_ranks_correlate_by_order_alone() -> None:
    assert rank_correlation(np.array([1.0, 2, 3]), np.array([1.0, 10, 1000])) == pytest.approx(1)
    # ranks (1, 2, 3) and (2, 1, 3): 1 - 6 * 2 / (3 * 8)
    assert rank_correlation(np.array([1.0, 2, 3]), np.array([5.0, 1, 9])) == pytest.approx(0.5)


def test_an_interval_resamples_whole_groups() -> None:
    values = np.array([0.0, 0, 0, 1, 1, 1])
    alike = interval(lambda chosen: float(values[chosen].mean()), ["a"] * 6)
    apart = interval(lambda chosen: float(values[chosen].mean()), ["a"] * 3 + ["b"] * 3)
    assert alike == (0.5, 0.5)
    assert apart == (0.0, 1.0)
