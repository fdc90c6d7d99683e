"""Two-dimensional rotary position embedding (docs/method.md §1)."""

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
        """Rotated queries or keys, in their own dtype.

        In place, where the channels of one rotation are a quarter apart: large intermediate tensors
        cost a CPU more than the arithmetic.
        """
        rotated = vectors * self.cosine
        x, y = _rotated_together(vectors.to(rotated.dtype))
        sine_x, sine_y = _rotated_together(self.sine)
        out_x, out_y = _rotated_together(rotated)
        out_x.addcmul_(y, sine_x, value=-1)
        out_y.addcmul_(x, sine_y)
        return rotated.to(vectors.dtype)


def _rotated_together(
    vectors: Float[Tensor, "*batch head_channels"],
) -> tuple[Float[Tensor, "*batch 2 quarter"], Float[Tensor, "*batch 2 quarter"]]:
    """Both coordinates of the planes that are rotated, by row and by column."""
    planes = vectors.unflatten(-1, (2, 2, -1))
    return planes[..., 0, :], planes[..., 1, :]  # not `unbind`: its views are not for writing
