"""Scenes: solids, light, camera, and the times of frames."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64

from easi3r.synthetic.materials import Materials
from easi3r.synthetic.object_motion import Fixed, Motion, chain
from easi3r.synthetic.scene_settings import SceneSettings
from easi3r.synthetic.sensor import Sensor
from easi3r.synthetic.shapes import Shape

NO_OBJECT = -1


@dataclass(frozen=True)
class Solid:
    """One rigid or stretching piece of an object.

    Attributes:
        half_size: metres along its own axes, before any stretch.
        motion: links whose product maps its own axes to the room's; the last acts first.
        material: row of the scene's materials.
        object_id: pieces that belong together share it.
        look_alike_of: the object that this one's object is a static twin of, else `NO_OBJECT`.
    """

    shape: Shape
    half_size: Float64[np.ndarray, "3"]
    motion: tuple[Motion, ...]
    material: int
    object_id: int = NO_OBJECT
    look_alike_of: int = NO_OBJECT

    @property
    def moving(self) -> bool:
        """Whether it moves, in every frame then; else its pose is constant."""
        return not all(isinstance(link, Fixed) for link in self.motion)

    def to_room(self, times: Float64[np.ndarray, " times"]) -> Float64[np.ndarray, "times 4 4"]:
        """Affine maps that carry its points, so between two times too: `b @ inv(a)`."""
        return chain(self.motion, times)

    def frozen(self, time: float) -> "Solid":
        """The same solid, static, in its pose of one instant."""
        return replace(self, motion=(Fixed(self.to_room(np.array([time]))[0]),))


@dataclass(frozen=True)
class Light:
    """One light: `position` in the room; `ambient` is the share of light without direction."""

    position: Float64[np.ndarray, "3"]
    ambient: float


@dataclass(frozen=True)
class Scene:
    """A room, or open ground in a very large one, with solids, seen by a camera; y points down.

    Attributes:
        times: of the frames: the middles of their exposures.
        intrinsics: principal point (W/2, H/2), pixel centres at integers.
        camera: its motion in the room, OpenCV axes.
        room: lowest and highest corner.
        structures: solids that are part of the room (columns, steps, distant buildings).
        solids: pieces of the objects.
    """

    seed: int
    settings: SceneSettings
    times: Float64[np.ndarray, " frames"]
    intrinsics: Float64[np.ndarray, "3 3"]
    camera: Motion
    room: Float64[np.ndarray, "2 3"]
    structures: tuple[Solid, ...]
    solids: tuple[Solid, ...]
    materials: Materials
    light: Light
    sensor: Sensor

    def __len__(self) -> int:
        return len(self.times)

    @property
    def moving(self) -> Bool[np.ndarray, " solids"]:
        return np.array([solid.moving for solid in self.solids], dtype=bool)

    @property
    def camera_to_room(self) -> Float64[np.ndarray, "frames 4 4"]:
        return self.camera.at(self.times)

    def select(self, frames: list[int]) -> "Scene":
        """The same scene at some of its frames, in the order of `frames`."""
        return replace(self, times=self.times[frames])

    def freeze(self) -> "Scene":
        """The frozen look-alike: every solid stays where it is in the first frame."""
        first = float(self.times[0])
        return replace(self, solids=tuple(solid.frozen(first) for solid in self.solids))

    def resized(self, height: int, width: int) -> "Scene":
        """The same view in other pixels; the longer side keeps its field of view."""
        settings = self.settings.model_copy(update={"height": height, "width": width})
        longer = max(self.settings.height, self.settings.width)
        focal = self.intrinsics[0, 0] * max(height, width) / longer
        return replace(self, settings=settings, intrinsics=pinhole(focal, height, width))


def pinhole(focal: float, height: int, width: int) -> Float64[np.ndarray, "3 3"]:
    """Square pixels, principal point in the middle; `focal` in pixels."""
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
