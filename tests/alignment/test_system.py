"""The normal equations against finite differences of the value they belong to."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from jaxtyping import Float64

from easi3r.alignment.problem import State
from easi3r.alignment.solver import _moved
from easi3r.alignment.stages import plan_stages
from easi3r.alignment.start import start
from easi3r.alignment.system import Problem, linearise
from easi3r.config import AlignmentSettings
from easi3r.types import KnownCameras
from tests.alignment.scenes import known_scene
from tests.alignment.test_align import true_flow


def problem_and_state(settings: AlignmentSettings) -> tuple[Problem, State]:
    scene = known_scene(frames=3, noise=0.05)
    begin = start(scene.graph, scene.prediction, KnownCameras(), settings).state
    problem = plan_stages(scene.graph, scene.prediction, settings, true_flow(scene), begin)[-1]
    fixed = problem.problem.at(begin)
    assert fixed.flows
    return fixed, begin


def slope(problem: Problem, state: State, direction: Float64[torch.Tensor, " unknowns"]) -> float:
    """Central difference of the value along a step of the small unknowns, depths following."""
    system = linearise(problem, state, softening=1e-9)
    still = tuple(replace(one, offset=one.offset * 0) for one in system.depth_steps)
    system = replace(system, depth_steps=still)
    width = 1e-3
    ends = [problem.value(_moved(problem, state, system, direction * s)) for s in (width, -width)]
    return (ends[0] - ends[1]) / (2 * width)


@pytest.mark.parametrize(
    "settings",
    [
        AlignmentSettings(flow_weight=0.05),
        AlignmentSettings(flow_weight=1.0, smoothness_weight=0.5, depth_weight=0.5),
    ],
    ids=["flow", "every term"],
)
def test_the_gradient_is_the_slope_of_the_value(settings: AlignmentSettings) -> None:
    problem, state = problem_and_state(settings)
    system = linearise(problem, state, softening=1e-9)
    random = np.random.default_rng(0)
    for _ in range(6):
        direction = torch.from_numpy(random.standard_normal(len(system.gradient)))
        expected = float(direction @ system.gradient)
        assert slope(problem, state, direction) == pytest.approx(expected, rel=2e-2, abs=2e-3)
