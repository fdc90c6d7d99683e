"""`Window`: consecutive frames of a clip, with the requested variables."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from easi3r.errors import VariableNotReadError


@dataclass(frozen=True, eq=False)
class Window:
    """Consecutive frames of one clip, as stored.

    Every variable is an array whose first axis is time. One that was not read is no attribute of
    the window: it raises `VariableNotReadError`, which is an `AttributeError`.

    Attributes:
        clip_id: 32 hex digits.
        start: place of the first frame in the clip.
        values: the variables that were read, by name.
    """

    clip_id: str
    start: int
    values: Mapping[str, np.ndarray]

    @property
    def time(self) -> Float64[np.ndarray, " frames"]:
        """Presentation time, seconds from the start of the video."""
        return self._value("time")

    @property
    def frame_index(self) -> Int64[np.ndarray, " frames"]:
        """Number of the frame in the source video, from 0."""
        return self._value("frame_index")

    @property
    def dynamic_mask(self) -> Bool[np.ndarray, "frames height width"]:
        """True where something moves."""
        return self._value("dynamic_mask")

    @property
    def dynamic_mask_unrefined(self) -> Bool[np.ndarray, "frames height width"]:
        """The method's own mask, of clips whose masks a refiner made larger."""
        return self._value("dynamic_mask_unrefined")

    @property
    def dynamic_score(self) -> Float32[np.ndarray, "frames rows columns"]:
        """Motion score per token, 0 (static) to 1."""
        return self._value("dynamic_score")

    @property
    def depth(self) -> Float32[np.ndarray, "frames height width"]:
        """z in the camera, > 0, in the clip's unit of length."""
        return self._value("depth")

    @property
    def confidence(self) -> Float32[np.ndarray, "frames height width"]:
        """The network's, >= 1; 0 where another frame contradicts the pixel."""
        return self._value("confidence")

    @property
    def point_map(self) -> Float32[np.ndarray, "frames height width 3"]:
        """World coordinates of each pixel at its own time, in the clip's unit of length.

        Computed in float32 from depth, intrinsics and pose, closer to them than the rounded copy
        in storage; the planes of x, y and z lie apart in memory.
        """
        return self._value("point_map")

    @property
    def camera_to_world(self) -> Float64[np.ndarray, "frames 4 4"]:
        """Poses; OpenCV axes: x right, y down, z forward."""
        return self._value("camera_to_world")

    @property
    def intrinsics(self) -> Float64[np.ndarray, "frames 3 3"]:
        """Camera matrices, in pixels of the stored resolution."""
        return self._value("intrinsics")

    def _value(self, name: str) -> np.ndarray:
        try:
            return self.values[name]
        except KeyError:
            subject = f"{name} of a window of clip {self.clip_id}"
            remedy = f"Ask for it: variables={(*self.values, name)}"
            raise VariableNotReadError(subject, "was not read", remedy) from None
