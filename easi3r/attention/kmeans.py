"""Deterministic k-means on the device of the points (docs/method.md §4.3).

k-means++ (Arthur and Vassilvitskii, 2007) and Lloyd's steps, in products of matrices alone: sums by
one-hot matrices, draws from a seeded generator of the CPU, so that no order of threads matters.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

_CHUNK = 8192  # points whose distances to all centres are held at once
_MAX_STEPS = 300
_TOLERANCE = 1e-4  # of the centres' movement, squared, relative to the points' variance


def kmeans(
    points: Float[Tensor, "points channels"], clusters: int, seed: int
) -> Int64[Tensor, " points"]:
    """Cluster number of each point, 0..clusters - 1; some stay empty where points coincide.

    Beyond the points and one copy, memory is that of the centres and of a chunk.
    """
    points = points.float()
    points = points - points.mean(dim=0)  # distances lose fewer digits
    cloud = _Cloud(points, points.square().sum(dim=1))
    centres = cloud.spread_centres(clusters, torch.Generator().manual_seed(seed))
    enough = _TOLERANCE * float(cloud.squares.mean()) / points.shape[1]
    for _ in range(_MAX_STEPS):
        moved = cloud.means(centres)
        shift = float((moved - centres).square().sum())
        centres = moved
        if shift <= enough:
            break
    return torch.cat([part.nearest(centres)[1] for part in cloud.chunks()])


@dataclass(frozen=True)
class _Cloud:
    """Points, and the squared length of each."""

    points: Float[Tensor, "points channels"]
    squares: Float[Tensor, " points"]

    def __len__(self) -> int:
        return len(self.points)

    def chunks(self) -> "Iterator[_Cloud]":
        parts = zip(self.points.split(_CHUNK), self.squares.split(_CHUNK), strict=True)
        return (_Cloud(*part) for part in parts)

    def squared_distances(
        self, centres: Float[Tensor, "centres channels"]
    ) -> Float[Tensor, "points centres"]:
        lengths = self.squares[:, None] + centres.square().sum(dim=1)
        return torch.addmm(lengths, self.points, centres.T, alpha=-2).clamp(min=0)

    def nearest(
        self, centres: Float[Tensor, "centres channels"]
    ) -> tuple[Float[Tensor, " points"], Int64[Tensor, " points"]]:
        """Squared distance of each point to its nearest centre, and that centre's number."""
        distance, label = self.squared_distances(centres).min(dim=1)
        return distance, label

    def spread_centres(
        self, clusters: int, generator: torch.Generator
    ) -> Float[Tensor, "{clusters} channels"]:
        """Greedy k-means++: of a few draws by squared distance, that which lowers it most."""
        trials = 2 + int(math.log(clusters))
        first = int(torch.randint(len(self), (1,), generator=generator))
        centres = [self.points[first]]
        nearest = self.squared_distances(self.points[first : first + 1])[:, 0]
        for _ in range(1, clusters):
            # The first of exponential times at these rates is a draw in proportion to them.
            times = torch.empty(trials, len(self)).exponential_(generator=generator)
            drawn = (times.to(nearest.device) / nearest).nan_to_num(nan=math.inf).argmin(dim=1)
            lowered = torch.minimum(nearest[:, None], self.squared_distances(self.points[drawn]))
            best = lowered.sum(dim=0).argmin()
            nearest = lowered[:, best]
            centres.append(self.points[drawn[best]])
        return torch.stack(centres)

    def means(
        self, centres: Float[Tensor, "clusters channels"]
    ) -> Float[Tensor, "clusters channels"]:
        """Lloyd's step; the centre of an empty cluster goes to the point farthest from its own."""
        sums, counts = torch.zeros_like(centres), centres.new_zeros(len(centres))
        distances = []
        for part in self.chunks():
            distance, label = part.nearest(centres)
            members = functional.one_hot(label, len(centres)).to(sums.dtype)
            sums += members.T @ part.points
            counts += members.sum(dim=0)
            distances.append(distance)
        means = sums / counts.clamp(min=1)[:, None]
        empty = (counts == 0).nonzero().flatten()
        if len(empty):
            farthest, where = torch.cat(distances).topk(len(empty))
            apart = farthest > 0  # else as many points coincide as there are clusters too many
            means[empty] = torch.where(apart[:, None], self.points[where], centres[empty])
        return means
