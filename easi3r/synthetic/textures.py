"""A fixed atlas of procedural textures, with mip levels, sampled at points of surfaces."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from scipy.spatial import cKDTree
from torch import Tensor

TEXTURES = 256
TEXELS = 128  # side of the finest level; textures are periodic
_LEVELS = 6
_ATLAS_SEED = 20260101


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
def atlas() -> Atlas:
    """The atlas: the same in every process, made on first use (about a second)."""
    rng = np.random.default_rng(_ATLAS_SEED)
    makers = (_noise, _noise, _voronoi, _checkers, _stripes, _bricks, _spots, _warped)
    textures = np.stack([_stretch(makers[i % len(makers)](rng)) for i in range(TEXTURES)])
    levels, starts, total = [], [], 0
    level = torch.from_numpy(textures.astype(np.float32))
    for _ in range(_LEVELS):
        levels.append(level.reshape(-1))
        starts.append(total)
        total += level.numel()
        level = torch.nn.functional.avg_pool2d(level[:, None], 2)[:, 0]
    return Atlas(torch.cat(levels), torch.tensor(starts))


def _stretch(values: np.ndarray) -> np.ndarray:
    low, high = np.percentile(values, [1, 99])
    return np.clip((values - low) / max(high - low, 1e-9), 0, 1)


def _grid() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:TEXELS, :TEXELS]
    return x / TEXELS, y / TEXELS


def _noise(rng: np.random.Generator) -> np.ndarray:
    """Periodic noise with amplitude `frequency ** -slope`: clouds to gravel."""
    slope = rng.uniform(0.5, 1.4)
    spectrum = np.fft.rfft2(rng.standard_normal((TEXELS, TEXELS)))
    fy, fx = np.fft.fftfreq(TEXELS)[:, None], np.fft.rfftfreq(TEXELS)[None]
    anisotropy = np.exp(rng.uniform(-1, 1))
    frequency = np.hypot(fx * anisotropy, fy / anisotropy)
    frequency[0, 0] = np.inf
    return np.fft.irfft2(spectrum * frequency**-slope, s=(TEXELS, TEXELS))


def _voronoi(rng: np.random.Generator) -> np.ndarray:
    """Periodic Voronoi cells of random grey, their borders dark."""
    cells = int(rng.integers(12, 80))
    x, y = _grid()
    distance, owner = cKDTree(rng.random((cells, 2)), boxsize=1).query(
        np.stack([x, y], -1).reshape(-1, 2), k=2
    )
    border = np.clip((distance[:, 1] - distance[:, 0]) * 40, 0, 1)
    return (rng.random(cells)[owner[:, 0]] * border).reshape(TEXELS, TEXELS)


def _checkers(rng: np.random.Generator) -> np.ndarray:
    x, y = _grid()
    across, down = 2 * rng.integers(1, 7, size=2)
    board = (np.floor(x * across) + np.floor(y * down)) % 2
    shades = rng.random((down, across))
    tint = shades[(y * down).astype(int), (x * across).astype(int)]
    return board + rng.uniform(0, 0.8) * tint + 0.1 * _stretch(_noise(rng))


def _stripes(rng: np.random.Generator) -> np.ndarray:
    x, y = _grid()
    a, b = rng.integers(-6, 7, size=2)
    phase = (a * x + (b if a or b else 5) * y) % 1
    bands = rng.random(int(rng.integers(2, 7)))
    return bands[(phase * len(bands)).astype(int)] + 0.3 * _stretch(_noise(rng))


def _bricks(rng: np.random.Generator) -> np.ndarray:
    x, y = _grid()
    across, down = int(rng.integers(2, 6)), 2 * int(rng.integers(2, 6))
    row = np.floor(y * down)
    shifted = (x * across + 0.5 * (row % 2)) % across
    joint = np.minimum(shifted % 1 * 8, y * down % 1 * 6) > 0.7
    tint = rng.random((down, across))[row.astype(int), shifted.astype(int)]
    return joint * (0.4 + 0.6 * tint) + 0.25 * _stretch(_noise(rng))


def _spots(rng: np.random.Generator) -> np.ndarray:
    x, y = _grid()
    count = int(rng.integers(8, 60))
    distance, owner = cKDTree(rng.random((count, 2)), boxsize=1).query(
        np.stack([x, y], -1).reshape(-1, 2)
    )
    radius = rng.uniform(0.02, 0.09, size=count)
    inside = distance < radius[owner]
    grey = np.where(inside, rng.random(count)[owner], rng.random())
    return grey.reshape(TEXELS, TEXELS) + 0.3 * _stretch(_noise(rng))


def _warped(rng: np.random.Generator) -> np.ndarray:
    """Bands bent by noise: wood, marble."""
    x, y = _grid()
    a, b = rng.integers(1, 5, size=2)
    bend = rng.uniform(0.5, 2.5) * _stretch(_noise(rng))
    return np.sin(2 * np.pi * (a * x + b * y + bend)) + 0.3 * _stretch(_noise(rng))
