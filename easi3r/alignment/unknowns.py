"""The order of the small unknowns in the normal equations, and which of them may move.

Every frame and every pair is a block of 7 numbers (frame: shift and turn in the camera's own axes,
log focal; pair: shift and turn in world axes about its first camera's centre, log scale). In the
order of time, unknowns that share a term are near each other, so that the matrix is a band:
factoring it grows with the frames, not with their third power. What the whole clip shares is a
border after the band.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from easi3r.alignment.problem import State
from easi3r.geometry.rotations import rotation_matrices
from easi3r.geometry.similarity import Similarity
from easi3r.tensors import PairGraph

MOTION = 7
"""Numbers of a block: shift (3), turn (3), log scale or log focal (1)."""


def moved(state: State, moves: Float64[Tensor, "blocks 7"]) -> State:
    """The state after its frames and pairs moved; depths stay. Focals move up to their limits."""
    by_frame, by_pair = moves.split([len(state.centre), len(state.pair.scale)])
    pair = Similarity(
        rotation_matrices(by_pair[:, 3:6]) @ state.pair.rotation,
        state.pair.translation + by_pair[:, :3],
        state.pair.scale * by_pair[:, 6].exp(),
    )
    shortest, longest = state.focal_limits()
    focal = torch.maximum(state.focal * by_frame[:, 6:].exp(), state.focal.clamp_max(shortest))
    return replace(
        state,
        rotation=state.rotation @ rotation_matrices(by_frame[:, 3:6]),
        centre=state.centre + (state.rotation @ by_frame[:, :3, None])[..., 0],
        focal=torch.minimum(focal, state.focal.clamp_min(longest)),
        pair=pair,
    )


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


@dataclass(frozen=True)
class Layout:
    """From the numbers of the blocks, frames first, then pairs, to columns of the system.

    Attributes:
        column: of each number; meaningless where `factor` is 0.
        factor: what a column's unit moves the number by; 0 where it is fixed.
        banded: columns of the band; those after it are the border.
        bandwidth: columns between the farthest two of the band that share a term.
        scales: columns of the pairs' log scales, whose mean may not move.
    """

    freedom: Freedom
    column: Int64[Tensor, "blocks 7"]
    factor: Float64[Tensor, "blocks 7"]
    banded: int
    bordered: int
    bandwidth: int
    scales: Int64[Tensor, " pairs"]

    def at(self, state: State, gradient: Float64[Tensor, "blocks 7"]) -> "Layout":
        """The layout of some steps from a state: a known path grows as it does from there, and
        focals that stand at a limit and are pushed beyond it are fixed.

        Args:
            gradient: of what is minimised.
        """
        factor, frames = self.factor.clone(), len(state.focal)
        if self.freedom.known_poses:
            factor[:frames, :3] = (state.rotation.mT @ state.centre[..., None])[..., 0]
        shortest, longest = state.focal_limits()
        pushed = self.gather(gradient)[self.column[:frames, 6]]
        focal = state.focal[:, 0]
        beyond = ((focal <= shortest) & (pushed > 0)) | ((focal >= longest) & (pushed < 0))
        factor[:frames, 6].masked_fill_(beyond, 0)
        return replace(self, factor=factor)

    def __len__(self) -> int:
        return self.banded + self.bordered

    def moves(self, step: Float64[Tensor, " columns"]) -> Float64[Tensor, "blocks 7"]:
        """How a step moves every block."""
        return self.factor * step[self.column]

    def gather(self, by_block: Float64[Tensor, "blocks 7"]) -> Float64[Tensor, " columns"]:
        """A gradient over the blocks as one over the columns."""
        gradient = by_block.new_zeros(len(self))
        return gradient.index_add_(0, self.column.flatten(), (self.factor * by_block).flatten())


def lay_out(graph: PairGraph, freedom: Freedom, device: torch.device) -> Layout:
    """The layout for a graph. See `Layout.at` for the direction in which a known path grows."""
    frames = graph.frames
    free = np.ones((frames + len(graph), MOTION), bool)
    free[0, :6] = False
    free[:frames, 6] = not (freedom.known_focals or freedom.shared_focal)
    if freedom.known_poses:
        free[:frames, :6] = False
    time = np.concatenate([np.arange(frames), graph.edges.mean(1)])
    column = np.zeros(free.shape, np.int64)
    order = np.argsort(time, kind="stable")
    ordered = column[order]
    ordered[free[order]] = np.arange(free.sum())
    column[order] = ordered
    factor = torch.from_numpy(free.astype(np.float64)).to(device)
    banded = next_column = int(free.sum())
    if freedom.known_poses:
        column[:frames, :3] = next_column
        next_column += 1
    if freedom.shared_focal and not freedom.known_focals:
        column[:frames, 6] = next_column
        factor[:frames, 6] = 1
        next_column += 1
    return Layout(
        freedom,
        torch.from_numpy(column).to(device),
        factor,
        banded,
        next_column - banded,
        _bandwidth(graph, column, free),
        torch.from_numpy(column[frames:, 6]).to(device),
    )


def _bandwidth(graph: PairGraph, column: np.ndarray, free: np.ndarray) -> int:
    """A frame shares terms with its pairs, their other frames and its successor, and those with
    each other."""
    frames = graph.frames
    lowest = np.where(free, column, len(column) * MOTION).min(1)
    highest = np.where(free, column, -1).max(1)
    widest = 0
    for frame in range(frames):
        own = np.flatnonzero((graph.edges == frame).any(1))
        near = graph.edges[own].flatten()
        blocks = np.concatenate([[frame, min(frame + 1, frames - 1)], near, frames + own])
        widest = max(widest, int(highest[blocks].max() - lowest[blocks].min()))
    return widest
