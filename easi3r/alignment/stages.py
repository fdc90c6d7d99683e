"""From few pixels to all: the order in which the solver sees the problem."""

from dataclasses import dataclass, replace

from easi3r.alignment.flow_residual import FlowTerm, flow_residual
from easi3r.alignment.maps import ClipMaps
from easi3r.alignment.problem import Pixels, State, stride_for, subsampled
from easi3r.alignment.smoothness import Smoothness
from easi3r.alignment.value_and_gradient import Problem
from easi3r.config import AlignmentSettings
from easi3r.tensors import PairGraph, PairPrediction

COARSE_PIXELS = 512
"""Pixels of a frame in the first stage, roughly; the last has all."""

CACHED_MAP_PIXELS = 2**22
"""Clips of no more map pixels (16 bytes each) are regrouped by frames once, into a cache; others at
each visit of a span."""

TOLERANCE = 4e-6
COARSE_TOLERANCE = 3e-4
"""A step that lowers the objective by less than this fraction is the last of its stage: over all
pixels, over few."""

NEAREST = 1e-3
"""No depth falls below this fraction of its frame's initial median."""


@dataclass(frozen=True)
class Stage:
    """A part of the descent: the problem, and the step by which the stage must end.

    Attributes:
        coarse: the same problem on few pixels, from which curvatures are taken.
        weight: sum of the weights of all distances.
        tolerance: a step that lowers the objective by less than this fraction is the last.
    """

    problem: Problem
    coarse: Problem
    last_step: int
    weight: float
    tolerance: float


def plan_stages(
    graph: PairGraph,
    prediction: PairPrediction,
    settings: AlignmentSettings,
    flow: FlowTerm | None,
    initial: State,
) -> list[Stage]:
    """Few pixels without flow, few pixels, all pixels; the last stage keeps a quarter of steps."""
    height, width = prediction.confidence_1.shape[1:]
    device = prediction.points_1.device
    stride = stride_for(height, width, COARSE_PIXELS)

    def problem(stride: int) -> Problem:
        pixels = Pixels.every(stride, height, width, device)
        prior_depth = initial.depth[:, pixels.index]
        maps = ClipMaps(graph, prediction)
        if stride > 1:
            maps = ClipMaps(graph, subsampled(prediction, stride))
        if 2 * len(graph) * len(pixels.index) <= CACHED_MAP_PIXELS:
            maps = maps.with_cache()
        return Problem(
            pixels=pixels,
            maps=maps,
            flow=None if flow is None else flow_residual(flow, graph, settings, pixels, device),
            smoothness=Smoothness(settings.smoothness_weight),
            prior_depth=prior_depth,
            depth_weight=settings.depth_weight,
            nearest=NEAREST * prior_depth.median(dim=1).values,
        )

    few = problem(stride)
    every = few if stride == 1 else problem(1)
    weight = few.maps.total_weight()
    stages = [Stage(every, few, settings.max_steps, weight, TOLERANCE)]
    if stride > 1:
        stages.insert(0, Stage(few, few, settings.max_steps * 3 // 4, weight, COARSE_TOLERANCE))
    if flow is not None:
        without_flow = round(settings.flow_start_fraction * settings.max_steps)
        maps_alone = replace(few, flow=None)
        stages.insert(0, Stage(maps_alone, maps_alone, without_flow, weight, COARSE_TOLERANCE))
    return stages
