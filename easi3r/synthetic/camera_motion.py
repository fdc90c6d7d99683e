"""Camera trajectories: static, panning, wandering, orbiting, following, with hand shake."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from easi3r.synthetic.object_motion import (
    Aim,
    Curve,
    Fixed,
    Motion,
    Rigid,
    constant,
    shake,
    straight,
    wander,
    wave,
)
from easi3r.synthetic.scene_settings import CameraKind, CameraSettings

_UPRIGHT = np.array([1.0, 0.4, 1.0])  # cameras rise and sink less than they walk
_METRES_PER_SHAKEN_DEGREE = 0.02
_MARGIN = 0.3  # metres from the walls


@dataclass(frozen=True)
class Standpoint:
    """Where a camera starts in a room.

    Attributes:
        room: lowest and highest corner.
        position: in the room.
        yaw: radians, the direction in which it looks.
        pace: factor on speeds: larger where things are farther away.
    """

    room: Float64[np.ndarray, "2 3"]
    position: Float64[np.ndarray, "3"]
    yaw: float
    pace: float

    def ahead(self, metres: float, aside: float = 0.0) -> Float64[np.ndarray, "3"]:
        """The point so far ahead and to the right, at the camera's height."""
        forward, right = self.axes
        return self.position + metres * forward + aside * right

    @property
    def axes(self) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]:
        """Level unit vectors forward and to the right."""
        sine, cosine = np.sin(self.yaw), np.cos(self.yaw)
        return np.array([sine, 0, cosine]), np.array([cosine, 0, -sine])


@dataclass(frozen=True)
class CameraPath:
    """A camera's motion; `subject` is the wandering point it keeps in view, if it follows one."""

    motion: Motion
    subject: Curve | None


def draw_camera(
    rng: np.random.Generator,
    settings: CameraSettings,
    standpoint: Standpoint,
    times: Float64[np.ndarray, " times"],
) -> CameraPath:
    """A camera of one of the kinds, which stays inside the room at all `times`."""
    kind = settings.kinds[int(rng.integers(len(settings.kinds)))]
    shaken = rng.random() < settings.shake_probability
    strength = rng.uniform(*settings.shake) if shaken else 0.0
    low, high = np.log(np.maximum(settings.speed, 1e-3))
    speed = standpoint.pace * float(np.exp(rng.uniform(low, high)))
    turn_rate = float(np.radians(rng.uniform(*settings.turn_rate)))
    tilt = constant([0.0, rng.uniform(-0.25, 0.08), rng.normal(0, 0.03)])
    tremor = shake(rng, np.radians(strength), 3)
    jolt = shake(rng, _METRES_PER_SHAKEN_DEGREE * strength, 3)
    view = _View(standpoint, speed, turn_rate, tilt + tremor, jolt)
    return _KINDS[kind](rng, view, times)


@dataclass(frozen=True)
class _View:
    """Standpoint, speed and shake that all kinds of camera build on."""

    standpoint: Standpoint
    speed: float
    turn_rate: float
    angles: Curve
    jolt: Curve

    def position(self, walk: Curve, times: np.ndarray) -> Curve:
        """From the standpoint along `walk`, shortened until it stays inside the room."""
        path = walk.moved_to(self.standpoint.position)
        low, high = self.standpoint.room[0] + _MARGIN, self.standpoint.room[1] - _MARGIN
        while not ((path.at(times) > low) & (path.at(times) < high)).all():
            path = path.scaled(0.7)
        return path + self.jolt

    def facing(self, turn: Curve) -> Curve:
        return constant([self.standpoint.yaw, 0.0, 0.0]) + self.angles + turn


def _turn(rng: np.random.Generator, rate: float) -> Curve:
    return wander(rng, rate, 3).scaled(np.array([1.0, 1.0, 0.3]))


def _still(rng: np.random.Generator, view: _View, times: np.ndarray) -> CameraPath:
    pose = Rigid(constant(view.standpoint.position), view.facing(constant([0, 0, 0])))
    return CameraPath(Fixed(pose.at(np.zeros(1))[0]), None)


def _pan(rng: np.random.Generator, view: _View, times: np.ndarray) -> CameraPath:
    still = constant(view.standpoint.position)
    return CameraPath(Rigid(still, view.facing(_turn(rng, view.turn_rate))), None)


def _wander(rng: np.random.Generator, view: _View, times: np.ndarray) -> CameraPath:
    walk = wander(rng, view.speed, 3).scaled(_UPRIGHT)
    position = view.position(walk, times)
    return CameraPath(Rigid(position, view.facing(_turn(rng, view.turn_rate))), None)


def _forward(rng: np.random.Generator, view: _View, times: np.ndarray) -> CameraPath:
    forward, _ = view.standpoint.axes
    return _along(rng, view, times, forward * rng.choice([-1.0, 1.0, 1.0]))


def _sideways(rng: np.random.Generator, view: _View, times: np.ndarray) -> CameraPath:
    _, right = view.standpoint.axes
    return _along(rng, view, times, right * rng.choice([-1.0, 1.0]))


def _along(
    rng: np.random.Generator, view: _View, times: np.ndarray, heading: np.ndarray
) -> CameraPath:
    """Straight on, turning little."""
    drift = wander(rng, 0.15 * view.speed, 3).scaled(_UPRIGHT)
    position = view.position(straight(view.speed * heading) + drift, times)
    turn = _turn(rng, 0.3 * view.turn_rate)
    return CameraPath(Rigid(position, view.facing(turn)), None)


def _orbit(rng: np.random.Generator, view: _View, times: np.ndarray) -> CameraPath:
    distance = rng.uniform(1.5, 4.0) * view.standpoint.pace
    pivot = view.standpoint.ahead(distance, 0.0)
    rate = rng.choice([-1.0, 1.0]) * view.speed / distance
    behind = view.standpoint.yaw + np.pi
    circle = wave([distance, 0, distance], rate, [behind, 0, behind + np.pi / 2])
    bob = wander(rng, 0.15 * view.speed, 3).scaled(np.array([0.0, 1.0, 0.0]))
    position = view.position(circle + bob, times)
    return CameraPath(Aim(position, constant(pivot), view.angles), None)


def _follow(rng: np.random.Generator, view: _View, times: np.ndarray) -> CameraPath:
    start = view.standpoint.ahead(rng.uniform(2.0, 4.0) * view.standpoint.pace)
    walk = wander(rng, rng.uniform(0.5, 1.6) * view.standpoint.pace, 3)
    walk = walk.scaled(np.array([1.0, 0.0, 1.0]))
    subject = walk.moved_to(start)
    position = view.position(walk.scaled(rng.uniform(0.0, 1.0)), times)
    return CameraPath(Aim(position, subject, view.angles), subject)


_KINDS: dict[CameraKind, Callable[[np.random.Generator, _View, np.ndarray], CameraPath]] = {
    CameraKind.STILL: _still,
    CameraKind.PAN: _pan,
    CameraKind.WANDER: _wander,
    CameraKind.FORWARD: _forward,
    CameraKind.SIDEWAYS: _sideways,
    CameraKind.ORBIT: _orbit,
    CameraKind.FOLLOW: _follow,
}
