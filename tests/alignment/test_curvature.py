"""The banded normal equations against the same system, dense."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.alignment.curvature import NormalMatrix
from easi3r.alignment.initial_state import initial_state
from easi3r.alignment.unknowns import MOTION, Freedom, lay_out
from easi3r.attention import pair_graph
from easi3r.config import AlignmentSettings, GraphSettings
from easi3r.errors import DegenerateGeometryError
from easi3r.knowledge import KnownCameras
from tests.alignment.scenes import known_scene

SCENE = known_scene(5, noise=0.02)
DEVICE = torch.device("cpu")
INITIAL = initial_state(SCENE.graph, SCENE.prediction, KnownCameras(), AlignmentSettings()).state


@settings(max_examples=12, deadline=None)
@given(known_poses=st.booleans(), known_focals=st.booleans(), shared=st.booleans())
def test_a_solution_is_that_of_the_dense_system(
    known_poses: bool, known_focals: bool, shared: bool
) -> None:
    layout = lay_out(SCENE.graph, Freedom(known_poses, known_focals, shared), DEVICE)
    layout = layout.at(INITIAL, torch.zeros(layout.factor.shape, dtype=torch.float64))
    random = np.random.default_rng(0)
    matrix, blocks = NormalMatrix(layout), len(layout.column)
    dense = np.zeros((len(layout), len(layout)))
    spread = np.zeros((blocks * MOTION, len(layout)))
    number = np.arange(blocks * MOTION)
    spread[number, layout.column.flatten()] = layout.factor.flatten()
    for frame in range(5):
        own = np.flatnonzero((SCENE.graph.edges == frame).any(1))
        numbers = (MOTION * np.array([frame, *(5 + own)])[:, None] + np.arange(MOTION)).flatten()
        root = random.standard_normal((len(numbers), len(numbers)))
        block = root @ root.T
        matrix.add(torch.from_numpy(block)[None], torch.from_numpy(numbers)[None])
        dense += spread[numbers].T @ block @ spread[numbers]
    tie = np.zeros(len(layout))
    tie[layout.scales] = 1
    whole = np.block([[dense, tie[:, None]], [tie, np.zeros(1)]])
    gradient = random.standard_normal(len(layout))
    expected = np.linalg.solve(whole, np.append(gradient, 0))[:-1]
    solution = matrix.damped(0.0).solve(gradient)
    np.testing.assert_allclose(solution, expected, rtol=1e-6, atol=1e-9)
    assert solution @ tie == pytest.approx(0, abs=1e-9)


def test_the_band_is_as_wide_for_long_clips_as_for_short_ones() -> None:
    freedom = Freedom(known_poses=False, known_focals=False, shared_focal=True)
    widths = [
        lay_out(pair_graph(frames, GraphSettings(window=2)), freedom, DEVICE).bandwidth
        for frames in (16, 64)
    ]
    assert widths[0] == widths[1]


def test_a_matrix_that_is_not_finite_is_an_error() -> None:
    freedom = Freedom(known_poses=False, known_focals=False, shared_focal=True)
    matrix = NormalMatrix(lay_out(SCENE.graph, freedom, DEVICE))
    matrix.band += torch.nan
    with pytest.raises(DegenerateGeometryError, match="singular"):
        matrix.factor()
