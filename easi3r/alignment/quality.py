"""Figures that say how well an alignment went; names carry units."""

import numpy as np
import torch

from easi3r.alignment.flow_residual import FlowResidual, induced_flow
from easi3r.alignment.problem import State
from easi3r.alignment.system import Problem
from easi3r.geometry.tensor_cameras import lengths


def alignment_figures(problem: Problem, begin: State, end: State) -> dict[str, float]:
    """Figures of a solved clip, over all pixels.

    Returns:
        `start_objective`, `final_objective`: METHOD section 6, without optional terms, in the
        unit in which the pair scales have the geometric mean 0.5.
        `median_reprojection_px`: see `reprojection_error`.
        `mean_focal_px`: over the clip, x direction.
        `median_static_flow_error_px`: with the flow term; NaN if no static pixel is visible.
    """
    figures = {
        "start_objective": problem.map_value(begin),
        "final_objective": problem.map_value(end),
        "median_reprojection_px": reprojection_error(problem, end),
        "mean_focal_px": float(end.focal[:, 0].mean()),
    }
    if problem.flow is not None:
        figures["median_static_flow_error_px"] = static_flow_error(problem, problem.flow, end)
    return figures


def reprojection_error(problem: Problem, state: State) -> float:
    """Median distance, pixels, from each pixel to where its predicted points project.

    Over all maps of all frames; points behind the camera count as infinitely far.
    """
    errors = []
    for frame, maps in enumerate(problem.maps):
        points, _ = maps.in_camera(state, frame)
        front = points[:, 2:] > 0
        depth = torch.where(front, points[:, 2:], 1.0)
        landing = points[:, :2] / depth * state.focal[frame].float()[:, None]
        offset = landing + (state.principal[frame][:, None] - problem.pixels.position).float()
        error = torch.where(front[:, 0], lengths(offset), torch.inf)
        errors.append(error.flatten().cpu().numpy())
    return float(np.median(np.concatenate(errors)))


def static_flow_error(problem: Problem, flow: FlowResidual, state: State) -> float:
    """Median distance, pixels, between induced and estimated flow on visible static pixels."""
    errors = []
    for frame, flows in enumerate(flow.frames):
        induced = induced_flow(flows, state, frame, problem.pixels.position)
        error = lengths(induced.residual)[(flows.weight > 0) & induced.visible]
        errors.append(error.cpu().numpy())
    together = np.concatenate(errors)
    return float(np.median(together)) if len(together) else float("nan")
