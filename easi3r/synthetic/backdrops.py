"""Static parts of scenes: rooms with columns and steps, open ground with distant structures."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from easi3r.synthetic.camera_motion import Standpoint
from easi3r.synthetic.materials import ROOM_FACES
from easi3r.synthetic.object_motion import Fixed, Rigid, constant, shifted
from easi3r.synthetic.scene import Light, Solid
from easi3r.synthetic.shapes import Shape

_CLEARANCE = 0.35  # metres between the camera's path and a structure


@dataclass(frozen=True)
class Backdrop:
    """The static part of a scene.

    Attributes:
        standpoint: where the camera starts.
        light: of the place.
        outdoor: open ground; things may be tens of metres away.
        farthest: metres within which objects are placed.
    """

    standpoint: Standpoint
    light: Light
    outdoor: bool
    farthest: float

    @property
    def room(self) -> Float64[np.ndarray, "2 3"]:
        return self.standpoint.room

    @property
    def floor(self) -> float:
        return float(self.room[1, 1])


def draw_backdrop(rng: np.random.Generator, outdoor: bool) -> Backdrop:
    """A room of 4 to 9 m, or ground up to a backdrop 25 to 80 m away."""
    return _open_ground(rng) if outdoor else _room(rng)


def _room(rng: np.random.Generator) -> Backdrop:
    size = np.array([rng.uniform(4, 9), rng.uniform(2.6, 4.0), rng.uniform(4, 9)])
    room = np.stack([-size / 2, size / 2])
    yaw = rng.uniform(-np.pi, np.pi)
    position = -np.array([np.sin(yaw), 0, np.cos(yaw)]) * size * rng.uniform(0.15, 0.38)
    position[1] = rng.uniform(-0.25, 0.2) * size[1]
    lamp = room[0] + size * np.array([rng.uniform(0.2, 0.8), 0.08, rng.uniform(0.2, 0.8)])
    light = Light(lamp, float(rng.uniform(0.4, 0.8)))
    return Backdrop(Standpoint(room, position, yaw, pace=1.0), light, False, farthest=6.0)


def _open_ground(rng: np.random.Generator) -> Backdrop:
    reach = np.exp(rng.uniform(np.log(25), np.log(80), size=2))
    high = reach.max() * rng.uniform(0.5, 1.0)
    room = np.array([[-reach[0], -high, -reach[1]], [reach[0], 0.0, reach[1]]])
    position = np.array([rng.uniform(-4, 4), -rng.uniform(0.9, 2.4), rng.uniform(-4, 4)])
    sun = rng.standard_normal(3)
    sun[1] = -np.abs(sun[1]) - 0.5
    light = Light(1000.0 * sun / np.linalg.norm(sun), float(rng.uniform(0.4, 0.75)))
    yaw = rng.uniform(-np.pi, np.pi)
    return Backdrop(Standpoint(room, position, yaw, pace=2.0), light, True, farthest=16.0)


def draw_structures(
    rng: np.random.Generator, backdrop: Backdrop, camera: Float64[np.ndarray, "times 3"]
) -> tuple[Solid, ...]:
    """Structures clear of the camera's places; those in its way are left out."""
    drawn = _distant(rng, backdrop) if backdrop.outdoor else _built_in(rng, backdrop.room)
    clear = [solid for solid in drawn if _apart(solid, camera) > _CLEARANCE]
    return tuple(
        Solid(s.shape, s.half_size, s.motion, ROOM_FACES + number) for number, s in enumerate(clear)
    )


def _apart(solid: Solid, camera: np.ndarray) -> float:
    """Least distance of points from the solid's box."""
    (pose,) = solid.to_room(np.zeros(1))
    inside = (camera - pose[:3, 3]) @ pose[:3, :3]
    beyond = np.maximum(np.abs(inside) - solid.half_size, 0)
    return float(np.linalg.norm(beyond, axis=1).min())


def _standing(
    rng: np.random.Generator, shape: Shape, half_size: np.ndarray, x: float, z: float, floor: float
) -> Solid:
    turn = constant([rng.uniform(-np.pi, np.pi), 0.0, 0.0])
    pose = Rigid(constant([x, floor - half_size[1], z]), turn)
    return Solid(shape, half_size, (Fixed(pose.at(np.zeros(1))[0]),), 0)


def _built_in(rng: np.random.Generator, room: np.ndarray) -> list[Solid]:
    """Columns, steps along walls, and shelves, frames or niches that stand out from them."""
    solids = []
    size = room[1] - room[0]
    for _ in range(int(rng.integers(0, 3))):
        half = np.array([rng.uniform(0.08, 0.3), size[1] / 2, rng.uniform(0.08, 0.3)])
        x, z = rng.uniform(-0.48, 0.48, size=2) * size[[0, 2]]
        shape = Shape(rng.choice([Shape.BOX, Shape.CYLINDER]))
        solids.append(_standing(rng, shape, half, x, z, room[1, 1]))
    if rng.random() < 0.4:
        solids += _steps(rng, room)
    for _ in range(int(rng.integers(0, 6))):
        across, wall = rng.permutation([0, 2])
        half = np.empty(3)
        half[[across, 1]] = np.exp(rng.uniform(np.log(0.08), np.log(0.7), size=2))
        half[wall] = np.exp(rng.uniform(np.log(0.02), np.log(0.3)))
        middle = room.mean(axis=0)
        middle[wall] = room[int(rng.integers(2)), wall]
        middle[across] += rng.uniform(-0.45, 0.45) * size[across]
        middle[1] += rng.uniform(-0.4, 0.3) * size[1]
        solids.append(Solid(Shape.BOX, half, (shifted(middle),), 0))
    return solids


def _steps(rng: np.random.Generator, room: np.ndarray) -> list[Solid]:
    """One to four steps up to a wall."""
    across, wall = rng.permutation([0, 2])
    side = int(rng.integers(2))
    count = int(rng.integers(1, 5))
    depth, rise = rng.uniform(0.2, 0.45), rng.uniform(0.1, 0.22)
    width = rng.uniform(0.3, 1.0) * (room[1] - room[0])[across]
    along = rng.uniform(-0.2, 0.2) * (room[1] - room[0])[across]
    solids = []
    for number in range(count):
        half = np.empty(3)
        half[across], half[1] = width / 2, rise * (number + 1) / 2
        half[wall] = depth * (count - number)
        middle = np.empty(3)
        middle[across], middle[1], middle[wall] = along, room[1, 1] - half[1], room[side, wall]
        solids.append(Solid(Shape.BOX, half, (shifted(middle),), 0))
    return solids


def _distant(rng: np.random.Generator, backdrop: Backdrop) -> list[Solid]:
    """Buildings, hills, trees and masts."""
    solids = []
    reach = float(backdrop.room[1, [0, 2]].min())
    for _ in range(int(rng.integers(4, 12))):
        angle = rng.uniform(-np.pi, np.pi)
        distance = rng.uniform(8, 0.95 * reach)
        x, z = backdrop.standpoint.position[[0, 2]] + distance * np.array(
            [np.sin(angle), np.cos(angle)]
        )
        kind = rng.integers(4)
        if kind == 0:  # a building
            half = rng.uniform([1.5, 1.2, 1.5], [6.0, 6.0, 6.0])
            solids.append(_standing(rng, Shape.BOX, half, x, z, backdrop.floor))
        elif kind == 1:  # a hill or hedge, half in the ground
            half = rng.uniform([2.0, 0.5, 2.0], [10.0, 4.0, 10.0])
            hill = _standing(rng, Shape.ELLIPSOID, half, x, z, backdrop.floor + half[1])
            solids.append(hill)
        elif kind == 2:  # a tree
            solids += _tree(rng, x, z, backdrop.floor)
        else:  # a mast
            half = np.array([rng.uniform(0.05, 0.25), rng.uniform(1.5, 5.0), 0.0])
            half[2] = half[0]
            solids.append(_standing(rng, Shape.CYLINDER, half, x, z, backdrop.floor))
    return solids


def _tree(rng: np.random.Generator, x: float, z: float, floor: float) -> list[Solid]:
    trunk = np.array([0.15, rng.uniform(0.6, 1.6), 0.15])
    crown = rng.uniform([0.8, 1.0, 0.8], [2.2, 3.0, 2.2])
    top = floor - 1.9 * trunk[1]
    shape = Shape(rng.choice([Shape.ELLIPSOID, Shape.CONE]))
    return [
        _standing(rng, Shape.CYLINDER, trunk, x, z, floor),
        _standing(rng, shape, crown, x, z, top),
    ]
