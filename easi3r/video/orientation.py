"""Turning decoded frames the way their display matrix says."""

import math
from dataclasses import dataclass
from typing import cast

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type
from PIL import Image

_CLOCKWISE = {
    90: Image.Transpose.ROTATE_270,  # Pillow counts counter-clockwise
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Orientation:
    """What to do with a decoded frame to see it upright: mirror it (left-right), then turn it.

    Attributes:
        mirrored: mirror first.
        clockwise_degrees: then turn by 0, 90, 180 or 270; other angles are rounded to these.
    """

    mirrored: bool
    clockwise_degrees: int

    @classmethod
    def of_frame(cls, frame: av.VideoFrame) -> "Orientation":
        """The orientation of a frame by its display matrix; upright without one."""
        side_data = cast(SideDataContainer, frame.side_data)  # PyAV's stub says otherwise
        try:
            matrix = side_data[Type.DISPLAYMATRIX]
        except KeyError:
            return cls(mirrored=False, clockwise_degrees=0)
        # Row vectors, y down: (x, y) is shown at (a x + c y, b x + d y).
        a, b, _, c, d = np.frombuffer(bytes(matrix), dtype="=i4")[:5].tolist()
        mirrored = a * d - b * c < 0
        if mirrored:
            a, b = -a, -b
        quarter_turns = round(math.degrees(math.atan2(b, a)) / 90)
        return cls(mirrored=mirrored, clockwise_degrees=quarter_turns % 4 * 90)

    @property
    def swaps_sides(self) -> bool:
        """Width becomes height."""
        return self.clockwise_degrees in (90, 270)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of a frame once it is upright."""
        return (height, width) if self.swaps_sides else (width, height)

    def apply(self, image: Image.Image) -> Image.Image:
        """The frame as it is meant to be seen."""
        if self.mirrored:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if self.clockwise_degrees:
            image = image.transpose(_CLOCKWISE[self.clockwise_degrees])
        return image
