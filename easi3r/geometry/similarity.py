"""Similarity transforms on torch tensors, and their closed-form registration."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from easi3r.errors import DegenerateGeometryError

COLLINEAR = 1e-5
"""Points whose second extent is below this fraction of their first fix no rotation."""


@dataclass(frozen=True)
class Similarity:
    """`x -> scale * rotation @ x + translation`, one or a batch."""

    rotation: Float[Tensor, "*batch 3 3"]
    translation: Float[Tensor, "*batch 3"]
    scale: Float[Tensor, "*batch"]

    def __call__(self, points: Float[Tensor, "*batch n 3"]) -> Float[Tensor, "*batch n 3"]:
        """Points after the transform, in their own precision."""
        linear = (self.scale[..., None, None] * self.rotation).to(points.dtype)
        return points @ linear.mT + self.translation[..., None, :].to(points.dtype)

    def columns(self, points: Float[Tensor, "*batch 3 n"]) -> Float[Tensor, "*batch 3 n"]:
        """The same for points that stand in columns."""
        return self(points.mT).mT


def register(
    source: Float[Tensor, "*batch n 3"],
    target: Float[Tensor, "*batch n 3"],
    weights: Float[Tensor, "*batch n"],
    subject: str | Sequence[str],
) -> Similarity:
    """The similarity that minimises `sum w |s R source + t - target|^2` (Umeyama 1991).

    Args:
        weights: >= 0.
        subject: what is registered, for the error's message; of a batch, of each of its elements.

    Raises:
        DegenerateGeometryError: the weighted source points or target points lie on one line (or
            are one point), so that no rotation is the best.
    """
    source, target, weights = source.double(), target.double(), weights.double()
    weights = weights / weights.sum(-1, keepdim=True).clamp_min(1e-300)
    for name, points in (("source", source), ("target", target)):
        centred = points - (weights[..., None] * points).sum(-2, keepdim=True)
        extents = torch.linalg.eigvalsh((weights[..., None] * centred).mT @ centred)
        line = extents[..., 1] <= COLLINEAR**2 * extents[..., 2]
        if bool(line.any()):
            first = int(line.flatten().nonzero()[0])
            raise DegenerateGeometryError(
                subject if isinstance(subject, str) else subject[first],
                f"the {name} points to register lie on one line or in one point",
                "Give frames that see a scene with extent; check the depths and confidences",
            )
    return best_similarity(source, target, weights)


def best_similarity(
    source: Float[Tensor, "*batch n 3"],
    target: Float[Tensor, "*batch n 3"],
    weights: Float[Tensor, "*batch n"] | None = None,
) -> Similarity:
    """What `register` gives, unchecked: of points on one line, any of the best.

    Args:
        weights: >= 0; None: all alike.
    """
    import roma  # slow to import: it imports torch's compiler

    return Similarity(
        *roma.rigid_points_registration(source, target, weights, compute_scaling=True)
    )
