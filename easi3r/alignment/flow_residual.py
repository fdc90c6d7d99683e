"""The optical-flow term: flow induced by depth and cameras against an estimated flow."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from easi3r.alignment.maps import Members, Span, blocks
from easi3r.alignment.motions import Motions, Pulls, adjoint, camera_motion
from easi3r.alignment.problem import Pixels, State
from easi3r.config import AlignmentSettings
from easi3r.tensors import PairGraph
from easi3r.types import OpticalFlow


@dataclass(frozen=True)
class FlowTerm:
    """Optical flow between frames, and where it comes from the camera alone.

    The term takes both flows of every directed pair (i, j) of the graph, i -> j and j -> i, and
    expects to get both. A missing one is left out of its mean; one between frames that no pair
    joins takes no part.

    Attributes:
        optical_flow: its `consistent` counts only where `AlignmentSettings.flow_check` says so.
        static: True where nothing moves; only these pixels of a flow's first frame take part.
    """

    optical_flow: OpticalFlow
    static: Bool[np.ndarray, "frames height width"]


@dataclass(frozen=True)
class SpanFlows:
    """Flows that start at a span's pixels.

    Attributes:
        number: of each flow, in the order of the clip.
        target: frame each flow leads to.
        flow: pixels, (x, y).
        weight: of each component's error; 0 where the component takes no part, or where a frame
            has fewer flows than others of the span.
    """

    number: Int64[Tensor, "frames flows"]
    target: Int64[Tensor, "frames flows"]
    flow: Float32[Tensor, "frames flows 2 pixels"]
    weight: Float32[Tensor, "frames flows 2 pixels"]


@dataclass(frozen=True)
class InducedFlow:
    """Where some pixels of a frame land in other frames, and how far from where flow says.

    Attributes:
        rotation: from the frame's camera to each target camera.
        points: in each target camera.
        image: their places in the image, from the principal point, pixels.
        residual: induced flow minus estimated flow, pixels.
        visible: in front of the target camera.
    """

    rotation: Float32[Tensor, "frames flows 3 3"]
    focal: Float32[Tensor, "frames flows 2 1"]
    points: Float32[Tensor, "frames flows 3 pixels"]
    image: Float32[Tensor, "frames flows 2 pixels"]
    residual: Float32[Tensor, "frames flows 2 pixels"]
    visible: Bool[Tensor, "frames flows pixels"]

    @cached_property
    def depth(self) -> Float32[Tensor, "frames flows 1 pixels"]:
        """In the target cameras; 1 where not visible."""
        return torch.where(self.visible, self.points[:, :, 2], 1.0)[:, :, None]

    def to_image(
        self, motion: Float32[Tensor, "frames flows 3 pixels"]
    ) -> Float32[Tensor, "frames flows 2 pixels"]:
        """Derivative of the places in the image along small motions of the points."""
        return (self.focal * motion[:, :, :2] - self.image * motion[:, :, 2:]) / self.depth

    def from_image(
        self, force: Float32[Tensor, "frames flows 2 pixels"]
    ) -> Float32[Tensor, "frames flows 3 pixels"]:
        """The transpose of `to_image`."""
        along = -(self.image * force).sum(2, keepdim=True)
        return torch.cat([self.focal * force, along], dim=2) / self.depth


def induced_flow(
    flows: SpanFlows,
    state: State,
    source: Int64[Tensor, " frames"],
    points: Float32[Tensor, "frames 3 pixels"],
    position: Float64[Tensor, "2 pixels"],
) -> InducedFlow:
    """Project frames' points, in their own cameras, into the targets of their flows.

    Args:
        source: the frames.
    """
    rotation, origin = _to_targets(state, source[:, None].expand_as(flows.target), flows.target)
    rotation = rotation.float()
    seen = rotation @ points[:, None] + origin.float()[..., None]
    visible = seen[:, :, 2] > 0
    depth = torch.where(visible, seen[:, :, 2], 1.0)
    focal, principal = (t[flows.target].float()[..., None] for t in (state.focal, state.principal))
    image = focal * seen[:, :, :2] / depth[:, :, None]
    residual = image + principal - position.float() - flows.flow
    return InducedFlow(rotation, focal, seen, image, residual, visible)


def flow_errors(flows: SpanFlows, induced: InducedFlow) -> Float64[Tensor, "frames flows"]:
    """Weighted sum of each flow's smooth-L1 errors (beta 1 px), pixels."""
    error = smooth_l1_loss(induced.residual, torch.zeros_like(induced.residual), reduction="none")
    return (flows.weight * error).sum((2, 3)).double()


def flow_push(flows: SpanFlows, induced: InducedFlow) -> Float32[Tensor, "frames flows 2 pixels"]:
    """The gradient of `flow_errors` over places in the image."""
    return flows.weight * induced.residual.clamp(-1, 1)


def flow_curvature(
    flows: SpanFlows, induced: InducedFlow
) -> Float32[Tensor, "frames flows 2 pixels"]:
    """Curvature over places in the image of the parabolas that touch `flow_errors` from above."""
    return flows.weight / induced.residual.abs().clamp_min(1.0)


class FlowPulls:
    """Value and gradient of the flow term, summed span by span."""

    def __init__(self) -> None:
        self.points = Pulls()
        self.values: list[float] = []
        self.zooms: list[Float32[Tensor, " flows"]] = []

    def add(self, flows: SpanFlows, induced: InducedFlow) -> Float32[Tensor, "frames 3 pixels"]:
        """Add a span; the gradient over its points in the frames' own cameras."""
        self.values.append(float(flow_errors(flows, induced).sum()))
        push = flow_push(flows, induced)
        force = induced.from_image(push)
        self.points.add(flows.number, force, induced.points)
        self.zooms.append((push * induced.image).sum((2, 3)).flatten())
        return (induced.rotation.mT @ force).sum(1)

    def value(self) -> float:
        """Weighted sum of smooth-L1 errors."""
        return sum(self.values, 0.0)

    def total(self, like: Float64[Tensor, "flows 7"]) -> Float64[Tensor, "flows 7"]:
        """The gradient over `FlowResidual.motions`."""
        total = self.points.total(like)
        if self.zooms:  # projecting leaves a scale nothing to do; the target's focal is seventh
            zooms, sets = torch.cat(self.zooms).double(), torch.cat(self.points.sets)
            total[:, -1] = total.new_zeros(len(total)).index_add_(0, sets, zooms)
        return total


@dataclass(frozen=True)
class FlowResidual:
    """The flow term of a whole clip (docs/method.md §6, optional terms).

    Its value is `weight` times the sum of two means of smooth-L1 errors in pixels, each over the
    components that take part: that over the flows i -> j of all directed pairs (i, j) of the graph,
    and that over the flows j -> i. With both directions of every pair the two are the same mean.

    Attributes:
        source, target: frames of each flow.
        flow: pixels, (x, y).
        in_mean: which flows each of the two means is over.
        takes_part: static (and consistent, if that is checked), and near enough once `gated`.
        weight: of the sum of the means.
        component_weight: of each flow's errors in the term once `gated`; 1 before.
        max_error_px: a component of a larger error is an outlier and takes no part.
        drop_above: a larger sum of the means drops the whole term.
        frames: of the clip.
    """

    source: Int64[Tensor, " flows"]
    target: Int64[Tensor, " flows"]
    flow: Float32[Tensor, "flows pixels 2"]
    in_mean: Bool[Tensor, "2 flows"]
    takes_part: Bool[Tensor, "flows 2 pixels"]
    weight: float
    component_weight: Float32[Tensor, " flows"]
    max_error_px: float
    drop_above: float
    frames: int

    @cached_property
    def members(self) -> Members:
        """Of each frame, the flows that start at it."""
        return Members.of(self.source, self.frames)

    def of_span(self, span: Span) -> SpanFlows | None:
        """The flows that start at a span; None if there are none."""
        members, part = self.members.of_frames(span.frames), span.pixels
        number = members.number
        if not number.numel():
            return None
        flat, shape = number.flatten(), number.shape
        flow = self.flow[:, part].index_select(0, flat).mT.contiguous()
        own = self.component_weight[number] * members.own
        weight = self.takes_part[:, :, part].index_select(0, flat).unflatten(0, shape)
        return SpanFlows(
            number,
            self.target[number],
            flow.unflatten(0, shape),
            weight * own[..., None, None],
        )

    def gated(self, state: State, pixels: Pixels) -> "FlowResidual | None":
        """The flows with their final weights for some steps from this state; None drops the term.

        A component with an error of `max_error_px` or more, or behind its target camera, is out.
        """
        takes_part = torch.empty(self.takes_part.shape, dtype=torch.bool, device=self.flow.device)
        errors = torch.zeros(len(self.source), dtype=torch.float64, device=self.flow.device)
        counts = torch.zeros_like(errors)
        most = self.members.number.shape[1]
        for frame in range(self.frames):
            source = torch.tensor([frame], device=state.depth.device)
            for part in blocks(len(pixels.index), most, state.depth.device):
                span = Span(slice(frame, frame + 1), part)
                flows, position = self.of_span(span), pixels.position[:, part]
                if flows is None:
                    continue
                points = state.depth[span.frames, None, part] * state.rays(span.frames, position)
                induced = induced_flow(flows, state, source, points, position)
                near = (induced.residual.abs() < self.max_error_px) & induced.visible[:, :, None]
                weight = flows.weight * near
                # One frame at a time: its row is not filled up, each flow stands there once.
                (number,) = flows.number
                takes_part[number, :, part] = weight[0] > 0
                errors[number] += flow_errors(replace(flows, weight=weight), induced)[0]
                counts[number] += weight[0].sum((1, 2))
        in_mean = self.in_mean.double()
        shares = in_mean / (in_mean @ counts).clamp_min(1)[:, None]
        if not counts.any() or float((shares @ errors).sum()) > self.drop_above:
            return None
        return replace(
            self,
            takes_part=takes_part,
            component_weight=(self.weight * shares.sum(0)).float(),
        )

    def motions(self, state: State) -> Motions:
        """Of the points in the target cameras; their seventh number is those cameras' log focal."""
        moved = adjoint(*_to_targets(state, self.source, self.target))
        moved[:, :, -1] = 0
        target = camera_motion(moved)
        target[-1, -1] = 1
        return Motions(self.source, self.target, moved, target.expand_as(moved))


def _to_targets(
    state: State, source: Int64[Tensor, "*flows"], target: Int64[Tensor, "*flows"]
) -> tuple[Float64[Tensor, "*flows 3 3"], Float64[Tensor, "*flows 3"]]:
    to_target = state.rotation[target].mT
    shift = state.centre[source] - state.centre[target]
    return to_target @ state.rotation[source], (to_target @ shift[..., None])[..., 0]


def flow_residual(
    term: FlowTerm,
    graph: PairGraph,
    settings: AlignmentSettings,
    pixels: Pixels,
    device: torch.device,
) -> FlowResidual:
    """The flows of the graph's pairs at the chosen pixels."""
    estimate = term.optical_flow
    pairs = {(first, second) for first, second in graph.edges.tolist()}
    flows = estimate.edges.tolist()
    in_mean = torch.tensor(
        [[(i, j) in pairs for i, j in flows], [(j, i) in pairs for i, j in flows]], device=device
    )
    source, target = torch.from_numpy(estimate.edges).to(device).unbind(1)
    flow = torch.from_numpy(estimate.flow).to(device).flatten(1, 2)
    consistent = torch.from_numpy(estimate.consistent).to(device).flatten(1)
    static = torch.from_numpy(term.static).to(device).flatten(1)
    chosen = pixels.index
    if len(chosen) < flow.shape[1]:
        flow, consistent, static = flow[:, chosen], consistent[:, chosen], static[:, chosen]
    takes_part = static[source] & in_mean.any(0)[:, None]
    if settings.flow_check:
        takes_part &= consistent
    return FlowResidual(
        source=source,
        target=target,
        flow=flow,
        in_mean=in_mean,
        takes_part=takes_part[:, None].expand(-1, 2, -1),
        weight=settings.flow_weight or 0.0,
        component_weight=torch.ones(len(source), device=device),
        max_error_px=settings.flow_max_error_px,
        drop_above=settings.flow_drop_above,
        frames=len(term.static),
    )
