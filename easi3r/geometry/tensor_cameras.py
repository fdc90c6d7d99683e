"""The pinhole camera on torch tensors, for the alignment (METHOD section 6)."""

import torch
from jaxtyping import Float
from torch import Tensor


def pixel_rays(
    pixels: Float[Tensor, "*batch points 2"],
    focal: Float[Tensor, "*batch 2"],
    principal: Float[Tensor, "*batch 2"],
) -> Float[Tensor, "*batch points 3"]:
    """The point at depth 1 that each pixel sees: `((x - cx)/fx, (y - cy)/fy, 1)`."""
    lateral = (pixels - principal[..., None, :]) / focal[..., None, :]
    return torch.cat([lateral, torch.ones_like(lateral[..., :1])], dim=-1)


def cross_matrix(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The matrix `[v]x` with `[v]x @ u = v x u`."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    rows = (zero, -z, y, z, zero, -x, -y, x, zero)
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))
