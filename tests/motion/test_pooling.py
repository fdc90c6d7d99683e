"""Pooling of motion evidence, against means computed by hand."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from easi3r.motion.pooling import neighbourhood_mean, superpixel_mean, superpixels, trajectory_mean
from easi3r.types import OpticalFlow

HEIGHT, WIDTH = 24, 36
EDGES = np.array([[0, 1], [1, 0]], np.int64)


def constant_flow(shift: int, consistent: bool) -> OpticalFlow:
    """Two frames; what is in the first is `shift` pixels further right in the second."""
    flow = np.zeros((2, HEIGHT, WIDTH, 2), np.float32)
    flow[0, ..., 0], flow[1, ..., 0] = shift, -shift
    return OpticalFlow(EDGES, flow, np.full((2, HEIGHT, WIDTH), consistent))


@given(st.integers(-6, 6), st.integers(0, 2**32 - 1))
def test_trajectory_mean_is_the_mean_over_both_ends(shift: int, seed: int) -> None:
    values = np.random.default_rng(seed).uniform(size=(2, HEIGHT, WIDTH)).astype(np.float32)
    means = trajectory_mean(values, constant_flow(shift, consistent=True))
    inside = slice(8, WIDTH - 8)
    moved = np.roll(values[1], -shift, axis=1)
    np.testing.assert_allclose(means[0][:, inside], ((values[0] + moved) / 2)[:, inside], rtol=1e-5)
    back = np.roll(values[0], shift, axis=1)
    np.testing.assert_allclose(means[1][:, inside], ((values[1] + back) / 2)[:, inside], rtol=1e-5)


def test_trajectory_mean_ignores_inconsistent_flow() -> None:
    values = np.arange(2 * HEIGHT * WIDTH, dtype=np.float32).reshape(2, HEIGHT, WIDTH)
    np.testing.assert_array_equal(
        trajectory_mean(values, constant_flow(3, consistent=False)), values
    )


def test_superpixels_follow_edges() -> None:
    images = np.full((2, HEIGHT, WIDTH, 3), 40, np.uint8)
    images[:, 5:19, 10:24] = 220
    patches = superpixels(images)
    assert patches.shape == (2, HEIGHT, WIDTH)
    bright = images[..., 0] > 128
    # A patch is bright or dark: the means of a map that says which are the map itself.
    np.testing.assert_allclose(
        superpixel_mean(bright.astype(np.float32), patches), bright, atol=0.25
    )
    assert 60 < patches[0].max() < 340


@given(st.integers(0, 2**32 - 1))
def test_superpixel_mean_is_the_mean_of_each_label(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.uniform(size=(2, HEIGHT, WIDTH)).astype(np.float32)
    patches = rng.integers(0, 9, values.shape)
    means = superpixel_mean(values, patches)
    for frame in range(2):
        for number in np.unique(patches[frame]):
            there = patches[frame] == number
            np.testing.assert_allclose(means[frame][there], values[frame][there].mean(), rtol=1e-5)


def test_pooling_leaves_constant_maps_unchanged() -> None:
    values = np.full((2, HEIGHT, WIDTH), 0.7, np.float32)
    for means in (
        neighbourhood_mean(values),
        trajectory_mean(values, constant_flow(2, consistent=True)),
        superpixel_mean(values, np.zeros(values.shape, np.int64)),
    ):
        np.testing.assert_allclose(means, values, rtol=1e-5)
