"""Solving for depths: never raises the distances, ends at the weighted median distance."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from easi3r.alignment.depths import MAX_FACTOR, RayDistances


def distances(seed: int, spread: float, rounding: float) -> tuple[RayDistances, torch.Tensor]:
    """Seven maps of 40 pixels of 2 frames, about depth 1, and depths to start with."""
    random = torch.Generator().manual_seed(seed)
    rays = torch.cat([torch.rand(2, 2, 40, generator=random) - 0.5, torch.ones(2, 1, 40)], dim=1)
    noise = torch.randn(2, 7, 3, 40, generator=random)
    points = rays[:, None] + spread * noise
    weight = torch.rand(2, 7, 40, generator=random)
    initial = torch.rand(2, 40, generator=random) + 0.5
    return RayDistances.of(points, rays, weight, rounding), initial


def total(ahead: RayDistances, depth: torch.Tensor) -> torch.Tensor:
    return (ahead.weight * ahead.distance(depth)).sum(1)


@given(seed=st.integers(0, 10**6), spread=st.sampled_from([1e-3, 0.05, 0.5]))
def test_no_sweep_raises_the_weighted_distances(seed: int, spread: float) -> None:
    ahead, depth = distances(seed, spread, 0.0)
    for _ in range(6):
        lower = ahead.solve(depth, None, 1)
        assert (total(ahead, lower) <= total(ahead, depth) * (1 + 1e-5) + 1e-6).all()
        assert (lower > 0).all()
        depth = lower


def test_it_ends_at_the_weighted_median_distance() -> None:
    ahead, initial = distances(0, 0.05, 5e-3)
    solved = ahead.solve(initial, None, 60)
    for frame, pixel in np.ndindex(2, 40):

        def value(depth: float, frame: int = frame, pixel: int = pixel) -> float:
            trial = solved.clone()
            trial[frame, pixel] = depth
            return float(total(ahead, trial)[frame, pixel].double())

        best = minimize_scalar(value, bounds=(0.5, 1.6), method="bounded").fun
        assert value(float(solved[frame, pixel])) == pytest.approx(best, rel=1e-4)


def test_a_depth_changes_by_a_limited_factor() -> None:
    ahead, initial = distances(1, 0.01, 0.0)
    np.testing.assert_allclose(ahead.solve(initial * 100, None, 9), initial * 100 / MAX_FACTOR)
