"""Undistorting is the inverse of OpenCV's model, written here a second time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.known import Distortion

examples = settings(max_examples=25, deadline=None, derandomize=True)
WIDTH, HEIGHT = 160, 120
small = st.floats(-0.005, 0.005)
tails = st.sampled_from([(), (0.02,), (0.02, 0.01, -0.01, 0.02)])
coefficients = st.tuples(st.floats(-0.15, 0.15), st.floats(-0.05, 0.05), small, small, tails)


def lens_of(values: tuple) -> Distortion:
    *first, tail = values
    return Distortion("OPENCV", (130.0, 135.0, 82.0, 57.0), (*first, *tail), (WIDTH, HEIGHT))


def distorted(lens: Distortion, pixels: np.ndarray) -> np.ndarray:
    """Where the lens shows what a pinhole would show at these pixels."""
    fx, fy, cx, cy = lens.matrix
    k1, k2, p1, p2, k3, k4, k5, k6 = (*lens.coefficients, *[0] * 8)[:8]
    x, y = ((pixels - (cx, cy)) / (fx, fy)).T
    r = x**2 + y**2
    radial = (1 + k1 * r + k2 * r**2 + k3 * r**3) / (1 + k4 * r + k5 * r**2 + k6 * r**3)
    u = x * radial + 2 * p1 * x * y + p2 * (r + 2 * x**2)
    v = y * radial + p1 * (r + 2 * y**2) + 2 * p2 * x * y
    return np.stack([u * fx + cx, v * fy + cy], axis=1)


def grid() -> np.ndarray:
    return np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), axis=-1).astype(float)


@examples
@given(values=coefficients)
def test_an_undistorted_image_is_that_of_the_pinhole(values: tuple) -> None:
    """The picture is its own coordinates: at a pinhole's pixel stands where the lens shows it."""
    lens = lens_of(values)
    image = grid().astype(np.float32)
    undistorted = lens.undistort(image, "linear").reshape(-1, 2)
    expected = distorted(lens, grid().reshape(-1, 2))
    inside = ((expected > 0) & (expected < (WIDTH - 1, HEIGHT - 1))).all(axis=1)
    assert inside.mean() > 0.7
    assert np.abs(undistorted - expected)[inside].max() < 0.1


@examples
@given(values=coefficients)
def test_undistorted_points_are_those_of_the_pinhole(values: tuple) -> None:
    lens = lens_of(values)
    pixels = grid()[::7, ::7].reshape(-1, 2)
    back = lens.undistort_points(distorted(lens, pixels))
    assert np.abs(back - pixels).max() < 0.1
    assert len(lens.undistort_points(pixels[:0])) == 0


def test_what_the_source_does_not_show_is_black() -> None:
    lens = Distortion("OPENCV", (130.0, 135.0, 82.0, 57.0), (0.3, 0.0, 0.0, 0.0), (WIDTH, HEIGHT))
    undistorted = lens.undistort(np.full((HEIGHT, WIDTH, 3), 200, np.uint8), "linear")
    assert undistorted[0, 0].tolist() == [0, 0, 0]
    assert undistorted[57, 82].tolist() == [200, 200, 200]


def test_a_polynomial_that_turns_back_does_not_show_the_middle_again() -> None:
    """r (1 - r^2 / 2) has its greatest value at r = .82; here corners have r = 1.6."""
    lens = Distortion("OPENCV", (60.0, 60.0, 79.5, 59.5), (-0.5, 0.0, 0.0, 0.0), (WIDTH, HEIGHT))
    undistorted = lens.undistort(np.full((HEIGHT, WIDTH), 200, np.uint8), "nearest")
    radius = np.hypot(*np.moveaxis((grid() - (79.5, 59.5)) / 60, -1, 0))
    assert (undistorted[radius > 0.83] == 0).all()
    assert (undistorted[radius < 0.8] == 200).all()


def test_masks_stay_masks_and_sizes_are_checked() -> None:
    lens = Distortion("OPENCV", (130.0, 135.0, 82.0, 57.0), (0.1, 0.0, 0.0, 0.0), (WIDTH, HEIGHT))
    mask = (grid()[..., 0] > 80).astype(np.uint8)
    assert set(np.unique(lens.undistort(mask, "nearest"))) == {0, 1}
    with pytest.raises(ValueError, match="the lens is of"):
        lens.undistort(mask[:-1], "nearest")
