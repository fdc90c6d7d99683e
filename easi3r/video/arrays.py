"""Frames that are in memory already, taken as a video."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64
from PIL import Image

from easi3r.config import FrameFit
from easi3r.errors import NoFramesError, VideoError
from easi3r.types import ClipSpec, Frames, Video
from easi3r.video.decoding import Undistort
from easi3r.video.fitting import fit_size


@dataclass(frozen=True)
class ArrayVideo:
    """Frames and their times.

    Attributes:
        images: RGB, uint8, (frames, height, width, 3); upright, pixels square.
        pts_seconds: presentation times, ascending.

    Raises:
        VideoError: another type or shape, no frames, or not one ascending time for each.
    """

    images: np.ndarray  # checked by `__post_init__`, where users give them
    pts_seconds: Float64[np.ndarray, " frames"]

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.shape[1:][2:] != (3,):
            problem = f"{self.images.dtype} of shape {self.images.shape}"
            raise VideoError("frames", problem, "Give RGB, uint8, (frames, height, width, 3)")
        if not len(self.images):
            raise NoFramesError("frames", "there are none", "Give at least 3")
        if len(self.images) != len(self.pts_seconds):
            problem = f"{len(self.images)} images with {len(self.pts_seconds)} times"
            raise VideoError("frames", problem, "Give one time, in seconds, for each image")
        if not (np.diff(self.pts_seconds) > 0).all():
            raise VideoError("frames", "their times do not ascend", "Sort the images by time")

    @cached_property
    def video(self) -> Video:
        """The frames as `probe` would describe them; their fingerprint is that of their pixels."""
        height, width = self.images.shape[1:3]
        fingerprint = hashlib.sha256(str(self.images.shape).encode())
        fingerprint.update(np.ascontiguousarray(self.images).data)
        fingerprint.update(np.ascontiguousarray(self.pts_seconds).data)
        return Video(
            url=f"frames:{fingerprint.hexdigest()[:16]}",
            fingerprint=fingerprint.hexdigest(),
            size_bytes=self.images.nbytes,
            width=width,
            height=height,
            rotation_degrees=0,
            pixel_aspect=1.0,
            codec="rgb24",
            pts_seconds=self.pts_seconds,
        )

    def decode(
        self,
        spec: ClipSpec,
        long_side_px: int,
        patch_size: int,
        fit: FrameFit = "crop",
        undistort: Undistort | None = None,
    ) -> Frames:
        """The frames a clip reads, brought to size; see `easi3r.video.decode`.

        Raises:
            FrameSizeError: see `fit_size`.
        """
        height, width = self.images.shape[1:3]
        fitted = fit_size(width, height, 1.0, long_side_px, patch_size, fit)
        index = np.array(spec.frame_index, np.int64)
        images = (self.images[i] if undistort is None else undistort(self.images[i]) for i in index)
        return Frames(
            images=np.stack([fitted.apply(Image.fromarray(image)) for image in images]),
            pts_seconds=np.array(spec.pts_seconds, np.float64),
            frame_index=index,
            source_to_stored=fitted.source_to_stored,
            padding=fitted.padding,
        )
