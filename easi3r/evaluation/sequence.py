"""A sequence with truth: what every reader of a data set gives, and every score takes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, UInt8

STILL, MOVING, VOID = 0, 1, 255
"""Values of a true motion mask; void pixels take no part in any score."""

ReadImage = Callable[[int], UInt8[np.ndarray, "height width 3"]]
ReadMotion = Callable[[int], UInt8[np.ndarray, "height width"] | None]
ReadDepth = Callable[[int], Float32[np.ndarray, "rows columns"] | None]
CountPixels = Callable[[int], int]


def no_motion(at: int) -> None:
    """The motion mask of a frame in a data set without any."""


def no_depth(at: int) -> None:
    """The depth of a frame in a data set without any."""


def no_pixels(at: int) -> int:
    """What a data set without a least true depth leaves out of the depth of a frame."""
    return 0


@dataclass(frozen=True)
class LeftOut:
    """Something of a sequence that cannot be used: a frame, a pose, a mask.

    Attributes:
        subject: the file or frame, as the data set names it.
        reason: why, in words.
    """

    subject: str
    reason: str


@dataclass(frozen=True)
class TrueSequence:
    """Frames of a sequence in order of time, and what is known about them; read when asked for.

    Attributes:
        name: unique in its data set; parts are joined by `/`.
        dataset: `davis`, `tum`, `adt`, `dycheck`, `sintel`, `bonn` or `real`.
        frame_names: of the frames, as the data set names them (stems of its images).
        pts_seconds: times, ascending; nominal where the data set has none.
        width, height: pixels of every image, upright.
        image: RGB of one frame, by its place in `frame_names`.
        motion: true mask of one frame at the image's size, of `STILL`, `MOVING` and `VOID`; None
            where the frame has no mask.
        depth: true z of one frame in the unit of the poses, 0 where unknown; of any size that
            shows the same picture as the image; None where the frame has none.
        camera_to_world: OpenCV axes; rows of NaN where the data set lost the camera; None without
            poses.
        intrinsics: pixels of the images; None without.
        depth_left_out: how many pixels of one frame's depth are nearer than the least true depth;
            `depth` holds 0 there.
        nothing_moves: the data set says that its scenes are still, so that every pixel of a frame
            without a mask is `STILL`.
        left_out: what could not be used, with the reasons.

    Raises:
        TruthError: by `image`, `motion` and `depth`: the file is missing, damaged or of a wrong
            size; names it and what to do.
    """

    name: str
    dataset: str
    frame_names: tuple[str, ...]
    pts_seconds: Float64[np.ndarray, " frames"]
    width: int
    height: int
    image: ReadImage
    motion: ReadMotion
    depth: ReadDepth
    camera_to_world: Float64[np.ndarray, "frames 4 4"] | None = None
    intrinsics: Float64[np.ndarray, "frames 3 3"] | None = None
    depth_left_out: CountPixels = no_pixels
    nothing_moves: bool = False
    left_out: tuple[LeftOut, ...] = ()

    def __len__(self) -> int:
        return len(self.frame_names)
