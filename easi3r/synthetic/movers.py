"""Placement and motion of objects.

Every object is drawn with a motion and with a clear path for it; one that is not to move is then
frozen. So movers and static objects differ in nothing else: not in shapes, sizes, materials or
places, nor in how their joints are bent or they are stretched.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from easi3r.synthetic.backdrops import Backdrop
from easi3r.synthetic.object_motion import (
    Curve,
    Fixed,
    Motion,
    Rigid,
    Stretch,
    constant,
    enlarged,
    straight,
    wander,
    wave,
)
from easi3r.synthetic.scene import NO_OBJECT, Solid

_TRIES = 20
_NEAREST = 1.2  # metres from the camera at which objects start, at least
_FROM_CAMERA = 0.4  # metres between an object's bounding sphere and the camera
_FROM_WALL = 0.15
_LARGER_BEYOND = 4.0  # metres; outdoors, things farther away are larger and faster in proportion
_CORNERS = np.array([[x, y, z, 1.0] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])


@dataclass(frozen=True)
class Stage:
    """Camera path and backdrop that objects are placed in view of, and clear of.

    Attributes:
        times: at which paths are checked.
        camera_to_room: at those times.
        half_width: tangent of half the horizontal field of view.
    """

    backdrop: Backdrop
    times: Float64[np.ndarray, " times"]
    camera_to_room: Float64[np.ndarray, "times 4 4"]
    half_width: float

    def is_clear(self, body: Motion, sphere: "Sphere") -> bool:
        """The path of a sphere in the body's axes stays within the room and off the camera."""
        centre = body.at(self.times) @ np.append(sphere.centre, 1.0)
        inside = np.abs(centre[:, [0, 2]]).max(axis=0) + _FROM_WALL < self.backdrop.room[1, [0, 2]]
        apart = np.linalg.norm(centre[:, :3] - self.camera_to_room[:, :3, 3], axis=1)
        return bool(inside.all() and apart.min() > sphere.radius + _FROM_CAMERA)


@dataclass(frozen=True)
class Sphere:
    """Bounding sphere of an object, in its own axes."""

    centre: Float64[np.ndarray, "3"]
    radius: float

    @classmethod
    def around(cls, pieces: tuple[Solid, ...], times: Float64[np.ndarray, " times"]) -> "Sphere":
        """Around all pieces at some of the times."""
        some = times[:: max(1, len(times) // 6)]
        corners = [
            p.to_room(some)[:, :3] @ (_CORNERS * [*p.half_size, 1]).T  # times x 3 x corners
            for p in pieces
        ]
        points = np.concatenate([c.transpose(0, 2, 1).reshape(-1, 3) for c in corners])
        centre = (points.min(axis=0) + points.max(axis=0)) / 2
        return cls(centre, float(np.linalg.norm(points - centre, axis=1).max()))


@dataclass(frozen=True)
class PlacedObject:
    """An object in the room.

    Attributes:
        pieces: in the object's axes, the base at the origin, y down.
        body: of the object's axes in the room.
        bounds: of the pieces, in the object's axes.
    """

    pieces: tuple[Solid, ...]
    body: Motion
    bounds: Sphere

    @property
    def materials(self) -> int:
        return 1 + max(piece.material for piece in self.pieces)

    def centre(self) -> Float64[np.ndarray, "3"]:
        """Middle of the bounds at the start."""
        return (self.body.at(np.zeros(1))[0] @ np.append(self.bounds.centre, 1.0))[:3]

    def solids(
        self, object_id: int, material: int, look_alike_of: int = NO_OBJECT
    ) -> tuple[Solid, ...]:
        """The pieces in room axes, their materials counted from `material`."""
        return tuple(
            replace(
                piece,
                motion=(self.body, *piece.motion),
                material=material + piece.material,
                object_id=object_id,
                look_alike_of=look_alike_of,
            )
            for piece in self.pieces
        )


def place_object(
    rng: np.random.Generator,
    pieces: tuple[Solid, ...],
    speed: float,
    stage: Stage,
    subject: Curve | None,
) -> PlacedObject | None:
    """An object that moves, starts in view of the camera and never meets it.

    Args:
        speed: of walking objects, metres a second.
        subject: a point to ride on; None chooses a place and a path.

    Returns:
        None where there is no such place.
    """
    pieces, walks = _animated(rng, pieces)
    for _ in range(_TRIES):
        reach = _distance(rng, stage.backdrop)
        factor = max(1.0, reach / _LARGER_BEYOND) if stage.backdrop.outdoor else 1.0
        sized = _deformed(pieces, enlarged(factor))
        bounds = Sphere.around(sized, stage.times)
        floats = rng.random() < 0.3
        place = _in_view(rng, stage, reach)
        place[1] = stage.backdrop.floor - (_height(rng, stage, bounds) if floats else 0.0)
        body = Rigid(constant(place), _angles(rng, floats, walks or subject is not None))
        if subject is not None:
            lift = place[1] - subject.at(np.zeros(1))[0, 1]
            body = replace(body, position=subject + constant([0.0, lift, 0.0]))
        elif walks:
            walk = wander(rng, speed * factor, 3).scaled(np.array([1.0, 0.5 * floats, 1.0]))
            body = replace(body, position=walk.moved_to(place))
        link = body if walks or subject is not None else Fixed(body.at(np.zeros(1))[0])
        if stage.is_clear(link, bounds):
            return PlacedObject(sized, link, bounds)
    return None


def place_twin(
    rng: np.random.Generator, original: PlacedObject, others: list[PlacedObject], stage: Stage
) -> PlacedObject | None:
    """The same object, turned, elsewhere in view and for ever as the original is at the start."""
    pieces = tuple(piece.frozen(0.0) for piece in original.pieces)
    bounds = Sphere.around(pieces, np.zeros(1))
    (start,) = original.body.at(np.zeros(1))
    camera = stage.camera_to_room[0]
    reach = float(np.linalg.norm(start[:3, 3] - camera[:3, 3]))
    room_left = [(other.centre(), 0.5 * bounds.radius + other.bounds.radius) for other in others]
    for _ in range(2 * _TRIES):
        pose = np.eye(4)
        turn = Rigid(constant([0, 0, 0]), constant([rng.uniform(-np.pi, np.pi), 0, 0]))
        pose[:3, :3] = turn.at(np.zeros(1))[0, :3, :3] @ start[:3, :3]
        pose[:3, 3] = _in_view(rng, stage, reach * rng.uniform(0.75, 1.3))
        pose[1, 3] = start[1, 3]
        twin = PlacedObject(pieces, Fixed(pose), bounds)
        centre = twin.centre()
        apart = all(np.linalg.norm(centre - place) > gap for place, gap in room_left)
        if apart and stage.is_clear(twin.body, bounds):
            return twin
    return None


def _animated(
    rng: np.random.Generator, pieces: tuple[Solid, ...]
) -> tuple[tuple[Solid, ...], bool]:
    """Pieces with their joints swinging, or stiff, or stretching; and whether the whole walks."""
    kind = rng.random()
    if any(piece.moving for piece in pieces):
        if kind < 0.85:
            return pieces, kind > 0.35
        return tuple(piece.frozen(0.0) for piece in pieces), True
    if kind < 0.3:
        return _deformed(pieces, _stretch(rng)), kind > 0.12
    return pieces, True


def _stretch(rng: np.random.Generator) -> Stretch:
    """Height and width swell in turn, so that lengths change at every moment."""
    tall, wide = rng.uniform([0.15, 0.15], [0.45, 0.35])
    phase, rate = rng.uniform([0, 3.0], [2 * np.pi, 7.0])
    return Stretch(wave([wide, tall, 0.5 * wide], rate, [phase + np.pi / 2, phase, phase + np.pi]))


def _deformed(pieces: tuple[Solid, ...], link: Motion) -> tuple[Solid, ...]:
    return tuple(replace(piece, motion=(link, *piece.motion)) for piece in pieces)


def _distance(rng: np.random.Generator, backdrop: Backdrop) -> float:
    """Indoors evenly spread, outdoors in its logarithm."""
    if backdrop.outdoor:
        return float(np.exp(rng.uniform(np.log(_NEAREST), np.log(backdrop.farthest))))
    return float(rng.uniform(_NEAREST, backdrop.farthest))


def _in_view(rng: np.random.Generator, stage: Stage, reach: float) -> Float64[np.ndarray, "3"]:
    aside = stage.half_width * rng.uniform(-1, 1) * reach
    return (stage.camera_to_room[0] @ np.array([aside, 0.0, reach, 1.0]))[:3]


def _height(rng: np.random.Generator, stage: Stage, bounds: Sphere) -> float:
    """Metres of the base above the floor, of something in the air."""
    ceiling = 0.8 * min(float(np.ptp(stage.backdrop.room[:, 1])), 2 * _LARGER_BEYOND)
    return float(rng.uniform(0.2, max(0.3, ceiling - 2 * bounds.radius)))


def _angles(rng: np.random.Generator, floats: bool, turns: bool) -> Curve:
    tilt = 0.5 * rng.normal(size=2) if floats else np.zeros(2)
    angles = constant([rng.uniform(-np.pi, np.pi), *tilt])
    spin = np.array([rng.normal(), 0.0, 0.0])
    return angles + straight(spin) if turns else angles
