"""Least-squares terms of one frame: how its residuals answer small motions, focal and depths.

The distances of METHOD section 6 are not squared, so each is replaced by the parabola that touches
it from above at the current state (iteratively re-weighted least squares): its curvature is
weight / distance.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from easi3r.alignment.problem import FrameMaps
from easi3r.geometry.tensor_cameras import cross_matrix, lengths

MOTION = 7
"""Numbers of a small motion: shift (3), turn (3), log scale or log focal (1)."""


@dataclass(frozen=True)
class FrameTerms:
    """Least-squares terms of one frame. Local unknowns: its motions, then its log focal.

    Attributes:
        matrix, gradient: over the local unknowns.
        mixed: local unknowns with each pixel's depth.
        depth_curvature, depth_gradient: of each pixel's depth.
    """

    matrix: Float64[Tensor, "local local"]
    gradient: Float64[Tensor, " local"]
    mixed: Float32[Tensor, "local pixels"]
    depth_curvature: Float32[Tensor, " pixels"]
    depth_gradient: Float32[Tensor, " pixels"]

    def __add__(self, other: "FrameTerms") -> "FrameTerms":
        """Both together: these motions, the other's motions, the one focal and depth map."""
        mine, theirs = len(self.gradient) - 1, len(other.gradient) - 1
        matrix = self.matrix.new_zeros(mine + theirs + 1, mine + theirs + 1)
        gradient = matrix.new_zeros(mine + theirs + 1)
        mixed = self.mixed.new_zeros(mine + theirs + 1, self.mixed.shape[1])
        first = [*range(mine), -1]
        second = [*range(mine, mine + theirs), -1]
        for rows, terms in ((first, self), (second, other)):
            index = torch.tensor(rows, device=matrix.device)
            matrix[index[:, None], index] += terms.matrix
            gradient[index] += terms.gradient
            mixed[index] += terms.mixed
        return FrameTerms(
            matrix,
            gradient,
            mixed,
            self.depth_curvature + other.depth_curvature,
            self.depth_gradient + other.depth_gradient,
        )

    def with_depth_pull(
        self, curvature: Float32[Tensor, " pixels"], gradient: Float32[Tensor, " pixels"]
    ) -> "FrameTerms":
        """These terms and one more on each pixel's depth alone."""
        return replace(
            self,
            depth_curvature=self.depth_curvature + curvature,
            depth_gradient=self.depth_gradient + gradient,
        )


@dataclass(frozen=True)
class WeightedMotions:
    """Weighted points q that answer a small similarity: `q + shift + turn x q + scale q`.

    The Jacobian of that motion is `[I, -[q]x, q]`.
    """

    points: Float32[Tensor, "sets 3 pixels"]
    weight: Float32[Tensor, "sets pixels"]

    def curvature(self) -> Float64[Tensor, "sets 7 7"]:
        """Sum of weighted Jacobian products: moments of the points up to the second."""
        weighted = self.weight[:, None] * self.points
        mass = self.weight.sum(1).double()
        first = weighted.sum(2).double()
        second = (weighted @ self.points.mT).double()
        trace = second.diagonal(dim1=1, dim2=2).sum(-1)
        eye = torch.eye(3, dtype=torch.float64, device=mass.device)
        matrix = mass.new_zeros(len(mass), MOTION, MOTION)
        matrix[:, :3, :3] = mass[:, None, None] * eye
        matrix[:, :3, 3:6] = -cross_matrix(first)
        matrix[:, 3:6, :3] = cross_matrix(first)
        matrix[:, 3:6, 3:6] = trace[:, None, None] * eye - second
        matrix[:, :3, 6] = matrix[:, 6, :3] = first
        matrix[:, 6, 6] = trace
        return matrix

    def pull(self, vectors: Float32[Tensor, "sets 3 pixels"]) -> Float32[Tensor, "sets 7 pixels"]:
        """The transposed Jacobian times a weighted vector at each point."""
        force = self.weight[:, None] * vectors
        turn = torch.linalg.cross(self.points, force, dim=1)
        scale = (self.points * force).sum(1, keepdim=True)
        return torch.cat([force, turn, scale], dim=1)


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


def map_terms(
    maps: FrameMaps,
    points: Float32[Tensor, "maps 3 pixels"],
    rays: Float32[Tensor, "3 pixels"],
    depth: Float32[Tensor, " pixels"],
    softening: float,
) -> FrameTerms:
    """Terms of `|depth * ray - point|`, for a frame's predicted `points` in its own camera.

    Args:
        softening: a distance below it counts as it, which bounds the curvature.
    """
    residual = depth * rays - points
    distance = lengths(residual)
    motions = WeightedMotions(points, maps.weight / distance.clamp_min(softening))
    weight = motions.weight.sum(0)
    force = (motions.weight[:, None] * residual).sum(0)
    by_focal = depth * rays * rays.new_tensor([-1.0, -1.0, 0.0])[:, None]
    with_depth = -motions.pull(rays.expand_as(points))
    with_focal = -motions.pull(by_focal.expand_as(points)).sum(2).double().flatten()

    size = len(with_focal) + 1
    matrix = with_focal.new_zeros(size, size)
    matrix[:-1, :-1] = torch.block_diag(*motions.curvature())
    matrix[:-1, -1] = matrix[-1, :-1] = with_focal
    matrix[-1, -1] = (weight * by_focal.square().sum(0)).sum()
    gradient = with_focal.new_empty(size)
    gradient[:-1] = -motions.pull(residual).sum(2).double().flatten()
    gradient[-1] = (force * by_focal).sum()
    focal_with_depth = weight * (by_focal * rays).sum(0)
    return FrameTerms(
        matrix,
        gradient,
        mixed=torch.cat([with_depth.flatten(0, 1), focal_with_depth[None]]),
        depth_curvature=weight * rays.square().sum(0),
        depth_gradient=(force * rays).sum(0),
    )
