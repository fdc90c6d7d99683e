"""Alignments of every `align*.npz`: objective and trajectory error against the reference's."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64

from easi3r.alignment import FlowTerm, align, objective
from easi3r.config import AlignmentSettings
from easi3r.geometry.trajectory import trajectory_error
from easi3r.tensors import PairGraph, PairPrediction
from easi3r.types import OpticalFlow, Reconstruction
from tests.golden.comparison import Comparison, compare_at_most
from tests.golden.network import Arrays, load

MOST_FLOW_ERROR_PX = 50.0


def compare(folder: Path, device: str = "cpu") -> list[Comparison]:
    """Two comparisons per file: objective over the reference's, trajectory error over its."""
    return [row for path in sorted(folder.glob("align*.npz")) for row in compare_file(path, device)]


def compare_file(path: Path, device: str = "cpu") -> list[Comparison]:
    """Align one file's predictions; the objective is recomputed from the cameras and depths."""
    reference = load(path)
    truth = reference["gt_cam_to_world"].astype(np.float64)
    graph = PairGraph(reference["edges"].astype(np.int64), frames=len(truth))
    prediction = PairPrediction(
        *(
            torch.from_numpy(reference[name].astype(np.float32)).to(device)
            for name in ("pts3d_1", "pts3d_2_in_1", "conf_1", "conf_2")
        )
    )
    shared = np.ptp(reference["ref_focal"]) <= 1e-4 * reference["ref_focal"].mean()
    flow_weight = float(reference.get("flow_weight", 0.0))
    settings = AlignmentSettings(
        shared_focal=bool(shared), flow_weight=flow_weight, flow_check=False
    )
    result = align(graph, prediction, settings, flow=flow_term(reference))
    value = objective(graph, prediction, result.camera_to_world, result.intrinsics, result.depth)
    if "flow" in reference:
        value += flow_weight * flow_objective(reference, result)
    error = trajectory_error(result.camera_to_world, truth)
    note = "ours / reference's"
    return [
        compare_at_most(
            path.name, "ref_final_loss", value / float(reference["ref_final_loss"]), 1.001, note
        ),
        compare_at_most(path.name, "ref_ate", error / float(reference["ref_ate"]), 1.05, note),
    ]


def flow_term(reference: Arrays) -> FlowTerm | None:
    """The flow that a file holds; None if it holds none. Nothing in it is checked."""
    if "flow" not in reference:
        return None
    flow = reference["flow"]
    unchecked = np.zeros(flow.shape[:3], bool)
    edges = reference["flow_edges"].astype(np.int64)
    return FlowTerm(OpticalFlow(edges, flow, unchecked), ~reference["dynamic_mask"])


def flow_objective(reference: Arrays, result: Reconstruction) -> float:
    """The flow term of docs/method.md §6, unweighted, from cameras and depths.

    Over every directed pair i -> j of the graph, the mean over the components of the flows i -> j
    and that over the components of j -> i are added.
    """
    flows = dict(zip(map(tuple, reference["flow_edges"].tolist()), reference["flow"], strict=True))
    pairs = [tuple(pair) for pair in reference["edges"].tolist()]
    moving = reference["dynamic_mask"]
    means = []
    for directed in (pairs, [(second, first) for first, second in pairs]):
        errors = [flow_errors(result, *pair, flows[pair])[~moving[pair[0]]] for pair in directed]
        error = np.concatenate(errors).ravel()
        error = error[error < MOST_FLOW_ERROR_PX]
        means.append(np.where(error < 1, 0.5 * error**2, error - 0.5).mean())
    return float(sum(means))


def flow_errors(
    result: Reconstruction, first: int, second: int, flow: np.ndarray
) -> Float64[np.ndarray, "height width 2"]:
    """Absolute difference of the flow that depth and cameras induce and a given one, pixels.

    Infinite where the point lies behind the second camera.
    """
    depth = result.depth[first].astype(np.float64)
    y, x = np.mgrid[: depth.shape[0], : depth.shape[1]].astype(np.float64)
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(result.intrinsics[first]).T
    points = np.concatenate([depth[..., None] * rays, np.ones_like(rays[..., :1])], axis=-1)
    between = np.linalg.inv(result.camera_to_world[second]) @ result.camera_to_world[first]
    seen = (points @ between.T)[..., :3] @ result.intrinsics[second].T
    with np.errstate(divide="ignore", invalid="ignore"):
        landing = seen[..., :2] / seen[..., 2:]
    error = np.abs(landing - np.stack([x, y], axis=-1) - flow)
    return np.where(seen[..., 2:] > 0, error, np.inf)
