"""Families of procedural textures: functions from a generator to a periodic grey square.

`TRAINING_FAMILIES` and `HELD_OUT_FAMILIES` share no member.
"""

import numpy as np
from scipy.spatial import cKDTree

TEXELS = 128  # side of a texture


def stretch(values: np.ndarray) -> np.ndarray:
    low, high = np.percentile(values, [1, 99])
    return np.clip((values - low) / max(high - low, 1e-9), 0, 1)


def grid() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:TEXELS, :TEXELS]
    return x / TEXELS, y / TEXELS


def noise(rng: np.random.Generator) -> np.ndarray:
    """Periodic noise with amplitude `frequency ** -slope`: clouds to gravel."""
    slope = rng.uniform(0.5, 1.4)
    spectrum = np.fft.rfft2(rng.standard_normal((TEXELS, TEXELS)))
    fy, fx = np.fft.fftfreq(TEXELS)[:, None], np.fft.rfftfreq(TEXELS)[None]
    anisotropy = np.exp(rng.uniform(-1, 1))
    frequency = np.hypot(fx * anisotropy, fy / anisotropy)
    frequency[0, 0] = np.inf
    return np.fft.irfft2(spectrum * frequency**-slope, s=(TEXELS, TEXELS))


def voronoi(rng: np.random.Generator) -> np.ndarray:
    """Periodic Voronoi cells of random grey, their borders dark."""
    cells = int(rng.integers(12, 80))
    x, y = grid()
    distance, owner = cKDTree(rng.random((cells, 2)), boxsize=1).query(
        np.stack([x, y], -1).reshape(-1, 2), k=2
    )
    border = np.clip((distance[:, 1] - distance[:, 0]) * 40, 0, 1)
    return (rng.random(cells)[owner[:, 0]] * border).reshape(TEXELS, TEXELS)


def checkers(rng: np.random.Generator) -> np.ndarray:
    x, y = grid()
    across, down = 2 * rng.integers(1, 7, size=2)
    board = (np.floor(x * across) + np.floor(y * down)) % 2
    shades = rng.random((down, across))
    tint = shades[(y * down).astype(int), (x * across).astype(int)]
    return board + rng.uniform(0, 0.8) * tint + 0.1 * stretch(noise(rng))


def stripes(rng: np.random.Generator) -> np.ndarray:
    x, y = grid()
    a, b = rng.integers(-6, 7, size=2)
    phase = (a * x + (b if a or b else 5) * y) % 1
    bands = rng.random(int(rng.integers(2, 7)))
    return bands[(phase * len(bands)).astype(int)] + 0.3 * stretch(noise(rng))


def bricks(rng: np.random.Generator) -> np.ndarray:
    x, y = grid()
    across, down = int(rng.integers(2, 6)), 2 * int(rng.integers(2, 6))
    row = np.floor(y * down)
    shifted = (x * across + 0.5 * (row % 2)) % across
    joint = np.minimum(shifted % 1 * 8, y * down % 1 * 6) > 0.7
    tint = rng.random((down, across))[row.astype(int), shifted.astype(int)]
    return joint * (0.4 + 0.6 * tint) + 0.25 * stretch(noise(rng))


def spots(rng: np.random.Generator) -> np.ndarray:
    x, y = grid()
    count = int(rng.integers(8, 60))
    distance, owner = cKDTree(rng.random((count, 2)), boxsize=1).query(
        np.stack([x, y], -1).reshape(-1, 2)
    )
    radius = rng.uniform(0.02, 0.09, size=count)
    inside = distance < radius[owner]
    grey = np.where(inside, rng.random(count)[owner], rng.random())
    return grey.reshape(TEXELS, TEXELS) + 0.3 * stretch(noise(rng))


def warped(rng: np.random.Generator) -> np.ndarray:
    """Bands bent by noise: wood, marble."""
    x, y = grid()
    a, b = rng.integers(1, 5, size=2)
    bend = rng.uniform(0.5, 2.5) * stretch(noise(rng))
    return np.sin(2 * np.pi * (a * x + b * y + bend)) + 0.3 * stretch(noise(rng))


def leaves(rng: np.random.Generator) -> np.ndarray:
    """Dead leaves: discs and squares of power-law sizes over each other (Lee, Mumford and Huang,
    IJCV 2001), whose statistics are close to those of photographs."""
    x, y = grid()
    grey = np.full((TEXELS, TEXELS), rng.random())
    count = int(rng.integers(60, 200))
    radius = 0.025 * (1 - rng.random(count)) ** -0.6
    turn = rng.uniform(0, np.pi, size=count)
    shade = rng.random(count)
    square = rng.random(count) < 0.5
    for k, centre in enumerate(rng.random((count, 2))):
        dx, dy = ((axis - c + 0.5) % 1 - 0.5 for axis, c in zip((x, y), centre, strict=True))
        a = np.abs(dx * np.cos(turn[k]) + dy * np.sin(turn[k]))
        b = np.abs(dy * np.cos(turn[k]) - dx * np.sin(turn[k]))
        distance = np.maximum(a, b) if square[k] else np.hypot(dx, dy)
        grey[distance < min(radius[k], 0.3)] = shade[k]
    return grey + 0.1 * stretch(noise(rng))


def weave(rng: np.random.Generator) -> np.ndarray:
    """Threads over and under each other."""
    x, y = grid()
    across, down = 2 * rng.integers(3, 11, size=2)
    over = (np.floor(x * across) + np.floor(y * down)) % 2
    warp, weft = np.sin(np.pi * (x * across % 1)), np.sin(np.pi * (y * down % 1))
    light, dark = rng.uniform(0.6, 1.0), rng.uniform(0.2, 0.6)
    return np.where(over > 0, light * warp, dark * weft) + 0.1 * stretch(noise(rng))


def honeycomb(rng: np.random.Generator) -> np.ndarray:
    """Hexagonal cells with borders."""
    x, y = grid()
    across, rows = int(rng.integers(2, 7)), 2 * int(rng.integers(2, 6))
    centres = np.array(
        [[((c + 0.5 * (r % 2)) / across) % 1, r / rows] for r in range(rows) for c in range(across)]
    )
    points = np.stack([x, y], -1).reshape(-1, 2)
    distance, owner = cKDTree(centres, boxsize=1).query(points, k=2)
    border = np.clip((distance[:, 1] - distance[:, 0]) * rng.uniform(15, 50), 0, 1)
    tint = 0.5 + 0.5 * rng.random(len(centres))[owner[:, 0]]
    return (border * tint).reshape(TEXELS, TEXELS) + 0.2 * stretch(noise(rng))


def arcs(rng: np.random.Generator) -> np.ndarray:
    """Truchet tiles: quarter circles that join at random into winding bands."""
    x, y = grid()
    tiles = int(rng.choice([4, 8]))
    column, row = (x * tiles).astype(int), (y * tiles).astype(int)
    flipped = (rng.random((tiles, tiles)) < 0.5)[row, column]
    u, v = x * tiles % 1, y * tiles % 1
    u = np.where(flipped, 1 - u, u)
    distance = np.minimum(np.hypot(u, v), np.hypot(1 - u, 1 - v))
    band = np.abs(distance - 0.5) < rng.uniform(0.1, 0.25)
    return band + 0.3 * stretch(noise(rng))


# The first is noise: `textures.CLOUDS`.
TRAINING_FAMILIES = (noise, voronoi, checkers, stripes, bricks, spots, warped, leaves)
HELD_OUT_FAMILIES = (weave, honeycomb, arcs)
