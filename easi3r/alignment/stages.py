"""From few pixels to all: the order in which the solver sees the problem."""

from dataclasses import dataclass, replace

from easi3r.alignment.flow_residual import FlowTerm, flow_residual
from easi3r.alignment.problem import Pixels, State, maps_by_frame
from easi3r.alignment.smoothness import Smoothness
from easi3r.alignment.solver import Descent, Freedom, best_depths, descend
from easi3r.alignment.system import Problem
from easi3r.config import AlignmentSettings
from easi3r.tensors import PairGraph, PairPrediction

COARSE_PIXELS = 1024
"""Pixels of a frame that the first stage looks at, roughly; the last looks at all."""


@dataclass(frozen=True)
class Stage:
    """A part of the solver's way: what it minimises, and the step by which it must end."""

    problem: Problem
    last_step: int


def plan_stages(
    graph: PairGraph,
    prediction: PairPrediction,
    settings: AlignmentSettings,
    flow: FlowTerm | None,
    begin: State,
) -> list[Stage]:
    """Few pixels without flow, few pixels, all pixels; the last stage keeps a quarter of steps."""
    height, width = prediction.confidence_1.shape[1:]
    device = prediction.points_1.device
    coarse = max(1, round((height * width / COARSE_PIXELS) ** 0.5))
    stages = []
    for stride in sorted({coarse, 1}, reverse=True):
        pixels = Pixels.every(stride, height, width, device)
        problem = Problem(
            pixels=pixels,
            maps=maps_by_frame(graph, prediction, pixels),
            flow=None if flow is None else flow_residual(flow, settings, pixels, device),
            flows=(),
            smoothness=Smoothness(settings.smoothness_weight),
            prior_depth=begin.depth[:, pixels.index],
            depth_weight=settings.depth_weight,
        )
        last_step = settings.max_steps if stride == 1 else settings.max_steps * 3 // 4
        stages.append(Stage(problem, last_step))
    if flow is not None:
        maps_alone = replace(stages[0].problem, flow=None)
        without_flow = round(settings.flow_start_fraction * settings.max_steps)
        stages.insert(0, Stage(maps_alone, without_flow))
    return stages


def descend_by_stages(stages: list[Stage], begin: State, freedom: Freedom) -> Descent:
    """Through all stages; depths of pixels that enter later are solved for as they enter."""
    state = replace(begin, depth=stages[0].problem.prior_depth)
    values: list[float] = []
    for stage in stages:
        if state.depth.shape != stage.problem.prior_depth.shape:
            entering = replace(state, depth=stage.problem.prior_depth)
            state = replace(state, depth=best_depths(stage.problem, entering))
        descent = descend(stage.problem, state, freedom, stage.last_step - len(values))
        state, values = descent.state, [*values, *descent.values]
    return Descent(state, tuple(values))
