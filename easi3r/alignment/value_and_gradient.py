"""The whole objective, its gradient over the small unknowns, and the best depths for them.

One visit of every pixel gives all three, a span of pixels at a time: with everything else fixed a
depth meets only the terms of its own pixel, and where each depth is the best one, the gradient over
the small unknowns is that of the objective with the depths eliminated.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from easi3r.alignment.depths import DepthPull, RayDistances
from easi3r.alignment.flow_residual import (
    FlowPulls,
    FlowResidual,
    InducedFlow,
    SpanFlows,
    flow_curvature,
    flow_push,
    induced_flow,
)
from easi3r.alignment.maps import ClipMaps, Span, SpanMaps
from easi3r.alignment.motions import Motions, Pulls, adjoint, camera_motion
from easi3r.alignment.problem import Pixels, State
from easi3r.alignment.smoothness import Smoothness
from easi3r.alignment.unknowns import MOTION


@dataclass(frozen=True)
class Problem:
    """What is minimised: the maps of every frame and the optional terms.

    Attributes:
        flow: None without the flow term.
        prior_depth, depth_weight: `depth_weight * mean(log(depth / prior_depth)^2)` is added.
        nearest: smallest depth of each frame: points behind the camera would pull depths to 0.
        rounding: distances d count as `sqrt(d^2 + rounding^2)`, which has a second derivative.
    """

    pixels: Pixels
    maps: ClipMaps
    flow: FlowResidual | None
    smoothness: Smoothness
    prior_depth: Float32[Tensor, "frames pixels"]
    depth_weight: float
    nearest: Float32[Tensor, " frames"]
    rounding: float = 0.0

    def at(self, state: State) -> "Problem":
        """The problem of one round from this state: the flow term without its outliers there."""
        return (
            self if self.flow is None else replace(self, flow=self.flow.gated(state, self.pixels))
        )

    def blocks(self, state: State) -> Iterator["Block"]:
        """All pixels of all frames, at a state."""
        for number, span in enumerate(self.maps.spans):
            position = self.pixels.position[:, span.pixels]
            flows = None if self.flow is None else self.flow.of_span(span)
            rays = state.rays(span.frames, position)
            yield Block(span, position, rays, self.maps.of_span(number), flows)

    def map_motions(self, state: State, shift: Float64[Tensor, "maps 3"]) -> Motions:
        """Of every map's points in the camera of the frame it shows."""
        frame, block = self.maps.frame, self.maps.graph.frames + self.maps.pair
        camera = camera_motion(shift).expand(len(frame), MOTION, MOTION)
        return Motions(frame, block, camera, adjoint(state.rotation[frame].mT, shift))

    def prior_pull(self, state: State, block: "Block") -> DepthPull:
        """The parabolas of the prior over a block's depths."""
        depth = block.of(state.depth)
        factor = 2 * self.depth_weight / state.depth.numel()
        slack = factor * (depth / block.of(self.prior_depth)).log() / depth
        return DepthPull(factor / depth.square(), slack)


@dataclass(frozen=True)
class Block:
    """The pixels of a span, and what is predicted for them."""

    span: Span
    position: Float64[Tensor, "2 pixels"]
    rays: Float32[Tensor, "frames 3 pixels"]
    maps: SpanMaps
    flows: SpanFlows | None

    @property
    def frames(self) -> Int64[Tensor, " frames"]:
        """Numbers of the block's frames."""
        return torch.arange(
            self.span.frames.start, self.span.frames.stop, device=self.position.device
        )

    def of(self, image: Float32[Tensor, "clip clip_pixels"]) -> Float32[Tensor, "frames pixels"]:
        """The block's part of values of all pixels (a view)."""
        return image[self.span.frames, self.span.pixels]

    def placed(
        self, linear: Float64[Tensor, "clip_maps 3 3"], shift: Float64[Tensor, "clip_maps 3"]
    ) -> Float32[Tensor, "frames maps 3 pixels"]:
        """The maps' points in the cameras of the frames they show, as `ClipMaps.placed` says."""
        number = self.maps.number
        points = linear[number].float() @ self.maps.points
        return points.add_(shift[number].float()[..., None])

    def induced(self, state: State, depth: Float32[Tensor, "frames pixels"]) -> InducedFlow:
        """Where the pixels land in the targets of their flows."""
        assert self.flows is not None
        points = depth[:, None] * self.rays
        return induced_flow(self.flows, state, self.frames, points, self.position)


@dataclass(frozen=True)
class Evaluation:
    """What is minimised, at a state after the sweeps over its depths.

    Attributes:
        value: what is minimised, distances rounded as the problem says.
        objective: the same without rounding: that of docs/method.md §6, optional terms included.
        map_objective: without optional terms.
        gradient: of `value` over the numbers of the frames, then of the pairs.
    """

    state: State
    value: float
    objective: float
    map_objective: float
    gradient: Float64[Tensor, "blocks 7"]


def evaluate(problem: Problem, state: State, sweeps: int) -> Evaluation:
    """Value and gradient after some sweeps over the depths.

    Args:
        sweeps: number of over-relaxed weighted means; 0 leaves the depths as they are.
    """
    frames, pairs = problem.maps.graph.frames, len(problem.maps.graph)
    placed = problem.maps.placed(state)
    depth = state.depth.clone()
    pulls, flow_pulls = Pulls(), FlowPulls()
    gradient = state.centre.new_zeros(frames + pairs, MOTION)
    rounded, exact = [], []
    for block in problem.blocks(state):
        points, rays, here = block.placed(*placed), block.rays, block.of(depth)
        ahead = RayDistances.of(points, rays, block.maps.weight, problem.rounding)
        if sweeps:
            solved = ahead.solve(here, _other_pull(problem, block, state), sweeps)
            nearest = problem.nearest[block.span.frames, None]
            here.copy_(torch.maximum(solved, nearest))
        distance = ahead.distance(here)
        force = ahead.force(here, distance)
        pulls.add(block.maps.number, force, points)
        rounded.append((ahead.weight * distance).sum())
        exact.append((ahead.weight * ahead.exact(distance)).sum())
        on_points = force.sum(1)
        if block.flows is not None:
            on_points += flow_pulls.add(block.flows, block.induced(state, here))
        zoom = (on_points[:, :2] * rays[:, :2]).sum(1)
        gradient[block.span.frames, -1] -= (here * zoom).sum(1)
    motions = problem.map_motions(state, placed[1])
    motions.add_pull(gradient, -pulls.total(motions.by_frame[:, 0]))
    if problem.flow is not None:
        motions = problem.flow.motions(state)
        motions.add_pull(gradient, flow_pulls.total(motions.by_frame[:, 0]))
    ended = replace(state, depth=depth)
    map_value, map_objective = (
        float(torch.stack(values).double().sum()) for values in (rounded, exact)
    )
    others = flow_pulls.value() + _small_terms(problem, ended, gradient)
    return Evaluation(ended, map_value + others, map_objective + others, map_objective, gradient)


def _small_terms(problem: Problem, state: State, gradient: Float64[Tensor, "blocks 7"]) -> float:
    """Value of the terms that need no pixels' maps; adds their gradient."""
    value = 0.0
    frames = len(state.centre)
    if problem.smoothness.weight:
        _, force = problem.smoothness.terms(state)
        gradient[:frames, :6] += force.view(frames, 6)
        value += problem.smoothness.value(state)
    if problem.depth_weight:
        deviation = (state.depth / problem.prior_depth).log().square().mean(dtype=torch.float64)
        value += problem.depth_weight * float(deviation)
    return value


def _other_pull(problem: Problem, block: Block, state: State) -> DepthPull | None:
    """Parabolas of all terms but the maps' over a block's depths; None where there are none."""
    curvature = gradient = torch.zeros_like(block.rays[:, 2])
    flows = block.flows
    if problem.depth_weight:
        pull = problem.prior_pull(state, block)
        curvature, gradient = pull.curvature, pull.gradient
    elif flows is None:
        return None
    if flows is not None:
        induced = block.induced(state, block.of(state.depth))
        along = induced.to_image(induced.rotation @ block.rays[:, None])
        weight = flow_curvature(flows, induced)
        curvature = curvature + (weight * along.square()).sum((1, 2))
        gradient = gradient + (flow_push(flows, induced) * along).sum((1, 2))
    return DepthPull(curvature, gradient)
