"""Figures that say how well an alignment went; names carry units."""

from dataclasses import replace

import numpy as np
import torch

from easi3r.alignment.flow_residual import FlowResidual
from easi3r.alignment.problem import State
from easi3r.alignment.solver import Descent
from easi3r.alignment.stages import Stage
from easi3r.alignment.value_and_gradient import Problem, evaluate
from easi3r.geometry.tensor_cameras import lengths


def alignment_figures(stage: Stage, initial: State, descent: Descent) -> dict[str, float]:
    """Figures of a solved clip. Objectives are over all pixels, medians over the coarse ones.

    Args:
        stage: the last one.

    Returns:
        `start_objective`, `final_objective`: docs/method.md §6, without optional terms, in the
        unit in which the pair scales have the geometric mean 0.5.
        `median_reprojection_px`: see `reprojection_error`.
        `mean_focal_px`: over the clip, x direction.
        `median_static_flow_error_px`: with the flow term; NaN if no static pixel is visible.
    """
    maps_alone = replace(stage.problem, flow=None)
    end = descent.state
    few = replace(end, depth=end.depth[:, stage.coarse.pixels.index])
    figures = {
        "start_objective": evaluate(maps_alone, initial, sweeps=0).map_objective,
        "final_objective": descent.map_objective,
        "median_reprojection_px": reprojection_error(stage.coarse, few),
        "mean_focal_px": float(end.focal[:, 0].mean()),
    }
    if stage.coarse.flow is not None:
        error = static_flow_error(stage.coarse, stage.coarse.flow, few)
        figures["median_static_flow_error_px"] = error
    return figures


def reprojection_error(problem: Problem, state: State) -> float:
    """Median distance, pixels, from each pixel to where its predicted points project.

    Over all maps of all frames; points behind the camera count as infinitely far.
    """
    placed = problem.maps.placed(state)
    errors = []
    for block in problem.blocks(state):
        points, frames = block.placed(*placed), block.span.frames
        front = points[:, :, 2:] > 0
        depth = torch.where(front, points[:, :, 2:], 1.0)
        landing = points[:, :, :2] / depth * state.focal[frames, None, :, None].float()
        offset = landing + (state.principal[frames][..., None] - block.position).float()[:, None]
        error = torch.where(front[:, :, 0], lengths(offset), torch.inf)
        errors.append(error[block.maps.weight > 0].cpu().numpy())
    return float(np.median(np.concatenate(errors)))


def static_flow_error(problem: Problem, flow: FlowResidual, state: State) -> float:
    """Median distance, pixels, between induced and estimated flow on visible static pixels."""
    errors = []
    for block in replace(problem, flow=flow).blocks(state):
        if block.flows is not None:
            induced = block.induced(state, block.of(state.depth))
            takes_part = (block.flows.weight > 0).all(2) & induced.visible
            error = lengths(induced.residual)[takes_part]
            errors.append(error.cpu().numpy())
    together = np.concatenate(errors)
    return float(np.median(together)) if len(together) else float("nan")
