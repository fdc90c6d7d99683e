"""The distances of a span of pixels as functions of its depths, and the best depths for them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor

SMALLEST = 1e-14
"""Squared distances below this fraction of the squared depth are rounding errors."""

MAX_FACTOR = 5.0
"""`RayDistances.solve` multiplies or divides a depth by this at most."""

OVER_RELAXATION = 1.6
"""Over-relaxation: each sweep goes this many times as far as the weighted mean. The parabolas that
the mean minimises lie above the distances, so that up to twice its way never raises them, and the
mean alone converges slowly."""


@dataclass(frozen=True)
class DepthPull:
    """Parabolas that other terms than the maps put over the depths."""

    curvature: Float32[Tensor, "frames pixels"]
    gradient: Float32[Tensor, "frames pixels"]


@dataclass(frozen=True)
class RayDistances:
    """Distances from points on the pixels' rays to the points predicted for the pixels:
    `|depth * ray - point| = |ray| * sqrt((depth - along)^2 + across)`.

    Attributes:
        points: in the frame's own camera.
        beside: x and y of the points from the rays, at the points' own z.
        along: depth of the ray's nearest point.
        across: squared.
        weight: of each distance, times |ray|.
        squared_ray: |ray|^2.
        rounding: distances d count as `sqrt(d^2 + rounding^2)`.
    """

    points: Float32[Tensor, "frames maps 3 pixels"]
    beside: Float32[Tensor, "frames maps 2 pixels"]
    along: Float32[Tensor, "frames maps pixels"]
    across: Float32[Tensor, "frames maps pixels"]
    weight: Float32[Tensor, "frames maps pixels"]
    rays: Float32[Tensor, "frames 3 pixels"]
    squared_ray: Float32[Tensor, "frames pixels"]
    rounding: float

    @classmethod
    def of(
        cls,
        points: Float32[Tensor, "frames maps 3 pixels"],
        rays: Float32[Tensor, "frames 3 pixels"],
        weight: Float32[Tensor, "frames maps pixels"],
        rounding: float,
    ) -> "RayDistances":
        """Split points into what lies along and what lies across their pixels' rays.

        Args:
            rounding: distances d count as `sqrt(d^2 + rounding^2)`.
        """
        squared_ray = rays.square().sum(1)
        lateral, squared = rays[:, None, :2], squared_ray[:, None]
        beside = torch.addcmul(points[:, :, :2], points[:, :, 2:], lateral, value=-1)
        x, y = beside.unbind(2)
        pull = (rays[:, :2] / squared)[:, None]
        ahead = (x * pull[:, :, 0]).addcmul_(y, pull[:, :, 1])
        along = points[:, :, 2] + ahead
        across = (x * x).addcmul_(y, y).add_(rounding**2).div_(squared)
        across = across.addcmul_(ahead, ahead, value=-1)
        across = torch.maximum(across, SMALLEST * along.square())
        weight = weight * squared.sqrt()
        return cls(points, beside, along, across, weight, rays, squared_ray, rounding)

    def distance(
        self, depth: Float32[Tensor, "frames pixels"]
    ) -> Float32[Tensor, "frames maps pixels"]:
        """Over |ray|, rounded."""
        apart = depth[:, None] - self.along
        return apart.mul_(apart).add_(self.across).sqrt_()

    def exact(
        self, distance: Float32[Tensor, "frames maps pixels"]
    ) -> Float32[Tensor, "frames maps pixels"]:
        """Distances as `distance` gives them, without their rounding."""
        if not self.rounding:
            return distance
        excess = (self.rounding**2 / self.squared_ray)[:, None]
        return torch.addcmul(-excess, distance, distance).clamp_min_(0).sqrt_()

    def solve(
        self, depth: Float32[Tensor, "frames pixels"], other: DepthPull | None, sweeps: int
    ) -> Float32[Tensor, "frames pixels"]:
        """Lower the weighted distances by iteratively re-weighted least squares (Weiszfeld).

        Args:
            depth: the initial one.
            sweeps: number of over-relaxed weighted means.
        """
        initial = depth
        for _ in range(sweeps):
            weight = self.weight / self.distance(depth)
            total, weighted = weight.sum(1), weight.mul_(self.along).sum(1)
            if other is not None:
                total = total + other.curvature
                weighted = weighted + other.curvature * initial - other.gradient
            depth = torch.lerp(depth, weighted / total, OVER_RELAXATION)
        return depth.clamp(initial / MAX_FACTOR, initial * MAX_FACTOR)

    def force(
        self,
        depth: Float32[Tensor, "frames pixels"],
        distance: Float32[Tensor, "frames maps pixels"],
    ) -> Float32[Tensor, "frames maps 3 pixels"]:
        """The gradient of the weighted distances over the points on the rays.

        Args:
            distance: as `distance` gives it.
        """
        weight = self.weight / (distance * self.squared_ray[:, None])
        apart = depth[:, None] - self.points[:, :, 2]
        force = torch.empty_like(self.points)
        force[:, :, :2] = apart[:, :, None] * self.rays[:, None, :2]
        force[:, :, :2] -= self.beside
        force[:, :, 2] = apart
        return force.mul_(weight[:, :, None])
