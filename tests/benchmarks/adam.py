"""The baseline of the alignment's benchmark: Adam on every pixel of every pair (docs/method.md §6).

Written from that description, batched over pairs; autograd gives the gradients.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import roma
import torch
from jaxtyping import Float32, Int64
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from easi3r.alignment.flow_residual import FlowTerm
from easi3r.alignment.initial_state import PAIR_SCALE
from easi3r.alignment.problem import State, log_weights
from easi3r.config import AlignmentSettings
from easi3r.geometry.similarity import Similarity
from easi3r.tensors import PairGraph, PairPrediction

STEPS = 300
FIRST_RATE, LAST_RATE = 0.01, 0.001
BETAS = (0.9, 0.9)
FOCAL_FACTOR = 20.0
"""A focal is optimised as this times its logarithm."""

SMALLEST = 1e-12
"""Added to squared distances, whose root has no derivative at 0; in squared clip units."""


@dataclass(frozen=True)
class Cameras:
    """Poses and depths while they are optimised. Coordinates come before pixels."""

    rotation: Float32[Tensor, "frames 3 3"]
    centre: Float32[Tensor, "frames 3"]
    focal: Float32[Tensor, "frames 1 1"]
    points: Float32[Tensor, "frames 3 pixels"]

    def world(self) -> Float32[Tensor, "frames 3 pixels"]:
        """Every frame's pixels in the world."""
        return torch.baddbmm(self.centre[..., None], self.rotation, self.points)


def signed_log1p(values: Float32[Tensor, "*shape"]) -> Float32[Tensor, "*shape"]:
    """Compresses large translations; its inverse is `signed_expm1`."""
    return values.sign() * values.abs().log1p()


def signed_expm1(values: Float32[Tensor, "*shape"]) -> Float32[Tensor, "*shape"]:
    """The inverse of `signed_log1p`."""
    return values.sign() * values.abs().expm1()


class Unknowns:
    """The parameters that Adam moves, from a state of the solver."""

    def __init__(self, state: State) -> None:
        def free(values: Tensor) -> Tensor:
            return values.detach().float().clone().requires_grad_()

        self.principal = state.principal.float()
        self.log_depth = free(state.depth.log())
        self.turn = free(roma.rotmat_to_unitquat(state.rotation))
        self.centre = free(signed_log1p(state.centre))
        self.focal = free(FOCAL_FACTOR * state.focal[:1, 0].log())
        self.pair_turn = free(roma.rotmat_to_unitquat(state.pair.rotation))
        self.pair_shift = free(signed_log1p(state.pair.translation))
        self.pair_size = free(state.pair.scale.log())

    def parameters(self) -> list[Tensor]:
        """All of them; the focal is shared by the clip."""
        cameras = [self.log_depth, self.turn, self.centre, self.focal]
        return [*cameras, self.pair_turn, self.pair_shift, self.pair_size]

    def cameras(self, position: Float32[Tensor, "2 pixels"]) -> Cameras:
        """The reconstruction they stand for."""
        depth = self.log_depth.exp()[:, None]
        focal = (self.focal / FOCAL_FACTOR).exp().expand(len(depth))[:, None, None]
        lateral = (position - self.principal[..., None]) / focal * depth
        return Cameras(
            roma.unitquat_to_rotmat(roma.quat_normalize(self.turn)),
            signed_expm1(self.centre),
            focal,
            torch.cat([lateral, depth], dim=1),
        )

    def similarities(self) -> Similarity:
        """Of the pairs, their scales tied."""
        size = self.pair_size - self.pair_size.mean()
        return Similarity(
            roma.unitquat_to_rotmat(roma.quat_normalize(self.pair_turn)),
            signed_expm1(self.pair_shift),
            PAIR_SCALE * size.exp(),
        )


@dataclass(frozen=True)
class FlowTargets:
    """Every flow of a clip, and where it takes part (docs/method.md §6, optional terms)."""

    source: Int64[Tensor, " flows"]
    target: Int64[Tensor, " flows"]
    flow: Float32[Tensor, "flows 2 pixels"]
    takes_part: Float32[Tensor, "flows pixels"]
    of_pairs: Float32[Tensor, "2 flows"]

    @classmethod
    def of(cls, term: FlowTerm, graph: PairGraph) -> "FlowTargets":
        """From images to columns of pixels; nothing is checked forward and backward."""
        source, target = torch.from_numpy(term.optical_flow.edges).unbind(1)
        flow = torch.from_numpy(term.optical_flow.flow).flatten(1, 2).mT.contiguous()
        static = torch.from_numpy(term.static).flatten(1)[source]
        pairs = torch.from_numpy(graph.edges)
        ends = torch.stack([source, target], dim=1)
        of_pairs = [(ends[:, None] == one).all(2).any(1) for one in (pairs, pairs.flip(1))]
        return cls(source, target, flow, static.float(), torch.stack(of_pairs).float())

    def loss(
        self,
        cameras: Cameras,
        position: Float32[Tensor, "2 pixels"],
        principal: Float32[Tensor, "frames 2"],
        settings: AlignmentSettings,
    ) -> Tensor:
        """Both means of the smooth-L1 error, added and weighted; 0 in a step in which their sum is
        too large."""
        to_target = cameras.rotation[self.target].mT
        rotation = to_target @ cameras.rotation[self.source]
        shift = cameras.centre[self.source] - cameras.centre[self.target]
        seen = torch.baddbmm(to_target @ shift[..., None], rotation, cameras.points[self.source])
        front = seen[:, 2:] > 0
        landing = cameras.focal[self.target] * seen[:, :2] / torch.where(front, seen[:, 2:], 1.0)
        error = landing + (principal[self.target][..., None] - position) - self.flow
        near = error.detach().abs() < settings.flow_max_error_px
        weight = self.takes_part[:, None] * (near & front)
        each = smooth_l1_loss(error, torch.zeros_like(error), reduction="none")
        errors, counts = ((weight * one).sum((1, 2)) for one in (each, torch.ones_like(each)))
        means = (self.of_pairs @ errors) / (self.of_pairs @ counts).clamp_min(1)
        total = means.sum()
        below_limit = total.detach() <= settings.flow_drop_above
        return (settings.flow_weight or 0.0) * total * below_limit


@dataclass(frozen=True)
class AdamStep:
    """After a step: how long Adam has worked, and where it is."""

    step: int
    seconds: float
    state: State


def descend_by_adam(
    graph: PairGraph,
    prediction: PairPrediction,
    state: State,
    settings: AlignmentSettings,
    flow: FlowTerm | None,
    every: int,
) -> Iterator[AdamStep]:
    """Run the baseline; yields every so many steps, the clock standing still meanwhile.

    The clock includes regrouping the predictions, as the solver's does.
    """
    begin = time.process_time()
    height, width = prediction.confidence_1.shape[1:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    position = torch.stack([x.flatten(), y.flatten()]).float()
    terms = len(graph) * height * width
    sides = [
        (torch.from_numpy(graph.edges[:, side]), points.flatten(1, 2).mT.contiguous(), weight)
        for side, points, weight in (
            (0, prediction.points_1, log_weights(prediction.confidence_1).flatten(1) / terms),
            (1, prediction.points_2, log_weights(prediction.confidence_2).flatten(1) / terms),
        )
    ]
    targets = None if flow is None else FlowTargets.of(flow, graph)
    unknowns = Unknowns(state)
    adam = torch.optim.Adam(unknowns.parameters(), FIRST_RATE, BETAS)
    for step in range(STEPS):
        progress = step / STEPS
        adam.param_groups[0]["lr"] = FIRST_RATE + (LAST_RATE - FIRST_RATE) * progress
        adam.zero_grad()
        cameras, pair = unknowns.cameras(position), unknowns.similarities()
        world, linear = cameras.world(), pair.scale[:, None, None] * pair.rotation
        loss = torch.zeros(())
        for frame, points, weight in sides:
            moved = torch.baddbmm(pair.translation[..., None], linear, points)
            squared = (world[frame] - moved).square().sum(1)
            loss = loss + (weight * (squared + SMALLEST).sqrt()).sum()
        if targets is not None and progress >= settings.flow_start_fraction:
            loss = loss + targets.loss(cameras, position, unknowns.principal, settings)
        loss.backward()
        adam.step()
        if (step + 1) % every == 0:
            spent = time.process_time() - begin
            yield AdamStep(step + 1, spent, _state(unknowns, position, state))
            begin = time.process_time() - spent


@torch.no_grad()
def _state(unknowns: Unknowns, position: Float32[Tensor, "2 pixels"], initial: State) -> State:
    cameras, pair = unknowns.cameras(position), unknowns.similarities()
    return State(
        cameras.rotation.double(),
        cameras.centre.double(),
        cameras.focal[:, 0].double().expand(-1, 2).contiguous(),
        initial.principal,
        Similarity(pair.rotation.double(), pair.translation.double(), pair.scale.double()),
        cameras.points[:, 2].clone(),
    )
