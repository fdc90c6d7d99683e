"""Small motions of sets of points, and how they follow from those of frames and pairs."""

from dataclasses import dataclass

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from easi3r.alignment.unknowns import MOTION
from easi3r.geometry.tensor_cameras import cross_matrix


@dataclass(frozen=True)
class Motions:
    """Of sets of points that each move with a frame and with another block (a pair or a frame).

    Attributes:
        frame: whose pixels a set holds.
        block: the other block.
        by_frame, by_block: what a set's own small motion makes of theirs.
    """

    frame: Int64[Tensor, " sets"]
    block: Int64[Tensor, " sets"]
    by_frame: Float64[Tensor, "sets 7 7"]
    by_block: Float64[Tensor, "sets 7 7"]

    def add_pull(
        self, by_block: Float64[Tensor, "blocks 7"], pull: Float64[Tensor, "sets 7"]
    ) -> None:
        """Add to a gradient over the blocks that over the sets' own motions."""
        by_block.index_add_(0, self.frame, (self.by_frame.mT @ pull[..., None])[..., 0])
        by_block.index_add_(0, self.block, (self.by_block.mT @ pull[..., None])[..., 0])

    def carried(
        self,
        matrix: Float64[Tensor, "frames local local"],
        frames: Int64[Tensor, " frames"],
        sets: Int64[Tensor, "frames chosen"],
    ) -> tuple[Float64[Tensor, "frames numbers numbers"], Int64[Tensor, "frames numbers"]]:
        """A symmetric matrix over the chosen sets' motions, then the frames' focals, as one over
        the numbers of the blocks that these move with."""
        by_frame, by_block = self.by_frame[sets].flatten(1, 2).mT, self.by_block[sets].mT
        shape = by_block.shape[1:3]

        def by_numbers(rows: Float64[Tensor, "frames local n"]) -> Float64[Tensor, "frames m n"]:
            own = by_frame @ rows[:, :-1]
            own[:, -1] += rows[:, -1]
            others = by_block @ rows[:, :-1].unflatten(1, shape)
            return torch.cat([own, others.flatten(1, 2)], dim=1)

        blocks = torch.cat([frames[:, None], self.block[sets]], dim=1)
        numbers = MOTION * blocks[..., None] + torch.arange(MOTION, device=blocks.device)
        return by_numbers(by_numbers(matrix).mT), numbers.flatten(1)

    def __add__(self, other: "Motions") -> "Motions":
        """These sets, then the other's."""
        return Motions(
            torch.cat([self.frame, other.frame]),
            torch.cat([self.block, other.block]),
            torch.cat([self.by_frame, other.by_frame]),
            torch.cat([self.by_block, other.by_block]),
        )


def camera_motion(like: Float64[Tensor, "..."]) -> Float64[Tensor, "7 7"]:
    """How points fixed in the world move in a camera that moves; its focal moves none."""
    motion = -torch.eye(MOTION, dtype=torch.float64, device=like.device)
    motion[-1, -1] = 0
    return motion


def adjoint(
    rotation: Float64[Tensor, "*batch 3 3"], origin: Float64[Tensor, "*batch 3"]
) -> Float64[Tensor, "*batch 7 7"]:
    """A small similarity about `origin`, its axes turned by `rotation`, as one about zero."""
    matrix = origin.new_zeros(*origin.shape[:-1], MOTION, MOTION)
    matrix[..., :3, :3] = matrix[..., 3:6, 3:6] = rotation
    matrix[..., :3, 3:6] = cross_matrix(origin) @ rotation
    matrix[..., :3, 6] = -origin
    matrix[..., 6, 6] = 1
    return matrix


def set_diagonal(
    matrix: Float64[Tensor, "batch rows columns"], blocks: Float64[Tensor, "batch count n n"]
) -> None:
    """Write square blocks along the diagonals of some matrices."""
    count, size = blocks.shape[1:3]
    matrix = matrix.unflatten(1, (count, size)).unflatten(3, (count, size))
    matrix.diagonal(dim1=1, dim2=3).copy_(blocks.permute(0, 2, 3, 1))


def resultant(
    force: Float32[Tensor, "*sets 3"], moment: Float32[Tensor, "*sets 3 3"]
) -> Float64[Tensor, "*sets 7"]:
    """What forces at points do together along a small similarity of the points about zero.

    Args:
        force: their sum.
        moment: the sum of `force x point^T`.
    """
    moment = moment.double()
    turn = (moment.mT - moment)[..., [1, 2, 0], [2, 0, 1]]
    scale = moment.diagonal(dim1=-2, dim2=-1).sum(-1, keepdim=True)
    return torch.cat([force.double(), turn, scale], dim=-1)


class Pulls:
    """What forces at points do along small similarities `shift + turn x point + scale point`."""

    def __init__(self) -> None:
        self.sets: list[Int64[Tensor, " sets"]] = []
        self.forces: list[Float32[Tensor, "sets 3"]] = []
        self.moments: list[Float32[Tensor, "sets 3 3"]] = []

    def add(
        self,
        sets: Int64[Tensor, "frames sets"],
        force: Float32[Tensor, "frames sets 3 pixels"],
        points: Float32[Tensor, "frames sets 3 pixels"],
    ) -> None:
        """Add forces at points of some sets."""
        self.sets.append(sets.flatten())
        self.forces.append(force.sum(3).flatten(0, 1))
        self.moments.append((force @ points.mT).flatten(0, 1))

    def total(self, like: Float64[Tensor, "sets 7"]) -> Float64[Tensor, "sets 7"]:
        """Of every set; those of no points have none."""
        total = torch.zeros_like(like)
        if self.sets:
            pulls = resultant(torch.cat(self.forces), torch.cat(self.moments))
            total.index_add_(0, torch.cat(self.sets), pulls)
        return total
