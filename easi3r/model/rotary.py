"""Two-dimensional rotary position embedding (METHOD section 1)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Rotation:
    """The rotation of each token of a grid: first half of the channels by row, second by column.

    Attributes:
        cosine, sine: of the angle of each token and channel of a head.
    """

    cosine: Float[Tensor, "tokens head_channels"]
    sine: Float[Tensor, "tokens head_channels"]

    @classmethod
    def of_grid(
        cls, rows: int, columns: int, head_channels: int, base: float, device: torch.device
    ) -> "Rotation":
        """Rotations of row-major tokens; `head_channels` is a multiple of 4."""
        half = head_channels // 2
        exponents = torch.arange(0, half, 2, device=device, dtype=torch.float32) / half
        frequencies = base**-exponents
        row, column = torch.meshgrid(
            torch.arange(rows, device=device, dtype=torch.float32),
            torch.arange(columns, device=device, dtype=torch.float32),
            indexing="ij",
        )
        by_row = row.reshape(-1, 1) * frequencies
        by_column = column.reshape(-1, 1) * frequencies
        angles = torch.cat([by_row, by_row, by_column, by_column], dim=-1)
        return cls(angles.cos(), angles.sin())

    def apply(
        self, vectors: Float[Tensor, "batch heads tokens head_channels"]
    ) -> Float[Tensor, "batch heads tokens head_channels"]:
        """Rotated queries or keys, in their own dtype."""
        a, b, c, d = vectors.chunk(4, dim=-1)
        turned = torch.cat([-b, a, -d, c], dim=-1)
        return (vectors * self.cosine + turned * self.sine).to(vectors.dtype)
