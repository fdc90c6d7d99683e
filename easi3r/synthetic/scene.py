"""What a scene is, and how one is drawn from a seed."""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Annotated

import numpy as np
from jaxtyping import Bool, Float64, Int64
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.spatial.transform import Rotation

from easi3r.synthetic.textures import TEXELS, TEXTURES

Range = tuple[float, float]


class SceneSettings(BaseModel):
    """Distribution that scenes are drawn from. Metres, seconds, degrees.

    `mover_speed` is nominal: paths wander. An object moves in every frame or in none, and no mover
    moves "a little": over 983 movers of default settings the fastest point of the surface averages
    0.15 m/s at least, 0.4 m/s at the 5th percentile, 0.9 m/s at the median.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: Annotated[int, Field(ge=1, le=1024)] = 24
    height: Annotated[int, Field(ge=16, le=4096)] = 240
    width: Annotated[int, Field(ge=16, le=4096)] = 320
    frames_per_second: Annotated[float, Field(gt=0)] = 12.0
    horizontal_fov: Range = (60.0, 60.0)
    solids: tuple[int, int] = (4, 9)
    static_scene_probability: Annotated[float, Field(ge=0, le=1)] = 0.25
    mover_probability: Annotated[float, Field(ge=0, le=1)] = 0.5
    mover_speed: Range = (0.4, 1.6)
    camera_speed: Range = (0.3, 1.5)
    camera_turn_rate: Range = (4.0, 32.0)
    noise_levels: Range = (0.5, 3.0)
    exposure_jitter: Annotated[float, Field(ge=0, lt=1)] = 0.04

    @model_validator(mode="after")
    def _ordered(self) -> "SceneSettings":
        for name in ("horizontal_fov", "solids", "mover_speed", "camera_speed"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name} must be 0 < low <= high, not {(low, high)}")
        if self.horizontal_fov[1] >= 170:
            raise ValueError("horizontal_fov must stay below 170 degrees")
        return self


class Shape(IntEnum):
    """Kinds of solid, each filling [-1, 1]^3 before its half sizes scale it."""

    BOX = 0
    ELLIPSOID = 1
    CYLINDER = 2  # along its y axis


@dataclass(frozen=True)
class Solid:
    """An object of a scene.

    Attributes:
        half_size: metres along its own axes.
        to_room: pose per frame; constant unless `moving`.
        moving: it moves in every frame (see `SceneSettings.mover_speed`).
    """

    shape: Shape
    half_size: Float64[np.ndarray, "3"]
    to_room: Float64[np.ndarray, "frames 4 4"]
    moving: bool


@dataclass(frozen=True)
class Materials:
    """Looks of the surfaces: the room's six faces (-x, +x, -y, +y, -z, +z), then every solid.

    Attributes:
        texture: index into the atlas.
        texels_per_metre, offset: where a surface point falls in its texture.
        dark, bright: the two colours that a texture mixes, 0..1.
    """

    texture: Int64[np.ndarray, " surfaces"]
    texels_per_metre: Float64[np.ndarray, " surfaces"]
    offset: Float64[np.ndarray, "surfaces 2"]
    dark: Float64[np.ndarray, "surfaces 3"]
    bright: Float64[np.ndarray, "surfaces 3"]


@dataclass(frozen=True)
class Scene:
    """A room with solids, seen by a moving camera. The room's y axis points down.

    Attributes:
        intrinsics: principal point (W/2, H/2), pixel centres at integers.
        camera_to_room: OpenCV axes.
        room: lowest and highest corner.
        light: position in the room; `ambient` is the share of light that has no direction.
        exposure: gain per frame.
        noise_level: standard deviation of sensor noise, in grey levels of 255.
    """

    seed: int
    settings: SceneSettings
    times: Float64[np.ndarray, " frames"]
    intrinsics: Float64[np.ndarray, "3 3"]
    camera_to_room: Float64[np.ndarray, "frames 4 4"]
    room: Float64[np.ndarray, "2 3"]
    solids: tuple[Solid, ...]
    materials: Materials
    light: Float64[np.ndarray, "3"]
    ambient: float
    exposure: Float64[np.ndarray, " frames"]
    noise_level: float

    def __len__(self) -> int:
        return len(self.times)

    @property
    def moving(self) -> Bool[np.ndarray, " solids"]:
        return np.array([solid.moving for solid in self.solids], dtype=bool)

    def select(self, frames: list[int]) -> "Scene":
        """The same scene at some of its frames, in the order given."""
        return replace(
            self,
            times=self.times[frames],
            camera_to_room=self.camera_to_room[frames],
            solids=tuple(replace(s, to_room=s.to_room[frames]) for s in self.solids),
            exposure=self.exposure[frames],
        )

    def freeze(self) -> "Scene":
        """The frozen look-alike: every solid stays where it is in the first frame."""
        start = [np.repeat(solid.to_room[:1], len(self), axis=0) for solid in self.solids]
        solids = tuple(
            replace(solid, to_room=pose, moving=False) for solid, pose in zip(self.solids, start)
        )
        return replace(self, solids=solids)


def sample_scene(seed: int, settings: SceneSettings) -> Scene:
    """Draws a scene; the same seed and settings give the same scene.

    Movers and static solids come from one distribution of shapes, sizes, places and materials;
    each solid moves with `mover_probability`, except in the scenes that are wholly static.
    """
    rng = np.random.default_rng(seed)
    times = np.arange(settings.frames) / settings.frames_per_second
    size = np.array([rng.uniform(4, 9), rng.uniform(2.6, 4.0), rng.uniform(4, 9)])
    room = np.stack([-size / 2, size / 2])
    camera = _camera_path(rng, settings, times, size)
    static = rng.random() < settings.static_scene_probability
    mover_probability = 0.0 if static else settings.mover_probability
    solids: list[Solid] = []
    for _ in range(int(rng.integers(settings.solids[0], settings.solids[1] + 1))):
        solid = _place_solid(rng, settings, times, room, camera, mover_probability)
        if solid is not None:
            solids.append(solid)
    focal = settings.width / 2 / np.tan(np.radians(rng.uniform(*settings.horizontal_fov)) / 2)
    intrinsics = np.array(
        [[focal, 0, settings.width / 2], [0, focal, settings.height / 2], [0, 0, 1]]
    )
    light = room[0] + size * np.array([rng.uniform(0.2, 0.8), 0.08, rng.uniform(0.2, 0.8)])
    return Scene(
        seed=seed,
        settings=settings,
        times=times,
        intrinsics=intrinsics,
        camera_to_room=camera,
        room=room,
        solids=tuple(solids),
        materials=_materials(rng, 6 + len(solids)),
        light=light,
        ambient=float(rng.uniform(0.4, 0.8)),
        exposure=rng.uniform(0.85, 1.35)
        * (1 + settings.exposure_jitter * rng.uniform(-1, 1, size=len(times))),
        noise_level=float(rng.uniform(*settings.noise_levels)),
    )


def _pose(rotation: Rotation, position: np.ndarray) -> np.ndarray:
    pose = np.tile(np.eye(4), (len(position), 1, 1))
    pose[:, :3, :3] = rotation.as_matrix()
    pose[:, :3, 3] = position
    return pose


def _wander(rng: np.random.Generator, times: np.ndarray, speed: float, axes: int) -> np.ndarray:
    """Smooth path from the origin: a straight part and a slow swing, `speed` units a second."""
    heading, swing = rng.standard_normal((2, axes))
    heading *= speed / np.linalg.norm(heading)
    swing *= speed / np.linalg.norm(swing)
    rate = rng.uniform(1.5, 5.0)
    phase = rng.uniform(0, 2 * np.pi)
    bend = (np.sin(rate * times + phase) - np.sin(phase)) / rate
    return heading * times[:, None] * 0.75 + 0.5 * swing * bend[:, None]


def _camera_path(
    rng: np.random.Generator, settings: SceneSettings, times: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """Starts off-centre, looks across the room; hand-held in that every axis wanders."""
    yaw = rng.uniform(-np.pi, np.pi)
    facing = np.array([np.sin(yaw), 0, np.cos(yaw)])
    start = -facing * size * rng.uniform(0.15, 0.38)
    start[1] = rng.uniform(-0.25, 0.2) * size[1]
    walk = _wander(rng, times, rng.uniform(*settings.camera_speed), 3) * [1.0, 0.4, 1.0]
    margin = 0.3
    position = np.clip(start + walk, -size / 2 + margin, size / 2 - margin)
    turn = _wander(rng, times, np.radians(rng.uniform(*settings.camera_turn_rate)), 3)
    pitch = rng.uniform(-0.25, 0.08)
    angles = np.stack([yaw + turn[:, 0], pitch + turn[:, 1], 0.3 * turn[:, 2]], axis=1)
    angles[:, 2] += rng.normal(0, 0.03)
    return _pose(Rotation.from_euler("YXZ", angles), position)


def _place_solid(
    rng: np.random.Generator,
    settings: SceneSettings,
    times: np.ndarray,
    room: np.ndarray,
    camera: np.ndarray,
    mover_probability: float,
) -> Solid | None:
    """A solid in front of the camera that never meets it; None where no place was found."""
    shape = Shape(int(rng.integers(len(Shape))))
    half_size = np.exp(rng.uniform(np.log(0.15), np.log(0.6), size=3))
    moving = bool(rng.random() < mover_probability)
    radius = float(np.linalg.norm(half_size))
    for _ in range(20):
        reach = rng.uniform(1.2, 6.0)
        aside = np.tan(np.radians(settings.horizontal_fov[0] * 0.5)) * rng.uniform(-1, 1)
        place = (camera[0] @ np.array([aside * reach, 0, reach, 1.0]))[:3]
        on_floor = rng.random() < 0.7
        place[1] = room[1, 1] - half_size[1] if on_floor else rng.uniform(*(room[:, 1] * 0.6))
        rotation = Rotation.from_euler(
            "YXZ", [rng.uniform(-np.pi, np.pi), *(0 if on_floor else 0.5) * rng.normal(size=2)]
        )
        path = np.tile(place, (len(times), 1))
        turn = np.zeros(len(times))
        if moving:
            speed = rng.uniform(*settings.mover_speed)
            path = path + _wander(rng, times, speed, 3) * [1.0, 0.0 if on_floor else 0.5, 1.0]
            turn = rng.normal(0, 1.0) * times
        span = np.abs(path).max(axis=0) + half_size.min()
        apart = np.linalg.norm(path - camera[:, :3, 3], axis=1).min()
        if (span[[0, 2]] < room[1, [0, 2]]).all() and apart > radius + 0.4:
            spin = Rotation.from_rotvec(turn[:, None] * [0.0, 1.0, 0.0])
            return Solid(shape, half_size, _pose(spin * rotation, path), moving)
    return None


def _materials(rng: np.random.Generator, surfaces: int) -> Materials:
    """Two colours of a hue each, mostly apart in brightness; some surfaces are nearly plain."""
    saturation = rng.uniform(0.1, 0.8, size=(surfaces, 1))
    colours = []
    for _ in range(2):
        colour = rng.random((surfaces, 3))
        grey = colour.mean(axis=1, keepdims=True)
        colours.append(grey + saturation * (colour - grey))
    dark, bright = 0.05 + 0.5 * colours[0], 0.3 + 0.65 * colours[1]
    contrast = np.where(rng.random((surfaces, 1)) < 0.15, 0.15, rng.uniform(0.5, 1.0))
    bright = dark + contrast * (bright - dark)
    return Materials(
        texture=rng.integers(TEXTURES, size=surfaces),
        texels_per_metre=np.exp(rng.uniform(np.log(15), np.log(60), size=surfaces)),
        offset=rng.uniform(0, TEXELS, size=(surfaces, 2)),
        dark=dark,
        bright=bright,
    )
