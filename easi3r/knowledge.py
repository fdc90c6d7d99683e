"""What a user knows of a video beforehand: where it lies, and what it says of a clip's frames."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float64

_STILL_METRES = 1e-6  # a path of less is rounding


@dataclass(frozen=True)
class KnownInputs:
    """Where a user's own cameras and motion masks of one video lie. None: there are none.

    Attributes:
        intrinsics, poses: a file or folder of a format that `easi3r.known` reads, on any fsspec
            URL.
        metric: `poses` are in metres.
        motion_masks: a folder of masks, one an image.
        digest: SHA-256, hex, of what they say about the video; set once they are read.
    """

    intrinsics: str | None = None
    poses: str | None = None
    metric: bool = False
    motion_masks: str | None = None
    digest: str | None = None

    def __post_init__(self) -> None:
        if self.metric and self.poses is None:
            raise ValueError("only known poses can be metric")

    def __bool__(self) -> bool:
        return bool(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """Which of the inputs there are."""
        inputs = ("intrinsics", "poses", "motion_masks")
        return tuple(name for name in inputs if getattr(self, name) is not None)

    def with_paths(self, change: Callable[[str], str]) -> "KnownInputs":
        """The same inputs at changed paths."""
        intrinsics, poses, masks = (
            path if path is None else change(path)
            for path in (self.intrinsics, self.poses, self.motion_masks)
        )
        return replace(self, intrinsics=intrinsics, poses=poses, motion_masks=masks)


@dataclass(frozen=True)
class KnownCameras:
    """Cameras known beforehand, held fixed by the alignment. None: unknown, estimated.

    Attributes:
        intrinsics: per frame, in pixels of the stored resolution.
        camera_to_world: per frame; fixes the scale of the clip too.
        scale: `metric` where `camera_to_world` is in metres, else `arbitrary`.
    """

    intrinsics: Float64[np.ndarray, "frames 3 3"] | None = None
    camera_to_world: Float64[np.ndarray, "frames 4 4"] | None = None
    scale: Literal["arbitrary", "metric"] = "arbitrary"

    def __post_init__(self) -> None:
        if self.scale == "metric" and self.camera_to_world is None:
            raise ValueError("only known poses can make the scale metric")

    @property
    def annotated_scale(self) -> Literal["arbitrary", "metric"]:
        """The scale of a clip annotated with these: a camera that stands still gives none."""
        if self.camera_to_world is None:
            return "arbitrary"
        extent = np.ptp(self.camera_to_world[:, :3, 3], axis=0).max()
        return self.scale if extent > _STILL_METRES else "arbitrary"


@dataclass(frozen=True)
class LensDistortion:
    """The lens distortion that was taken out of a clip's frames before they were resized.

    Attributes:
        model: OpenCV's name of it.
        coefficients: in OpenCV's order.
    """

    model: str
    coefficients: tuple[float, ...]
