"""Decoding the frames of one clip, by their presentation timestamps."""

from collections.abc import Callable

import av
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from easi3r.config import FrameFit
from easi3r.errors import ChangedVideoError, FrameSizeError
from easi3r.types import ClipSpec, Frames
from easi3r.video.fitting import Fit, FrameSize, fit_size
from easi3r.video.orientation import Orientation
from easi3r.video.reader import VideoReader, open_video
from easi3r.video.timestamps import seconds_of

Undistort = Callable[[UInt8[np.ndarray, "height width 3"]], UInt8[np.ndarray, "height width 3"]]

# Containers without an index land anywhere near: the second try starts well before.
_SEEK_MARGINS_SECONDS = (0.0, 10.0)


def decode(
    spec: ClipSpec,
    long_side_px: int,
    patch_size: int,
    fit: FrameFit = "crop",
    undistort: Undistort | None = None,
) -> Frames:
    """The frames a clip reads, upright, in RGB, brought to the size that `fit_size` says.

    Decoding starts at the last keyframe before the clip; should the container seek past it, or to
    where frames cannot be decoded, it starts earlier, in the end at the beginning. Frames are
    recognised by their presentation time, never by counting from where a seek landed (a video
    without usable timestamps is counted from its beginning).

    Colours: swscale converts with the matrix and range that the stream declares (BT.601, limited
    where it declares nothing); deeper samples are rounded to 8 bits; HDR transfer curves (PQ, HLG)
    are not tone-mapped; interlaced frames are not split. Memory: the clip's stored frames and one
    frame of the video.

    Args:
        long_side_px: longer side of the stored frames, before cropping.
        patch_size: of the network; both sides of the stored frames are multiples of it.
        fit: see `easi3r.config.VideoSettings`.
        undistort: takes the lens distortion out of an upright frame, before it is resized; None:
            there is none, or nobody knows it.

    Raises:
        ChangedVideoError: the file no longer gives the frames that were planned.
        FrameSizeError: see `fit_size`.
        NotAVideoError, NoVideoStreamError: see `probe`.
        UnreadableURLError, StorageUnavailableError: see `probe`.
    """
    for start_seconds in _starts(spec):
        canvas = _Canvas(spec, FrameSize(long_side_px, patch_size, fit), undistort)
        with open_video(spec.video_url) as reader:
            if _fill(canvas, reader, start_seconds):
                return canvas.frames()
    raise ChangedVideoError(
        spec.video_url,
        f"it no longer gives {len(spec)} frames at {spec.pts_seconds[0]:.6f} s to"
        f" {spec.pts_seconds[-1]:.6f} s",
        "Restore the file that was planned, or plan it again",
    )


def _starts(spec: ClipSpec) -> list[float | None]:
    """Times to seek to, in the order to try them; None is the beginning."""
    if spec.timestamps_derived or spec.frame_index[0] == 0:
        return [None]
    return [*(spec.pts_seconds[0] - margin for margin in _SEEK_MARGINS_SECONDS), None]


def _fill(canvas: "_Canvas", reader: VideoReader, start_seconds: float | None) -> bool:
    """Puts the clip's frames on the canvas; False if decoding from there does not give them all."""
    if start_seconds is not None and not reader.seek(start_seconds):
        return False
    for number, frame in enumerate(reader.frames()):
        seconds = seconds_of(frame.pts, frame.time_base)
        if number == 0 and start_seconds is not None:
            # Frames before the first keyframe may lack what they refer to.
            landed_late = seconds > canvas.spec.pts_seconds[0]
            if landed_late or not frame.key_frame:
                return False
        canvas.offer(float(number) if canvas.spec.timestamps_derived else seconds, frame, reader)
        if canvas.complete:
            return True
    return False


class _Canvas:
    """The images of a clip, being filled in."""

    def __init__(self, spec: ClipSpec, size: FrameSize, undistort: Undistort | None) -> None:
        self.spec = spec
        self._size = size
        self._undistort = undistort
        keys = spec.frame_index if spec.timestamps_derived else spec.pts_seconds
        self._missing: dict[float, int] = {float(key): place for place, key in enumerate(keys)}
        self._fit: Fit | None = None
        self._images: UInt8[np.ndarray, "frames height width 3"] | None = None

    @property
    def complete(self) -> bool:
        return not self._missing

    def offer(self, key: float, frame: av.VideoFrame, reader: VideoReader) -> None:
        """Converts, orients and resizes a frame if the clip wants it."""
        place = self._missing.pop(key, None)
        if place is None:
            return
        orientation = Orientation.of_frame(frame)
        image = orientation.apply(Image.fromarray(frame.to_ndarray(format="rgb24")))
        if self._fit is None or self._images is None:
            self._fit = self._fitted(image, reader.pixel_aspect(orientation))
            shape = (len(self.spec), self._fit.height, self._fit.width, 3)
            self._images = np.empty(shape, np.uint8)
        if self._undistort is not None:
            image = Image.fromarray(self._undistort(np.asarray(image)))
        self._images[place] = self._fit.apply(image)

    def _fitted(self, image: Image.Image, pixel_aspect: float) -> Fit:
        try:
            width, height = image.size
            return fit_size(width, height, pixel_aspect, *self._size)
        except FrameSizeError as error:
            url = self.spec.video_url
            raise FrameSizeError(url, f"{error.subject}: {error.problem}", error.remedy) from error

    def frames(self) -> Frames:
        """The complete clip."""
        assert self._fit is not None
        assert self._images is not None
        return Frames(
            images=self._images,
            pts_seconds=np.array(self.spec.pts_seconds, np.float64),
            frame_index=np.array(self.spec.frame_index, np.int64),
            source_to_stored=self._fit.source_to_stored,
            padding=self._fit.padding,
        )
