"""The optical-flow term: flow induced by depth and cameras against an estimated flow."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from easi3r.alignment.problem import Pixels, State
from easi3r.alignment.terms import MOTION, FrameTerms
from easi3r.config import AlignmentSettings
from easi3r.geometry.tensor_cameras import lengths
from easi3r.types import OpticalFlow


@dataclass(frozen=True)
class FlowTerm:
    """Flow between frames, and where it may be trusted to come from the camera alone.

    Attributes:
        optical_flow: only its consistent pixels take part.
        static: True where nothing moves; only these pixels of a flow's first frame take part.
    """

    optical_flow: OpticalFlow
    static: Bool[np.ndarray, "frames height width"]


@dataclass(frozen=True)
class FrameFlows:
    """Flows that start at one frame.

    Attributes:
        target: frame each flow leads to.
        flow: pixels, (x, y).
        weight: of each pixel; 0 where the pixel takes no part.
    """

    target: Int64[Tensor, " flows"]
    flow: Float32[Tensor, "flows 2 pixels"]
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
    points: Float32[Tensor, "flows 3 pixels"]
    residual: Float32[Tensor, "flows 2 pixels"]
    visible: Bool[Tensor, "flows pixels"]


def induced_flow(
    flows: FrameFlows, state: State, frame: int, position: Float64[Tensor, "2 pixels"]
) -> InducedFlow:
    """Project a frame's points into the targets of its flows."""
    to_target = state.rotation[flows.target].mT
    rotation = to_target @ state.rotation[frame]
    origin = (to_target @ (state.centre[frame] - state.centre[flows.target])[..., None])[..., 0]
    own = state.depth[frame] * state.rays(frame, position)
    points = rotation.float() @ own + origin.float()[..., None]
    visible = points[:, 2] > 0
    depth = torch.where(visible, points[:, 2], 1.0)
    focal, principal = (t[flows.target].float()[..., None] for t in (state.focal, state.principal))
    landing = focal * points[:, :2] / depth[:, None] + principal
    residual = landing - position.float() - flows.flow
    return InducedFlow(rotation, origin, points, residual, visible)


def flow_value(
    flows: FrameFlows, state: State, frame: int, position: Float64[Tensor, "2 pixels"]
) -> float:
    """Weighted sum of smooth-L1 errors of a frame's flows."""
    residual = induced_flow(flows, state, frame, position).residual
    error = smooth_l1_loss(residual, torch.zeros_like(residual), reduction="none")
    return float((flows.weight[:, None] * error).sum(dtype=torch.float64))


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

    def gated(self, state: State, position: Float64[Tensor, "2 pixels"]) -> tuple[FrameFlows, ...]:
        """The flows with their final weights for a step from this state; none if all drop out."""
        total, count = 0.0, 0
        gated = []
        for frame, flows in enumerate(self.frames):
            induced = induced_flow(flows, state, frame, position)
            near = lengths(induced.residual) <= self.max_error_px
            gated.append(replace(flows, weight=flows.weight * (near & induced.visible)))
            total += flow_value(gated[-1], state, frame, position)
            count += 2 * int(gated[-1].weight.count_nonzero())
        if count == 0 or total / count > self.drop_above:
            return ()
        factor = self.weight / count
        return tuple(replace(flows, weight=flows.weight * factor) for flows in gated)


def flow_residual(
    term: FlowTerm, settings: AlignmentSettings, pixels: Pixels, device: torch.device
) -> FlowResidual:
    """The clip's flows at the chosen pixels, regrouped by the frame they start at."""
    chosen = pixels.index.cpu().numpy()
    given = term.optical_flow
    static = term.static.reshape(len(term.static), -1)[:, chosen]
    frames = []
    for frame in range(len(static)):
        number = np.flatnonzero(given.edges[:, 0] == frame)
        flow = given.flow[number].reshape(len(number), -1, 2)[:, chosen]
        consistent = given.consistent[number].reshape(len(number), -1)[:, chosen]
        weight = (consistent & static[frame]).astype(np.float32)
        frames.append(
            FrameFlows(
                torch.from_numpy(given.edges[number, 1]).to(device),
                torch.from_numpy(flow).mT.contiguous().to(device),
                torch.from_numpy(weight).to(device),
            )
        )
    return FlowResidual(
        tuple(frames),
        settings.flow_weight or 0.0,
        settings.flow_max_error_px,
        settings.flow_drop_above,
    )


def flow_terms(
    flows: FrameFlows,
    state: State,
    frame: int,
    position: Float64[Tensor, "2 pixels"],
) -> FrameTerms:
    """Terms of a frame's flows. Motions: shift and turn in each target camera, its log focal."""
    induced = induced_flow(flows, state, frame, position)
    rays = state.rays(frame, position)
    depth = torch.where(induced.visible, induced.points[:, 2], 1.0)[:, None]
    focal = state.focal[flows.target].float()[..., None]
    image = focal * induced.points[:, :2] / depth
    project = image.new_zeros(len(image), 3, *image.shape[1:])
    project[:, 0, 0] = (focal / depth)[:, 0]
    project[:, 1, 1] = (focal / depth)[:, 1]
    project[:, 2] = -image / depth

    def to_image(motion: Float32[Tensor, "flows 3 pixels"]) -> Float32[Tensor, "flows 2 pixels"]:
        return (project * motion[:, :, None]).sum(1)

    rotation = induced.rotation.float()
    off_axis = rays * rays.new_tensor([-1.0, -1.0, 0.0])[:, None]
    by_depth = to_image(rotation @ rays)
    by_focal = to_image(rotation @ (state.depth[frame] * off_axis))
    turn = torch.linalg.cross(induced.points[:, :, None].expand_as(project), project, dim=1)
    motion = torch.cat([project, turn, image[:, None]], dim=1)

    weight = flows.weight[:, None] / induced.residual.abs().clamp_min(1.0)
    pulled = weight[:, None] * motion
    size = MOTION * len(flows.target) + 1
    matrix = torch.zeros(size, size, dtype=torch.float64, device=rays.device)
    matrix[:-1, :-1] = torch.block_diag(*(pulled.flatten(2) @ motion.flatten(2).mT).double())
    matrix[:-1, -1] = matrix[-1, :-1] = (pulled * by_focal[:, None]).sum((2, 3)).flatten()
    matrix[-1, -1] = (weight * by_focal.square()).sum()
    gradient = matrix.new_empty(size)
    gradient[:-1] = (pulled * induced.residual[:, None]).sum((2, 3)).flatten()
    gradient[-1] = (weight * by_focal * induced.residual).sum()
    with_depth = (pulled * by_depth[:, None]).sum(2).flatten(0, 1)
    return FrameTerms(
        matrix,
        gradient,
        mixed=torch.cat([with_depth, (weight * by_focal * by_depth).sum((0, 1))[None]]),
        depth_curvature=(weight * by_depth.square()).sum((0, 1)),
        depth_gradient=(weight * by_depth * induced.residual).sum((0, 1)),
    )
