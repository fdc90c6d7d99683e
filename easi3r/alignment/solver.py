"""Levenberg-Marquardt on the re-weighted objective (METHOD section 6: "what counts is the result").

The descent is monotone: a step that does not lower the true objective is refused and damped more.
"""

from dataclasses import dataclass, replace

import roma
import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from easi3r.alignment.problem import State
from easi3r.alignment.system import Problem, System, linearise
from easi3r.alignment.terms import MOTION
from easi3r.errors import DegenerateGeometryError
from easi3r.geometry.similarity import Similarity

START_DAMPING = 1e-4
MIN_DAMPING = 1e-6
MAX_DAMPING = 1e6
TOLERANCE = 1e-4
"""A step that lowers the objective by less than this fraction is the last."""

NEGLIGIBLE = 1e-6
"""Distances that average below this fraction of the depths are rounding errors: solved."""

SOFTENING = 1e-2
"""Distances below this fraction of the mean distance share one curvature."""

DEPTH_SWEEPS = 10

SWEEP_SOFTENING = 1e-5
"""Distances below this fraction of the depth share one weight in `best_depths`."""


@dataclass(frozen=True)
class Freedom:
    """Which of the frames' unknowns may move.

    The world is the first frame's camera. Where poses are known only one number moves, the length
    of their path: in the world of tied pair scales that is unknown, and it is divided out at the
    end. (With pair scales free instead, shrinking every pair to a point would beat the truth.)
    """

    known_poses: bool
    known_focals: bool
    shared_focal: bool

    def basis(self, state: State) -> Float64[Tensor, "numbers free"]:
        """From the numbers that may move to the 7 of each frame (shift, turn, log focal)."""
        frames = len(state.centre)
        device = state.centre.device
        numbers = torch.eye(MOTION * frames, dtype=torch.float64, device=device)
        numbers = numbers.unflatten(1, (frames, MOTION))
        if self.known_poses:
            along = (state.rotation.mT @ state.centre[..., None])[..., 0]
            poses = torch.cat([along, torch.zeros_like(along), along[:, :1] * 0], dim=1)
            columns = [poses.reshape(-1, 1)]
        else:
            columns = [numbers[:, 1:, :6].flatten(1)]
        if not self.known_focals:
            focals = numbers[:, :, 6]
            columns.append(focals.sum(1, keepdim=True) if self.shared_focal else focals)
        return torch.cat(columns, dim=1)


@dataclass(frozen=True)
class Descent:
    """Where a descent ended, and the objective after each of its steps."""

    state: State
    values: tuple[float, ...]


def descend(problem: Problem, state: State, freedom: Freedom, max_steps: int) -> Descent:
    """Lower the objective until a step gains less than `TOLERANCE` of it, or `max_steps`.

    Raises:
        DegenerateGeometryError: the normal equations are singular at every damping.
    """
    values: list[float] = []
    damping = START_DAMPING
    total_weight = problem.total_weight()
    while len(values) < max_steps:
        fixed = problem.at(state)
        current = fixed.value(state)
        if current <= NEGLIGIBLE * total_weight * float(state.depth.mean()):
            break
        system = linearise(fixed, state, SOFTENING * current / total_weight)
        reduced = reduce_system(system, freedom.basis(state))
        while True:
            trial = settled(fixed, _moved(fixed, state, system, reduced.step(damping)))
            value = fixed.value(trial)
            if value < current or damping >= MAX_DAMPING:
                break
            damping *= 10
        if not value < current:
            break
        state = trial
        values.append(value)
        damping = max(damping / 10, MIN_DAMPING)
        if current - value < TOLERANCE * current:
            break
    return Descent(state, tuple(values))


@dataclass(frozen=True)
class ReducedSystem:
    """Normal equations over what may move; the pairs' mean log scale may not.

    Attributes:
        basis: from the frames' free numbers to the 7 of each frame.
    """

    matrix: Float64[Tensor, "n n"]
    gradient: Float64[Tensor, " n"]
    basis: Float64[Tensor, "numbers free"]

    def step(self, damping: float) -> Float64[Tensor, " unknowns"]:
        """The damped step of all unknowns of the system.

        Raises:
            DegenerateGeometryError: the matrix holds no finite, positive definite system.
        """
        diagonal = self.matrix.diagonal()
        damped = self.matrix + torch.diag(damping * diagonal + 1e-12 * diagonal.max())
        factor, failed = torch.linalg.cholesky_ex(damped)
        if failed:
            raise DegenerateGeometryError(
                "alignment",
                f"its normal equations are singular at damping {damping:g}",
                "Check the predictions: depths or confidences of extreme range",
            )
        free = -torch.cholesky_solve(self.gradient[:, None], factor)[:, 0]
        frames, pairs = free.split([self.basis.shape[1], len(free) - self.basis.shape[1]])
        by_pair = pairs.unflatten(0, (-1, MOTION)).clone()
        by_pair[:, -1] -= by_pair[:, -1].mean()
        return torch.cat([self.basis @ frames, by_pair.flatten()])


def reduce_system(system: System, basis: Float64[Tensor, "numbers free"]) -> ReducedSystem:
    """Restrict a system to the free numbers of its frames and to tied pair scales."""
    split = len(basis)
    matrix, gradient = system.matrix.clone(), system.gradient.clone()
    scales = torch.arange(split + MOTION - 1, len(gradient), MOTION, device=gradient.device)
    matrix[scales] -= matrix[scales].mean(0)
    matrix[:, scales] -= matrix[:, scales].mean(1, keepdim=True)
    gradient[scales] -= gradient[scales].mean()
    corner = basis.T @ matrix[:split, :split] @ basis
    side = basis.T @ matrix[:split, split:]
    upper = torch.cat([corner, side], dim=1)
    lower = torch.cat([side.T, matrix[split:, split:]], dim=1)
    force = torch.cat([basis.T @ gradient[:split], gradient[split:]])
    return ReducedSystem(torch.cat([upper, lower]), force, basis)


def _moved(
    problem: Problem, state: State, system: System, step: Float64[Tensor, " unknowns"]
) -> State:
    """The state after a step; a depth at most quintuples or falls to a fifth."""
    by_frame, by_pair = step.view(-1, MOTION).split([len(state.centre), len(state.pair.scale)])
    depth = state.depth + torch.stack([one(step) for one in system.depth_steps])
    depth = depth.clamp(state.depth / 5, state.depth * 5)
    pair = Similarity(
        roma.rotvec_to_rotmat(by_pair[:, 3:6]) @ state.pair.rotation,
        state.pair.translation + by_pair[:, :3],
        state.pair.scale * by_pair[:, 6].exp(),
    )
    return replace(
        state,
        rotation=state.rotation @ roma.rotvec_to_rotmat(by_frame[:, 3:6]),
        centre=state.centre + (state.rotation @ by_frame[:, :3, None])[..., 0],
        focal=state.focal * by_frame[:, 6:].exp(),
        pair=pair,
        depth=torch.maximum(depth, problem.nearest_depth()),
    )


def settled(problem: Problem, state: State) -> State:
    """The state with the best depths for everything else, where the maps alone decide on them."""
    if problem.flows or problem.depth_weight:
        return state
    return replace(state, depth=best_depths(problem, state))


def best_depths(problem: Problem, state: State) -> Float32[Tensor, "frames pixels"]:
    """The depths that lower the maps' distances most with all else fixed, by re-weighting.

    With a point split into its depth along the pixel's ray and its offset across it, a sweep is a
    weighted mean of depths.
    """
    depths = []
    for frame, maps in enumerate(problem.maps):
        points, _ = maps.in_camera(state, frame)
        rays = state.rays(frame, problem.pixels.position)
        length = rays.square().sum(0)
        along = (points * rays).sum(1) / length
        offset = (points - along[:, None] * rays).square().sum(1) / length
        depth = state.depth[frame]
        for _ in range(DEPTH_SWEEPS):
            distance = ((depth - along).square() + offset).sqrt()
            weight = maps.weight / distance.clamp_min(SWEEP_SOFTENING * depth)
            depth = ((weight * along).sum(0) / weight.sum(0)).clamp(depth / 5, depth * 5)
        depths.append(depth)
    return torch.maximum(torch.stack(depths), problem.nearest_depth())
