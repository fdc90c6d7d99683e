"""The optical-flow term: flow induced by depth and cameras against an estimated flow."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from easi3r.alignment.flow import FlowTerm
from easi3r.alignment.problem import Pixels, State
from easi3r.alignment.terms import MOTION, FrameTerms
from easi3r.config import AlignmentSettings
from easi3r.geometry.tensor_cameras import cross_matrix


@dataclass(frozen=True)
class FrameFlows:
    """Flows that start at one frame.

    Attributes:
        target: frame each flow leads to.
        flow: pixels, (x, y).
        weight: of each pixel; 0 where the pixel takes no part.
    """

    target: Int64[Tensor, " flows"]
    flow: Float32[Tensor, "flows pixels 2"]
    weight: Float32[Tensor, "flows pixels"]


@dataclass(frozen=True)
class InducedFlow:
    """Where a frame's pixels land in other frames, and how far from where flow says.

    Attributes:
        rotation, origin: from the frame's camera to each target camera.
        points: the frame's points in each target camera.
        residual: induced flow minus estimated flow, pixels.
        visible: in front of the target camera.
    """

    rotation: Float64[Tensor, "flows 3 3"]
    origin: Float64[Tensor, "flows 3"]
    points: Float32[Tensor, "flows pixels 3"]
    residual: Float32[Tensor, "flows pixels 2"]
    visible: Bool[Tensor, "flows pixels"]


def induced_flow(
    flows: FrameFlows, state: State, frame: int, position: Float64[Tensor, "pixels 2"]
) -> InducedFlow:
    """Project a frame's points into the targets of its flows."""
    rays = state.rays(frame, position)
    to_target = state.rotation[flows.target].mT
    rotation = to_target @ state.rotation[frame]
    origin = (to_target @ (state.centre[frame] - state.centre[flows.target])[..., None])[..., 0]
    points = state.depth[frame][:, None] * rays @ rotation.float().mT + origin.float()[:, None]
    visible = points[..., 2] > 0
    depth = torch.where(visible, points[..., 2], 1.0)
    focal, principal = (t[flows.target].float()[:, None] for t in (state.focal, state.principal))
    landing = focal * points[..., :2] / depth[..., None] + principal
    residual = landing - position.float() - flows.flow
    return InducedFlow(rotation, origin, points, residual, visible)


def flow_value(
    flows: FrameFlows, state: State, frame: int, position: Float64[Tensor, "pixels 2"]
) -> float:
    """Weighted sum of smooth-L1 errors of a frame's flows."""
    residual = induced_flow(flows, state, frame, position).residual
    error = smooth_l1_loss(residual, torch.zeros_like(residual), reduction="none")
    return float((flows.weight[..., None] * error).sum(dtype=torch.float64))


@dataclass(frozen=True)
class FlowResidual:
    """The flow term of a whole clip (METHOD section 6, optional terms).

    Its value is `weight` times the mean, over the pixels and the components that take part in a
    step, of the smooth-L1 error in pixels.

    Attributes:
        frames: flows by the frame they start at; weight 1 on static pixels, 0 elsewhere.
        max_error_px: pixels further off than this are ignored.
        drop_above: a mean above it drops the whole term for a step.
    """

    frames: tuple[FrameFlows, ...]
    weight: float
    max_error_px: float
    drop_above: float

    def gated(self, state: State, position: Float64[Tensor, "pixels 2"]) -> tuple[FrameFlows, ...]:
        """The flows with their final weights for a step from this state."""
        total, count = 0.0, 0
        gated = []
        for frame, flows in enumerate(self.frames):
            induced = induced_flow(flows, state, frame, position)
            near = induced.residual.norm(dim=-1) <= self.max_error_px
            gated.append(replace(flows, weight=flows.weight * (near & induced.visible)))
            total += flow_value(gated[-1], state, frame, position)
            count += 2 * int(gated[-1].weight.count_nonzero())
        kept = count > 0 and total / count <= self.drop_above
        factor = self.weight / count if kept else 0.0
        return tuple(replace(flows, weight=flows.weight * factor) for flows in gated)


def flow_residual(
    term: FlowTerm, settings: AlignmentSettings, pixels: Pixels, device: torch.device
) -> FlowResidual:
    """The clip's flows at the chosen pixels, regrouped by the frame they start at."""
    chosen = pixels.index.cpu().numpy()
    static = term.static.reshape(len(term.static), -1)[:, chosen]
    frames = []
    for frame in range(len(static)):
        number = np.flatnonzero(term.edges[:, 0] == frame)
        flow = term.flow[number].reshape(len(number), -1, 2)[:, chosen]
        weight = np.broadcast_to(static[frame], (len(number), len(chosen))).astype(np.float32)
        frames.append(
            FrameFlows(
                torch.from_numpy(term.edges[number, 1]).to(device),
                torch.from_numpy(flow).to(device),
                torch.from_numpy(weight).to(device),
            )
        )
    return FlowResidual(
        tuple(frames), settings.flow_weight, settings.flow_max_error_px, settings.flow_drop_above
    )


def flow_terms(
    flows: FrameFlows,
    state: State,
    frame: int,
    position: Float64[Tensor, "pixels 2"],
) -> FrameTerms:
    """Terms of a frame's flows. Motions: shift and turn in each target camera, its log focal."""
    induced = induced_flow(flows, state, frame, position)
    rays = state.rays(frame, position)
    depth = torch.where(induced.visible, induced.points[..., 2], 1.0)[..., None]
    focal = state.focal[flows.target].float()[:, None]
    image = focal * induced.points[..., :2] / depth
    project = induced.points.new_zeros(*induced.visible.shape, 2, 3)
    project[..., 0, 0] = (focal / depth)[..., 0]
    project[..., 1, 1] = (focal / depth)[..., 1]
    project[..., 2] = -image / depth

    ray = rays @ induced.rotation.float().mT
    off_axis = rays * rays.new_tensor([-1.0, -1.0, 0.0])
    by_own_focal = state.depth[frame][:, None] * off_axis @ induced.rotation.float().mT
    turn = -project @ cross_matrix(induced.points)
    motion = torch.cat([project, turn, image[..., None]], dim=-1)
    to_depth = (project @ ray[..., None])[..., 0]
    to_focal = (project @ by_own_focal[..., None])[..., 0]

    weight = flows.weight[..., None] / induced.residual.abs().clamp_min(1.0)
    pulled = (weight[..., None] * motion).mT
    pulled_focal = weight * to_focal
    sets = len(flows.target)
    size = MOTION * sets + 1
    matrix = torch.zeros(size, size, dtype=torch.float64, device=rays.device)
    matrix[:-1, :-1] = torch.block_diag(*(pulled @ motion).sum(1).double())
    with_focal = (pulled @ to_focal[..., None]).sum(1).double().flatten()
    matrix[:-1, -1] = matrix[-1, :-1] = with_focal
    matrix[-1, -1] = (pulled_focal * to_focal).sum()
    gradient = matrix.new_empty(size)
    gradient[:-1] = (pulled @ induced.residual[..., None]).sum(1).double().flatten()
    gradient[-1] = (pulled_focal * induced.residual).sum()
    with_depth = (pulled @ to_depth[..., None])[..., 0].mT.flatten(0, 1)
    mixed = torch.cat([with_depth, (pulled_focal * to_depth).sum((0, 2))[None]])
    return FrameTerms(
        matrix,
        gradient,
        mixed,
        depth_curvature=(weight * to_depth.square()).sum((0, 2)),
        depth_gradient=(weight * to_depth * induced.residual).sum((0, 2)),
    )
