"""The whole objective and its normal equations over the small unknowns, depths eliminated.

A depth meets only the terms of its own pixel, so it leaves the system in closed form, as a point
does in bundle adjustment (Schur complement); what remains is 7 numbers a frame and 7 a pair.
Frame: shift and turn in the camera's own axes, log focal. Pair: shift and turn in world axes about
its first camera's centre, log scale.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from easi3r.alignment.flow_residual import (
    FlowResidual,
    FrameFlows,
    flow_terms,
    flow_value,
    induced_flow,
)
from easi3r.alignment.problem import FrameMaps, Pixels, State
from easi3r.alignment.smoothness import Smoothness
from easi3r.alignment.terms import MOTION, FrameTerms, adjoint, map_terms
from easi3r.geometry.tensor_cameras import lengths

NEAREST = 1e-3
"""No depth falls below this fraction of the median its frame started with."""


@dataclass(frozen=True)
class Problem:
    """What is minimised: the maps of every frame and the optional terms.

    Attributes:
        maps: per frame.
        flow: None without the flow term.
        flows: per frame, weighted for the current step; empty without the flow term.
        prior_depth, depth_weight: `depth_weight * mean(log(depth / prior_depth)^2)` is added.
    """

    pixels: Pixels
    maps: tuple[FrameMaps, ...]
    flow: FlowResidual | None
    flows: tuple[FrameFlows, ...]
    smoothness: Smoothness
    prior_depth: Float32[Tensor, "frames pixels"]
    depth_weight: float

    def at(self, state: State) -> "Problem":
        """The problem of a step from this state: the flow term leaves out what is far off."""
        if self.flow is None:
            return self
        return replace(self, flows=self.flow.gated(state, self.pixels.position))

    def nearest_depth(self) -> Float32[Tensor, "frames 1"]:
        """How near a pixel may come: points behind the camera would pull depths to 0."""
        return NEAREST * self.prior_depth.median(dim=1, keepdim=True).values

    def total_weight(self) -> float:
        """Sum of the weights of all distances."""
        return sum(float(maps.weight.sum(dtype=torch.float64)) for maps in self.maps)

    def map_value(self, state: State) -> float:
        """The objective of METHOD section 6, without optional terms."""
        total = 0.0
        for frame, maps in enumerate(self.maps):
            points, _ = maps.in_camera(state, frame)
            rays = state.rays(frame, self.pixels.position)
            distance = lengths(state.depth[frame] * rays - points)
            total += float((maps.weight * distance).sum(dtype=torch.float64))
        return total

    def value(self, state: State) -> float:
        """Everything that is minimised."""
        total = self.map_value(state)
        for frame, flows in enumerate(self.flows):
            total += flow_value(flows, state, frame, self.pixels.position)
        if self.smoothness.weight:
            total += self.smoothness.value(state)
        if self.depth_weight:
            deviation = (state.depth / self.prior_depth).log().square().mean(dtype=torch.float64)
            total += self.depth_weight * float(deviation)
        return total


@dataclass(frozen=True)
class DepthStep:
    """How a frame's depths follow the small unknowns: `-offset - slope @ (chain @ step)`.

    Attributes:
        columns: which unknowns of the system the frame meets.
        chain: from those to the frame's local ones.
    """

    offset: Float32[Tensor, " pixels"]
    slope: Float32[Tensor, "local pixels"]
    chain: Float64[Tensor, "local columns"]
    columns: Int64[Tensor, " columns"]

    def __call__(self, step: Float64[Tensor, " unknowns"]) -> Float32[Tensor, " pixels"]:
        return -self.offset - (self.chain @ step[self.columns]).float() @ self.slope


@dataclass(frozen=True)
class System:
    """Normal equations `matrix @ step = -gradient`; unknowns: frames x 7, then pairs x 7."""

    matrix: Float64[Tensor, "n n"]
    gradient: Float64[Tensor, " n"]
    depth_steps: tuple[DepthStep, ...]


def linearise(problem: Problem, state: State, softening: float) -> System:
    """The normal equations of every term at a state.

    Args:
        softening: map distances below it count as it, which bounds their curvature.
    """
    frames = len(problem.maps)
    size = MOTION * (frames + len(state.pair.scale))
    matrix = state.centre.new_zeros(size, size)
    gradient = matrix.new_zeros(size)
    depth_steps = []
    for frame in range(frames):
        terms, chain, columns = _frame_terms(problem, state, frame, softening)
        slope = terms.mixed / terms.depth_curvature
        local = terms.matrix - (slope @ terms.mixed.T).double()
        force = terms.gradient - (slope @ terms.depth_gradient).double()
        matrix.index_put_((columns[:, None], columns), chain.T @ local @ chain, accumulate=True)
        gradient.index_put_((columns,), chain.T @ force, accumulate=True)
        offset = terms.depth_gradient / terms.depth_curvature
        depth_steps.append(DepthStep(offset, slope, chain, columns))
    if problem.smoothness.weight:
        columns = _columns(torch.arange(frames, device=matrix.device))[:, :6].flatten()
        curvature, force = problem.smoothness.terms(state)
        matrix.index_put_((columns[:, None], columns), curvature, accumulate=True)
        gradient.index_put_((columns,), force, accumulate=True)
    return System(matrix, gradient, tuple(depth_steps))


def _columns(blocks: Int64[Tensor, " blocks"]) -> Int64[Tensor, "blocks 7"]:
    return MOTION * blocks[:, None] + torch.arange(MOTION, device=blocks.device)


def _frame_terms(
    problem: Problem, state: State, frame: int, softening: float
) -> tuple[FrameTerms, Float64[Tensor, "local columns"], Int64[Tensor, " columns"]]:
    """A frame's terms, and how their local unknowns follow the system's `columns`."""
    maps, position = problem.maps[frame], problem.pixels.position
    points, origin = maps.in_camera(state, frame)
    depth = state.depth[frame]
    terms = map_terms(maps, points, state.rays(frame, position), depth, softening)
    if problem.depth_weight:
        factor = 2 * problem.depth_weight / state.depth.numel()
        slack = factor * (depth / problem.prior_depth[frame]).log() / depth
        terms = terms.with_depth_pull(factor / depth.square(), slack)

    camera = -torch.eye(MOTION, dtype=torch.float64, device=origin.device)
    camera[-1, -1] = 0
    own = [camera] * len(maps.pair)
    others = [*adjoint(state.rotation[frame].T.expand(len(origin), 3, 3), origin)]
    blocks = [len(problem.maps) + maps.pair]
    if problem.flows:
        flows = problem.flows[frame]
        terms = terms + flow_terms(flows, state, frame, position)
        induced = induced_flow(flows, state, frame, position)
        moved = adjoint(induced.rotation, induced.origin)
        moved[:, :, -1] = 0
        target = camera.clone()
        target[-1, -1] = 1
        own += [*moved]
        others += [target] * len(flows.target)
        blocks.append(flows.target)
    focal = camera.new_zeros(1, MOTION)
    focal[0, -1] = 1
    own.append(focal)
    side = torch.block_diag(*others)
    chain = torch.cat([torch.cat(own), torch.cat([side, side.new_zeros(1, side.shape[1])])], dim=1)
    columns = _columns(torch.cat([torch.tensor([frame], device=depth.device), *blocks]))
    return terms, chain, columns.flatten()
