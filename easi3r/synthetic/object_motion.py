"""Motions as functions of time, so that a scene can be rendered at any instant."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

Numbers = np.ndarray | Sequence[float | int]  # one per axis


@dataclass(frozen=True)
class Curve:
    """`start + velocity * t + sum of amplitude * sin(rate * t + phase)`, axis by axis.

    Attributes:
        velocity: units a second.
        rate: radians a second.
    """

    start: Float64[np.ndarray, " axes"]
    velocity: Float64[np.ndarray, " axes"]
    amplitude: Float64[np.ndarray, "waves axes"]
    rate: Float64[np.ndarray, " waves"]
    phase: Float64[np.ndarray, "waves axes"]

    def at(self, times: Float64[np.ndarray, " times"]) -> Float64[np.ndarray, "times axes"]:
        waves = np.sin(times[:, None, None] * self.rate[:, None] + self.phase)
        return self.start + times[:, None] * self.velocity + (self.amplitude * waves).sum(axis=1)

    def moved_to(self, place: Float64[np.ndarray, " axes"]) -> "Curve":
        """The same curve through `place` at time zero."""
        return replace(self, start=self.start + place - self.at(np.zeros(1))[0])

    def scaled(self, factors: float | Float64[np.ndarray, " axes"]) -> "Curve":
        """As far from its place at time zero as `factors` times before."""
        scaled = replace(self, velocity=self.velocity * factors, amplitude=self.amplitude * factors)
        return scaled.moved_to(self.at(np.zeros(1))[0])

    def __add__(self, other: "Curve") -> "Curve":
        return Curve(
            self.start + other.start,
            self.velocity + other.velocity,
            np.concatenate([self.amplitude, other.amplitude]),
            np.concatenate([self.rate, other.rate]),
            np.concatenate([self.phase, other.phase]),
        )


def constant(value: Numbers) -> Curve:
    """A curve that stays where it is."""
    start = np.asarray(value, dtype=np.float64)
    axes = len(start)
    return Curve(start, np.zeros(axes), np.zeros((0, axes)), np.zeros(0), np.zeros((0, axes)))


def straight(velocity: np.ndarray) -> Curve:
    """From the origin at a constant velocity."""
    return replace(constant(np.zeros(len(velocity))), velocity=velocity)


def wave(amplitude: Numbers, rate: float, phase: Numbers) -> Curve:
    """One sine per axis, around the origin."""
    still = constant(np.zeros(len(amplitude)))
    return replace(
        still,
        amplitude=np.array([amplitude], dtype=np.float64),
        rate=np.array([float(rate)]),
        phase=np.array([phase], dtype=np.float64),
    )


def wander(rng: np.random.Generator, speed: float, axes: int) -> Curve:
    """From the origin, never still: a straight part and a slow swing, about `speed` a second."""
    heading, swing = rng.standard_normal((2, axes))
    heading *= 0.75 * speed / np.linalg.norm(heading)
    rate = rng.uniform(1.5, 5.0)
    swing *= 0.5 * speed / (rate * np.linalg.norm(swing))
    phase = np.full(axes, rng.uniform(0, 2 * np.pi))
    return (straight(heading) + wave(swing, rate, phase)).moved_to(np.zeros(axes))


def shake(rng: np.random.Generator, strength: float, axes: int) -> Curve:
    """A hand's tremor: band-limited noise of 1 to 8 Hz, `strength` its root mean square."""
    waves = 5
    rate = 2 * np.pi * np.exp(rng.uniform(np.log(1.0), np.log(8.0), size=waves))
    amplitude = rng.standard_normal((waves, axes)) / rate[:, None]  # slow tremor is the largest
    amplitude *= strength * np.sqrt(2 / (amplitude**2).sum(axis=0))
    phase = rng.uniform(0, 2 * np.pi, size=(waves, axes))
    return replace(constant(np.zeros(axes)), amplitude=amplitude, rate=rate, phase=phase)


@dataclass(frozen=True)
class Fixed:
    """The same map at all times."""

    matrix: Float64[np.ndarray, "4 4"]

    def at(self, times: Float64[np.ndarray, " times"]) -> Float64[np.ndarray, "times 4 4"]:
        return np.tile(self.matrix, (len(times), 1, 1))


@dataclass(frozen=True)
class Rigid:
    """A moving, turning body.

    Attributes:
        position: metres.
        angles: radians about y, then x, then z, each in the axes the one before has turned.
    """

    position: Curve
    angles: Curve

    def at(self, times: Float64[np.ndarray, " times"]) -> Float64[np.ndarray, "times 4 4"]:
        return _rigid(self.position.at(times), self.angles.at(times))


@dataclass(frozen=True)
class Aim:
    """A camera that looks at a target, `angles` beside it (as in `Rigid`)."""

    position: Curve
    target: Curve
    angles: Curve

    def at(self, times: Float64[np.ndarray, " times"]) -> Float64[np.ndarray, "times 4 4"]:
        position = self.position.at(times)
        x, y, z = (self.target.at(times) - position).T
        sight = np.stack([np.arctan2(x, z), -np.arctan2(y, np.hypot(x, z)), 0 * x], axis=1)
        return _rigid(position, sight + self.angles.at(times))


@dataclass(frozen=True)
class Stretch:
    """Lengths along the axes times `exp(log_factor)`."""

    log_factor: Curve

    def at(self, times: Float64[np.ndarray, " times"]) -> Float64[np.ndarray, "times 4 4"]:
        matrix = np.tile(np.eye(4), (len(times), 1, 1))
        matrix[:, range(3), range(3)] = np.exp(self.log_factor.at(times))
        return matrix


Motion = Fixed | Rigid | Aim | Stretch


def shifted(offset: Numbers) -> Fixed:
    """A translation, metres."""
    matrix = np.eye(4)
    matrix[:3, 3] = offset
    return Fixed(matrix)


def enlarged(factor: float) -> Fixed:
    """A uniform scale."""
    return Fixed(np.diag([factor, factor, factor, 1.0]))


def chain(
    links: tuple[Motion, ...], times: Float64[np.ndarray, " times"]
) -> Float64[np.ndarray, "times 4 4"]:
    """The product of the links: the last one acts first."""
    whole = links[0].at(times)
    for link in links[1:]:
        whole = whole @ link.at(times)
    return whole


def _rigid(position: np.ndarray, angles: np.ndarray) -> np.ndarray:
    pose = np.tile(np.eye(4), (len(position), 1, 1))
    pose[:, :3, :3] = Rotation.from_euler("YXZ", angles).as_matrix()
    pose[:, :3, 3] = position
    return pose
