"""What the solver does where a clip's predictions leave unknowns without hold."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import easi3r.alignment.problem
from easi3r.alignment import align
from easi3r.alignment.curvature import NormalMatrix
from easi3r.alignment.initial_state import initial_state
from easi3r.alignment.problem import State, focal_limits
from easi3r.alignment.solver import descend
from easi3r.alignment.stages import plan_stages
from easi3r.alignment.unknowns import Freedom, lay_out, moved
from easi3r.alignment.value_and_gradient import evaluate
from easi3r.config import AlignmentSettings
from easi3r.knowledge import KnownCameras
from tests.alignment.scenes import known_scene
from tests.alignment.test_align import true_flow

SETTINGS = AlignmentSettings(flow_weight=0.0)
LIMITS = focal_limits(24)


FAR = known_scene(4, noise=0.01, focal_px=(1.5 * LIMITS[1],))
"""Seen through a lens longer than any that is looked for."""


@pytest.mark.parametrize("shared", [True, False])
def test_focals_stay_within_the_limits(shared: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SETTINGS.model_copy(update={"shared_focal": shared})
    result = align(FAR.graph, FAR.prediction, settings)
    focals = result.intrinsics[:, 0, 0]
    assert (focals <= LIMITS[1]).all()
    assert focals.max() == pytest.approx(LIMITS[1])  # the clip pulls it there, and beyond:
    assert np.isfinite(result.depth).all()
    monkeypatch.setattr(easi3r.alignment.problem, "FIELD_OF_VIEW_DEGREES", (0.1, 150.0))
    free = align(FAR.graph, FAR.prediction, settings)
    assert free.intrinsics[:, 0, 0].max() > 1.2 * LIMITS[1]


def test_what_else_moves_is_still_solved_for_when_a_focal_is_held() -> None:
    held = align(FAR.graph, FAR.prediction, SETTINGS)
    intrinsics = np.tile(np.diag([LIMITS[1], LIMITS[1], 1.0]), (4, 1, 1))
    intrinsics[:, :2, 2] = (12, 9)
    known = align(FAR.graph, FAR.prediction, SETTINGS, KnownCameras(intrinsics=intrinsics))
    known_end = known.quality["final_objective"]
    assert held.quality["final_objective"] == pytest.approx(known_end, rel=2e-3)


def test_known_focals_outside_the_limits_are_kept() -> None:
    scene = known_scene(3)
    state = initial_state(scene.graph, scene.prediction, KnownCameras(), SETTINGS).state
    for outside in (0.5 * LIMITS[0], 2 * LIMITS[1]):
        far = replace(state, focal=torch.full_like(state.focal, outside))
        moves = torch.zeros(3 + len(scene.graph), 7, dtype=torch.float64)
        assert (moved(far, moves).focal == outside).all()


def test_little_negative_curvature_is_damped_away() -> None:
    scene = known_scene(3)
    layout = lay_out(scene.graph, Freedom(False, False, True), torch.device("cpu"))
    matrix = NormalMatrix(layout)
    matrix.band[0] = 1
    matrix.border[layout.banded :] = 1
    matrix.band[1, 0] = 1.001  # of two unknowns: curvature -0.001 along their difference
    assert matrix.damped(1e-4) is None
    solution = matrix.factor().solve(np.ones(len(layout)))
    assert np.isfinite(solution).all()
    assert solution.sum() > 0  # still a way down


@pytest.mark.parametrize("coarse_pixels", [50, 512], ids=["staged", "all pixels"])
@pytest.mark.parametrize("flow_weight", [0.0, 0.1], ids=["maps", "flow"])
def test_the_history_is_the_objective_at_each_state(
    flow_weight: float, coarse_pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is rounded in it, and optional terms are included."""
    monkeypatch.setattr("easi3r.alignment.stages.COARSE_PIXELS", coarse_pixels)
    scene = known_scene(4, noise=0.05)
    weights = {"flow_weight": flow_weight, "smoothness_weight": 0.1, "flow_start_fraction": 0.0}
    settings = SETTINGS.model_copy(update=weights)
    initial = initial_state(scene.graph, scene.prediction, KnownCameras(), settings).state
    flow = true_flow(scene) if flow_weight else None
    stages = plan_stages(scene.graph, scene.prediction, settings, flow, initial)
    states: list[State] = []
    freedom = Freedom(known_poses=False, known_focals=False, shared_focal=True)
    descent = descend(stages, initial, freedom, watch=states.append)
    states[-1] = descent.state
    expected = []
    for state in states:
        (problem, *_) = (
            stage.problem
            for stage in stages
            if stage.problem.pixels.index.shape == state.depth.shape[1:]
            and (stage.problem.flow is None) == (flow is None)
        )
        expected.append(evaluate(problem.at(state), state, sweeps=0).objective)
    assert descent.history == pytest.approx(expected, rel=1e-6)
    assert descent.objective == descent.history[-1]
    assert len(expected) > 3


def test_the_last_objective_is_the_results_own_when_no_step_is_left_for_all_pixels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where flow may not enter before the last step: depths must still follow the cameras."""
    monkeypatch.setattr("easi3r.alignment.stages.COARSE_PIXELS", 50)
    scene = known_scene(4, noise=0.05)
    late = {"flow_weight": 0.01, "flow_start_fraction": 1.0, "max_steps": 3}
    settings = SETTINGS.model_copy(update=late)
    initial = initial_state(scene.graph, scene.prediction, KnownCameras(), settings).state
    stages = plan_stages(scene.graph, scene.prediction, settings, true_flow(scene), initial)
    freedom = Freedom(known_poses=False, known_focals=False, shared_focal=True)
    descent = descend(stages, initial, freedom)
    end = stages[-1].problem.at(descent.state)
    objective = evaluate(end, descent.state, sweeps=0).objective
    assert descent.history[-1] == pytest.approx(objective, rel=1e-6)
    assert not torch.equal(descent.state.depth, initial.depth)
