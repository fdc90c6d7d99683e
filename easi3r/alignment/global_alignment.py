"""Global alignment of a clip's pair predictions: cameras, intrinsics and depths."""

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from easi3r.alignment.alignment_quality import alignment_figures
from easi3r.alignment.cleaning import contradicted_pixels
from easi3r.alignment.flow_residual import FlowTerm
from easi3r.alignment.initial_state import initial_state, initial_state_from
from easi3r.alignment.solver import descend
from easi3r.alignment.stages import plan_stages
from easi3r.alignment.unknowns import Freedom
from easi3r.config import AlignmentSettings
from easi3r.errors import NonFiniteError
from easi3r.geometry import require_poses
from easi3r.knowledge import KnownCameras
from easi3r.tensors import PairGraph, PairPrediction
from easi3r.types import Reconstruction

NOTHING_KNOWN = KnownCameras()


@torch.no_grad()
def align(
    graph: PairGraph,
    prediction: PairPrediction,
    settings: AlignmentSettings,
    known: KnownCameras = NOTHING_KNOWN,
    flow: FlowTerm | None = None,
    earlier: Reconstruction | None = None,
) -> Reconstruction:
    """Align the predictions of all pairs into one world (docs/method.md §6).

    The solver minimises over about 512 pixels a frame first, then over all; the flow term, if any,
    enters once the maps alone have converged or `flow_start_fraction` of the steps is done.

    Args:
        known: cameras to hold fixed. Known poses give the world and its scale; without them the
            world is the first frame's camera, and the geometric mean of the pair scales is 0.5.
        flow: the optional optical-flow term.
        earlier: an alignment of other predictions of the same pairs, such as those of pass 1: the
            initial state, with flow from the first step, and the depths that `depth_weight` pulls
            towards. None: the initial state comes from the predictions.

    Returns:
        cameras and depths; per pixel the mean confidence over the maps that show its frame, 0
        where it is contradicted (cleaning); in `loss_history` the objective, optional terms
        included, after each step of the solver: over the pixels of the step's stage and the
        flows of its round; the last value is that of the result (the only one where no step was
        taken). Each step lowers the objective with its distances rounded (`solver.ROUNDING`):
        without, it may rise by as little; in `quality` the figures of `alignment_figures`,
        `pnp_failures` (frames without a pose by PnP), `solver_steps` and `kept_pixel_fraction`
        (not contradicted).

    Raises:
        NonFiniteError: a prediction is NaN or infinite.
        DisconnectedGraphError: the pairs leave frames that nothing relates to the others.
        DegenerateGeometryError: points without extent, or known poses that are not rigid.
    """
    _check(graph, prediction, known)
    if earlier is None:
        initial = initial_state(graph, prediction, known, settings)
    else:
        initial = initial_state_from(graph, prediction, earlier)
        settings = settings.model_copy(update={"flow_start_fraction": 0.0})
    freedom = Freedom(
        known_poses=known.camera_to_world is not None,
        known_focals=known.intrinsics is not None,
        shared_focal=settings.shared_focal,
    )
    stages = plan_stages(graph, prediction, settings, flow, initial.state)
    descent = descend(stages, initial.state, freedom)
    full, state = stages[-1].problem, descent.state

    confidence = frame_confidence(graph, prediction)
    confidence[contradicted_pixels(state, full.pixels, confidence)] = 0
    figures = alignment_figures(stages[-1], initial.state, descent)
    figures["pnp_failures"] = float(initial.pnp_failures)
    figures["solver_steps"] = float(len(descent.history))
    figures["kept_pixel_fraction"] = float((confidence > 0).double().mean())
    camera_to_world, depth = state.camera_to_world(), state.depth
    if known.camera_to_world is not None:
        depth = depth * _path_ratio(known.camera_to_world, camera_to_world)
        camera_to_world = known.camera_to_world
    return Reconstruction(
        camera_to_world=camera_to_world,
        intrinsics=state.intrinsics() if known.intrinsics is None else known.intrinsics,
        depth=depth.view(confidence.shape).cpu().numpy(),
        confidence=confidence.cpu().numpy(),
        loss_history=np.array(descent.history or [descent.objective], np.float64),
        quality=figures,
    )


def frame_confidence(
    graph: PairGraph, prediction: PairPrediction
) -> Float32[Tensor, "frames height width"]:
    """Mean confidence of each pixel over every map that shows its frame."""
    shape = (graph.frames, *prediction.confidence_1.shape[1:])
    total = torch.zeros(shape, device=prediction.confidence_1.device)
    for pair, edge in enumerate(graph.edges.tolist()):
        total[edge[0]] += prediction.confidence_1[pair]
        total[edge[1]] += prediction.confidence_2[pair]
    maps = torch.from_numpy(np.bincount(graph.edges.flatten(), minlength=graph.frames))
    return total.div_(maps.to(total.device)[:, None, None])


def _path_ratio(
    known: Float64[np.ndarray, "frames 4 4"], path: Float64[np.ndarray, "frames 4 4"]
) -> float:
    """Length of the known path over the solver's; 1 for a camera that stands still."""
    lengths = [np.linalg.norm(np.diff(p[:, :3, 3], axis=0), axis=1).sum() for p in (known, path)]
    return float(lengths[0] / lengths[1]) if lengths[1] > 0 else 1.0


def _check(graph: PairGraph, prediction: PairPrediction, known: KnownCameras) -> None:
    shape = prediction.confidence_1.shape
    if shape[0] != len(graph):
        raise ValueError(f"{shape[0]} predictions for a graph of {len(graph)} pairs")
    for name in ("points_1", "points_2", "confidence_1", "confidence_2"):
        finite = torch.stack([one.isfinite().all() for one in getattr(prediction, name)])
        if not bool(finite.all()):
            first, second = graph.edges[int((~finite).nonzero()[0, 0])].tolist()
            raise NonFiniteError(
                f"{name} of pair ({first}, {second})",
                f"NaN or infinite in {int((~finite).sum())} of {len(graph)} pairs",
                "Run the network in float32, or check its weights",
            )
    if known.camera_to_world is not None:
        require_poses("known camera_to_world", known.camera_to_world)
    for values in (known.camera_to_world, known.intrinsics):
        if values is not None and len(values) != graph.frames:
            raise ValueError(f"{len(values)} known cameras for a clip of {graph.frames} frames")
