"""Mending timestamps."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.video.timestamps import ascending_times

NONE = math.nan


@pytest.mark.parametrize(
    ("pts", "dts", "mended"),
    [
        ([8.3, 8.4, 9.0], [NONE] * 3, None),  # good as they are
        ([NONE] * 4, [NONE] * 4, [0.0, 0.1, 0.2, 0.3]),
        ([0.0, 1.0, 1.0, 2.0], [NONE] * 4, [0.0, 1.0, 1.5, 2.0]),  # a duplicate
        ([NONE, 1.0, NONE, 2.0, NONE], [NONE] * 5, [0.9, 1.0, 1.5, 2.0, 2.1]),
        ([5.0, 6.0, 0.0, 1.0], [NONE] * 4, [5.0, 6.0, 6.1, 6.2]),  # the clock starts anew
        ([1.0, 3.0, 4.0, 2.0], [2.0, 3.0, 4.0, 5.0], [2.0, 3.0, 4.0, 5.0]),  # AVI
    ],
)
def test_unusable_timestamps_are_mended(
    pts: list[float], dts: list[float], mended: list[float] | None
) -> None:
    times, derived = ascending_times(pts, dts, 0.1)
    assert derived == (mended is not None)
    np.testing.assert_allclose(times, pts if mended is None else mended, atol=1e-12)


@given(st.lists(st.one_of(st.just(NONE), st.integers(0, 20).map(float)), min_size=1, max_size=30))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_mended_times_ascend_and_keep_sound_ones(pts: list[float]) -> None:
    times, derived = ascending_times(pts, [NONE] * len(pts), 0.1)
    assert len(times) == len(pts)
    assert (np.diff(times) > 0).all()
    latest = -math.inf
    for original, time in zip(pts, times, strict=True):
        if original > latest:
            assert time == pytest.approx(original, abs=1e-12)
            latest = original
    assert derived == (len(set(pts)) < len(pts) or pts != sorted(pts) or math.isnan(sum(pts)))


def test_neither_timestamps_nor_a_rate_is_an_error() -> None:
    with pytest.raises(ValueError, match="neither timestamps nor a frame rate"):
        ascending_times([NONE, NONE], [NONE, NONE], None)
