"""Least-squares terms of some frames: derivatives by small motions, focal and depths.

The distances of docs/method.md §6 are not squared, so each is replaced by the parabola that touches
it from above at the current state (iteratively re-weighted least squares): its curvature is
weight / distance.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from easi3r.alignment.flow_residual import InducedFlow, SpanFlows, flow_curvature
from easi3r.alignment.maps import SpanMaps
from easi3r.alignment.motions import resultant, set_diagonal
from easi3r.alignment.unknowns import MOTION
from easi3r.geometry.tensor_cameras import cross, cross_matrix, lengths


@dataclass(frozen=True)
class SpanTerms:
    """Curvatures of some frames' terms. A frame's unknowns: its sets' motions, then its log focal.

    Attributes:
        matrix: over a frame's unknowns.
        mixed: these unknowns with each pixel's depth.
        depth: of each pixel's depth.
    """

    matrix: Float64[Tensor, "frames local local"]
    mixed: Float32[Tensor, "frames local pixels"]
    depth: Float32[Tensor, "frames pixels"]

    def __add__(self, other: "SpanTerms") -> "SpanTerms":
        """Both together: these motions, the other's motions, the one focal and depth map."""
        mine, theirs = (terms.matrix.shape[1] - 1 for terms in (self, other))
        frames, size = len(self.matrix), mine + theirs + 1
        matrix = self.matrix.new_zeros(frames, size, size)
        mixed = self.mixed.new_zeros(frames, size, self.mixed.shape[2])
        first = [*range(mine), -1]
        second = [*range(mine, mine + theirs), -1]
        for rows, terms in ((first, self), (second, other)):
            index = torch.tensor(rows, device=matrix.device)
            matrix[:, index[:, None], index] += terms.matrix
            mixed[:, index] += terms.mixed
        return SpanTerms(matrix, mixed, self.depth + other.depth)

    def without_depths(
        self, pull: float | Float32[Tensor, "frames pixels"]
    ) -> Float64[Tensor, "frames local local"]:
        """The matrix once every depth follows (Schur complement), as a point does in bundle
        adjustment; `pull` is what else curves along the depths."""
        slope = self.mixed / (self.depth + pull)[:, None]
        return self.matrix - (slope @ self.mixed.mT).double()


@dataclass(frozen=True)
class WeightedMotions:
    """Weighted points q under a small similarity: `q + shift + turn x q + scale q`.

    The Jacobian of that motion is `[I, -[q]x, q]`.
    """

    points: Float32[Tensor, "*sets 3 pixels"]
    weight: Float32[Tensor, "*sets pixels"]

    def curvature(self) -> Float64[Tensor, "*sets 7 7"]:
        """Sum of weighted Jacobian products: moments of the points up to the second."""
        weighted = self.weight[..., None, :] * self.points
        mass = self.weight.sum(-1).double()[..., None, None]
        first = weighted.sum(-1).double()
        second = (weighted @ self.points.mT).double()
        trace = second.diagonal(dim1=-2, dim2=-1).sum(-1)
        eye = torch.eye(3, dtype=torch.float64, device=mass.device)
        matrix = mass.new_zeros(*first.shape[:-1], MOTION, MOTION)
        matrix[..., :3, :3] = mass * eye
        matrix[..., :3, 3:6] = -cross_matrix(first)
        matrix[..., 3:6, :3] = cross_matrix(first)
        matrix[..., 3:6, 3:6] = trace[..., None, None] * eye - second
        matrix[..., :3, 6] = matrix[..., 6, :3] = first
        matrix[..., 6, 6] = trace
        return matrix

    def pull(self, vectors: Float32[Tensor, "*sets 3 pixels"]) -> Float32[Tensor, "*sets 7 pixels"]:
        """The transposed Jacobian times a weighted vector at each point."""
        force = self.weight[..., None, :] * vectors
        turn = cross(self.points, force)
        scale = (self.points * force).sum(-2, keepdim=True)
        return torch.cat([force, turn, scale], dim=-2)


def map_terms(
    maps: SpanMaps,
    points: Float32[Tensor, "frames maps 3 pixels"],
    rays: Float32[Tensor, "frames 3 pixels"],
    depth: Float32[Tensor, "frames pixels"],
    softening: float,
) -> SpanTerms:
    """Terms of `|depth * ray - point|`, for frames' predicted `points` in their own cameras.

    Args:
        softening: a distance below it counts as it, which bounds the curvature.
    """
    distance = lengths((depth[:, None] * rays)[:, None] - points)
    motions = WeightedMotions(points, maps.weight / distance.clamp_min(softening))
    weight = motions.weight.sum(1)
    by_focal = depth[:, None] * rays * rays.new_tensor([-1.0, -1.0, 0.0])[:, None]
    with_depth = -motions.pull(rays[:, None].expand_as(points))
    pull = motions.weight[:, :, None] * by_focal[:, None]
    with_focal = -resultant(pull.sum(3), pull @ points.mT).flatten(1)

    frames, motion = with_focal.shape
    matrix = with_focal.new_zeros(frames, motion + 1, motion + 1)
    set_diagonal(matrix[:, :-1, :-1], motions.curvature())
    matrix[:, :-1, -1] = matrix[:, -1, :-1] = with_focal
    matrix[:, -1, -1] = (weight * by_focal.square().sum(1)).sum(1)
    focal_with_depth = weight * (by_focal * rays).sum(1)
    return SpanTerms(
        matrix,
        mixed=torch.cat([with_depth.flatten(1, 2), focal_with_depth[:, None]], dim=1),
        depth=weight * rays.square().sum(1),
    )


def flow_terms(
    flows: SpanFlows,
    induced: InducedFlow,
    rays: Float32[Tensor, "frames 3 pixels"],
    depth: Float32[Tensor, "frames pixels"],
) -> SpanTerms:
    """Terms of frames' flows. Motions: shift and turn in each target camera, its log focal."""
    image, seen = induced.image, induced.points
    project = image.new_zeros(*image.shape[:2], 3, *image.shape[2:])
    project[:, :, 0, 0] = (induced.focal / induced.depth)[:, :, 0]
    project[:, :, 1, 1] = (induced.focal / induced.depth)[:, :, 1]
    project[:, :, 2] = -image / induced.depth
    off_axis = rays * rays.new_tensor([-1.0, -1.0, 0.0])[:, None]
    by_depth = induced.to_image(induced.rotation @ rays[:, None])
    by_focal = induced.to_image(induced.rotation @ (depth[:, None] * off_axis)[:, None])
    turn = torch.linalg.cross(seen[:, :, :, None].expand_as(project), project, dim=2)
    motion = torch.cat([project, turn, image[:, :, None]], dim=2)

    weight = flow_curvature(flows, induced)
    pulled = weight[:, :, None] * motion
    frames, size = len(rays), MOTION * flows.target.shape[1] + 1
    matrix = torch.zeros(frames, size, size, dtype=torch.float64, device=rays.device)
    set_diagonal(matrix[:, :-1, :-1], (pulled.flatten(3) @ motion.flatten(3).mT).double())
    with_focal = (pulled * by_focal[:, :, None]).sum((3, 4)).double().flatten(1)
    matrix[:, :-1, -1] = matrix[:, -1, :-1] = with_focal
    matrix[:, -1, -1] = (weight * by_focal.square()).sum((1, 2, 3))
    with_depth = (pulled * by_depth[:, :, None]).sum(3).flatten(1, 2)
    focal_with_depth = (weight * by_focal * by_depth).sum((1, 2))
    return SpanTerms(
        matrix,
        mixed=torch.cat([with_depth, focal_with_depth[:, None]], dim=1),
        depth=(weight * by_depth.square()).sum((1, 2)),
    )
