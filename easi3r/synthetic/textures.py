"""Fixed atlases of procedural textures, with mip levels, sampled at points of surfaces."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from easi3r.synthetic.families import HELD_OUT_FAMILIES, TEXELS, TRAINING_FAMILIES, stretch
from easi3r.synthetic.scene_settings import Vocabulary

TEXTURES = 256  # in each atlas
CLOUDS = range(0, TEXTURES, len(TRAINING_FAMILIES))  # plain noise in either atlas
_LEVELS = 6
_SEEDS = {Vocabulary.TRAINING: 20260101, Vocabulary.HELD_OUT: 20260202}


@dataclass(frozen=True)
class Atlas:
    """Grey textures in 0..1, every level of all of them in one flat array.

    Attributes:
        texels: level after level, texture after texture, row-major.
        level_start: where each level begins in `texels`.
    """

    texels: Float32[Tensor, " texels"]
    level_start: Int64[Tensor, " levels"]

    def sample(
        self,
        texture: Int64[Tensor, " points"],
        u: Float[Tensor, " points"],
        v: Float[Tensor, " points"],
        level: Float[Tensor, " points"],
    ) -> Float[Tensor, " points"]:
        """Bilinear values at `(u, v)` in texels of the finest level, on the nearest mip level."""
        nearest = level.round().clamp(0, _LEVELS - 1).long()
        side = TEXELS >> nearest
        shrink = side / TEXELS
        column, row = u * shrink - 0.5, v * shrink - 0.5
        left, top = column.floor(), row.floor()
        right_share, low_share = column - left, row - top
        wrap = side - 1  # sides are powers of two
        x0, y0 = left.long() & wrap, top.long() & wrap
        x1, y1 = (x0 + 1) & wrap, (y0 + 1) & wrap
        base = self.level_start[nearest] + texture * side * side
        upper, lower = base + y0 * side, base + y1 * side
        above = torch.lerp(self.texels[upper + x0], self.texels[upper + x1], right_share)
        below = torch.lerp(self.texels[lower + x0], self.texels[lower + x1], right_share)
        return torch.lerp(above, below, low_share)


@cache
def atlas(vocabulary: Vocabulary, device: torch.device) -> Atlas:
    """A vocabulary's atlas: the same in every process, made on first use (a second or two).

    Half of the held-out one comes from families that training never uses, half from training's
    families with another seed.
    """
    rng = np.random.default_rng(_SEEDS[vocabulary])
    makers = [_family(vocabulary, number) for number in range(TEXTURES)]
    textures = np.stack([stretch(make(rng)) for make in makers])
    levels, starts, total = [], [], 0
    level = torch.from_numpy(textures.astype(np.float32))
    for _ in range(_LEVELS):
        levels.append(level.reshape(-1))
        starts.append(total)
        total += level.numel()
        level = torch.nn.functional.avg_pool2d(level[:, None], 2)[:, 0]
    return Atlas(torch.cat(levels).to(device), torch.tensor(starts, device=device))


def _family(vocabulary: Vocabulary, number: int) -> Callable[[np.random.Generator], np.ndarray]:
    if vocabulary is Vocabulary.HELD_OUT and number % 2:
        return HELD_OUT_FAMILIES[number // 2 % len(HELD_OUT_FAMILIES)]
    return TRAINING_FAMILIES[number % len(TRAINING_FAMILIES)]
