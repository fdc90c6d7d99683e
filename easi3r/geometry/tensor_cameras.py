"""The pinhole camera and its vectors on torch tensors, for the alignment (METHOD section 6)."""

import torch
from jaxtyping import Float
from torch import Tensor


def pixel_rays(
    pixels: Float[Tensor, "*batch 2 points"],
    focal: Float[Tensor, "*batch 2"],
    principal: Float[Tensor, "*batch 2"],
) -> Float[Tensor, "*batch 3 points"]:
    """The point at depth 1 that each pixel sees: `((x - cx)/fx, (y - cy)/fy, 1)`.

    Coordinates come before points here and in the alignment, whose sums run over points.
    """
    lateral = (pixels - principal[..., None]) / focal[..., None]
    return torch.cat([lateral, torch.ones_like(lateral[..., :1, :])], dim=-2)


def lengths(
    vectors: Float[Tensor, "*batch coordinates points"],
) -> Float[Tensor, "*batch points"]:
    """Euclidean norms over the coordinates.

    `torch.linalg.vector_norm` over a short axis before a long one takes 70 times as long on a CPU
    (16 x 3 x 6912: 10.7 ms against 0.15 ms).
    """
    return vectors.square().sum(-2).sqrt()


def cross_matrix(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The matrix `[v]x` with `[v]x @ u = v x u`."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    rows = (zero, -z, y, z, zero, -x, -y, x, zero)
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))
