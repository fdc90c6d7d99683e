"""Kinds of objects, in axes of their own: the base at the origin, y down, so they fill y <= 0.

Every kind is built of the shapes of one vocabulary, whatever part they play: a leg may be a cone.
"""

from collections.abc import Callable

import numpy as np

from easi3r.synthetic.object_motion import Motion, Numbers, Rigid, constant, shifted, wave
from easi3r.synthetic.scene import Solid
from easi3r.synthetic.shapes import Shape

Shapes = tuple[Shape, ...]


def draw_object(rng: np.random.Generator, shapes: Shapes) -> tuple[Solid, ...]:
    """The pieces of one object, with joints that swing where it has any; materials count from 0."""
    return _KINDS[int(rng.choice(len(_KINDS), p=_SHARES))](rng, shapes)


def _shape(rng: np.random.Generator, shapes: Shapes) -> Shape:
    return shapes[int(rng.integers(len(shapes)))]


def _half_size(rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    return np.exp(rng.uniform(np.log(low), np.log(high), size=3))


def _piece(shape: Shape, half_size: Numbers, motion: tuple[Motion, ...], material: int) -> Solid:
    return Solid(shape, np.asarray(half_size, dtype=np.float64), motion, material)


def _single(rng: np.random.Generator, shapes: Shapes) -> tuple[Solid, ...]:
    half = _half_size(rng, 0.14, 0.7)
    return (_piece(_shape(rng, shapes), half, (shifted([0, -half[1], 0]),), 0),)


def _small(rng: np.random.Generator, shapes: Shapes) -> tuple[Solid, ...]:
    half = _half_size(rng, 0.06, 0.22)
    return (_piece(_shape(rng, shapes), half, (shifted([0, -half[1], 0]),), 0),)


def _stack(rng: np.random.Generator, shapes: Shapes) -> tuple[Solid, ...]:
    """Two or three on top of each other, touching."""
    pieces, top, aside = [], 0.0, np.zeros(2)
    half = _half_size(rng, 0.18, 0.55)
    for number in range(int(rng.integers(2, 4))):
        centre = [aside[0], top - half[1], aside[1]]
        pieces.append(_piece(_shape(rng, shapes), half, (shifted(centre),), number))
        top -= 2 * half[1]
        aside = aside + rng.uniform(-0.3, 0.3, size=2) * half[[0, 2]]
        half = half * rng.uniform(0.5, 0.9, size=3)
    return tuple(pieces)


def _heap(rng: np.random.Generator, shapes: Shapes) -> tuple[Solid, ...]:
    """Three to five small things side by side, some into each other."""
    pieces = []
    for number in range(int(rng.integers(3, 6))):
        half = _half_size(rng, 0.06, 0.25)
        x, z = rng.uniform(-0.35, 0.35, size=2)
        pieces.append(_piece(_shape(rng, shapes), half, (shifted([x, -half[1], z]),), number))
    return tuple(pieces)


def _pole(rng: np.random.Generator, shapes: Shapes) -> tuple[Solid, ...]:
    thickness, height = rng.uniform(0.02, 0.07), rng.uniform(0.4, 1.1)
    half = [thickness, height, thickness]
    return (_piece(_shape(rng, shapes), half, (shifted([0, -height, 0]),), 0),)


def _table(rng: np.random.Generator, shapes: Shapes) -> tuple[Solid, ...]:
    x, top, z = rng.uniform([0.2, 0.015, 0.2], [0.7, 0.05, 0.5])
    leg, height = rng.uniform(0.015, 0.045), rng.uniform(0.15, 0.4)
    shape = _shape(rng, shapes)
    pieces = [_piece(_shape(rng, shapes), [x, top, z], (shifted([0, -2 * height - top, 0]),), 0)]
    for side in (-1, 1):
        for end in (-1, 1):
            foot = [side * 0.8 * x, -height, end * 0.8 * z]
            pieces.append(_piece(shape, [leg, height, leg], (shifted(foot),), 1))
    return tuple(pieces)


def _slats(rng: np.random.Generator, shapes: Shapes) -> tuple[Solid, ...]:
    """A fence or a rack: thin parallel pieces under a rail."""
    count = int(rng.integers(4, 8))
    gap, height = rng.uniform(0.1, 0.2), rng.uniform(0.25, 0.7)
    slat = [rng.uniform(0.015, 0.05), height, rng.uniform(0.01, 0.03)]
    shape = _shape(rng, shapes)
    places = gap * (np.arange(count) - (count - 1) / 2)
    pieces = [_piece(shape, slat, (shifted([place, -height, 0]),), 0) for place in places]
    rail = [gap * count / 2, 0.02, 0.02]
    pieces.append(_piece(_shape(rng, shapes), rail, (shifted([0, -2 * height, 0]),), 1))
    return tuple(pieces)


def _limb(
    rng: np.random.Generator, shape: Shape, joint: Numbers, length: float, width: float
) -> Solid:
    """Hangs from its joint and swings in a cone, so that it never stands still."""
    phase = rng.uniform(0, 2 * np.pi)
    forward, aside = rng.uniform(0.35, 0.9), rng.uniform(0.15, 0.4)
    rate = rng.uniform(3.0, 7.0)
    swing = wave([0, forward, aside], rate, [0, phase, phase + np.pi / 2])
    hanging = shifted([0, 0.9 * length, 0])
    motion = (Rigid(constant(joint), swing), hanging)
    return _piece(shape, [width, length, width], motion, 1)


def _figure(rng: np.random.Generator, shapes: Shapes) -> tuple[Solid, ...]:
    """A torso with a head, two arms and two legs, 0.7 to 1.9 m tall."""
    size = rng.uniform(0.4, 1.05)
    leg, torso, head, arm = 0.42 * size, 0.32 * size, 0.13 * size, 0.32 * size
    hip = -1.9 * leg
    shoulder = hip - 1.8 * torso
    body, limb = _shape(rng, shapes), _shape(rng, shapes)
    chest = [0.22 * size, torso, 0.14 * size]
    pieces = [
        _piece(body, chest, (shifted([0, hip - torso, 0]),), 0),
        _piece(_shape(rng, shapes), [head] * 3, (shifted([0, hip - 2 * torso - head, 0]),), 2),
    ]
    for side in (-1, 1):
        pieces.append(_limb(rng, limb, [0.3 * side * size, shoulder, 0], arm, 0.06 * size))
        pieces.append(_limb(rng, limb, [0.11 * side * size, hip, 0], leg, 0.075 * size))
    return tuple(pieces)


def _door(rng: np.random.Generator, shapes: Shapes) -> tuple[Solid, ...]:
    """A panel that swings about a post."""
    width, height = rng.uniform(0.2, 0.5), rng.uniform(0.35, 1.0)
    post = [0.05, height, 0.05]
    phase, swing, give = rng.uniform([0, 0.5, 0.05], [2 * np.pi, 1.2, 0.12])
    angles = wave([swing, 0, give], rng.uniform(1.2, 3.0), [phase, 0, phase + np.pi / 2])
    hinge = Rigid(constant([0, -height, 0]), angles)
    panel = [width, 0.95 * height, rng.uniform(0.015, 0.05)]
    return (
        _piece(_shape(rng, shapes), post, (shifted([0, -height, 0]),), 0),
        _piece(_shape(rng, shapes), panel, (hinge, shifted([width, 0, 0])), 1),
    )


_KINDS: tuple[Callable[[np.random.Generator, Shapes], tuple[Solid, ...]], ...] = (
    _single,
    _small,
    _stack,
    _heap,
    _pole,
    _table,
    _slats,
    _figure,
    _door,
)
_SHARES = (0.36, 0.12, 0.1, 0.06, 0.1, 0.06, 0.04, 0.1, 0.06)
