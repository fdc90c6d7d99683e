"""The gradient against finite differences of the value, and its curvature against its change."""

import numpy as np
import pytest
import torch

from easi3r.alignment.initial_state import initial_state
from easi3r.alignment.problem import State
from easi3r.alignment.stages import plan_stages
from easi3r.alignment.unknowns import moved
from easi3r.alignment.value_and_gradient import Problem, evaluate
from easi3r.config import AlignmentSettings
from easi3r.knowledge import KnownCameras
from tests.alignment.scenes import known_scene
from tests.alignment.test_align import true_flow

SETTINGS = [
    AlignmentSettings(flow_weight=0.0),
    AlignmentSettings(flow_weight=0.05),
    AlignmentSettings(flow_weight=1.0, smoothness_weight=0.5, depth_weight=0.5),
]
NAMES = ["maps", "flow", "every term"]


def problem_and_state(settings: AlignmentSettings) -> tuple[Problem, State]:
    scene = known_scene(frames=3, noise=0.05)
    initial = initial_state(scene.graph, scene.prediction, KnownCameras(), settings).state
    flow = true_flow(scene) if settings.flow_weight else None
    problem = plan_stages(scene.graph, scene.prediction, settings, flow, initial)[-1].problem
    fixed = problem.at(initial)
    assert (fixed.flow is not None) == bool(settings.flow_weight)
    return fixed, initial


@pytest.mark.parametrize("settings", SETTINGS, ids=NAMES)
@pytest.mark.parametrize("number", range(7))
def test_the_gradient_is_the_slope_of_the_value(settings: AlignmentSettings, number: int) -> None:
    problem, state = problem_and_state(settings)
    gradient = evaluate(problem, state, sweeps=0).gradient
    random = np.random.default_rng(number)
    direction = torch.zeros_like(gradient)
    direction[:, number] = torch.from_numpy(random.standard_normal(len(gradient)))
    width = 1e-3
    ends = [
        evaluate(problem, moved(state, direction * step), sweeps=0).value
        for step in (width, -width)
    ]
    expected = float((direction * gradient).sum())
    assert (ends[0] - ends[1]) / (2 * width) == pytest.approx(expected, rel=2e-2, abs=2e-3)
