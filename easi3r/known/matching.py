"""Which frame of a video a row of a file is about: by its name, its place or its time."""

import posixpath
import re
from collections import Counter
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64, Int64

from easi3r.errors import KnownInputError
from easi3r.types import Video

TIME_TOLERANCE_SECONDS = 0.02
_ROUNDING_SECONDS = 1e-9
NO_ROW = -1

_NUMBER_REMEDY = (
    "Number images from 0 like the frames of the video (ffmpeg: -start_number 0), or give exactly"
    " one for every frame, numbered without a gap"
)


@runtime_checkable
class Matching(Protocol):
    """A rule that relates rows of a file to frames of a video."""

    def rows_of_frames(self, url: str, video: Video) -> Int64[np.ndarray, " frames"]:
        """The row of each frame of a video, `NO_ROW` where it has none.

        Args:
            url: of the file, for messages.

        Raises:
            KnownInputError: the rows are not those of this video.
        """
        ...


@dataclass(frozen=True)
class ByPlace:
    """Row i is frame i.

    Attributes:
        rows: how many there are.
        what: what they hold, for messages: `poses`.
    """

    rows: int
    what: str

    def rows_of_frames(self, url: str, video: Video) -> Int64[np.ndarray, " frames"]:
        """See `Matching`: one row for every frame, no more, no less."""
        if self.rows != len(video):
            problem = f"holds {self.rows} {self.what}, {video.url} has {len(video)} frames"
            raise KnownInputError(url, problem, "Give one row for each frame, in their order")
        return np.arange(self.rows)


@dataclass(frozen=True)
class ByNumber:
    """The number in a row's name is that of the frame.

    It is the last run of digits in the file's name before its extension: 12 of
    `cam1/frame_000012.png`. Frames count from 0. Where there is exactly one name for every frame,
    and their numbers have no gap, they are the frames in that order, whatever the first number is.
    """

    names: tuple[str, ...]

    def rows_of_frames(self, url: str, video: Video) -> Int64[np.ndarray, " frames"]:
        """See `Matching`."""
        numbers = np.array([_number_in(url, name) for name in self.names], np.int64)
        self._refuse_repeated(url, numbers)
        complete = len(numbers) == len(video) and np.ptp(numbers) == len(video) - 1
        frames = numbers - numbers.min() if complete else numbers
        outside = np.flatnonzero(frames >= len(video))
        if len(outside):
            row = outside[0]
            problem = (
                f"{self.names[row]!r} would be frame {frames[row]}, {video.url} has"
                f" {len(video)} frames, 0 to {len(video) - 1}"
            )
            raise KnownInputError(url, problem, _NUMBER_REMEDY)
        return _inverted(frames, len(video))

    def _refuse_repeated(self, url: str, numbers: Int64[np.ndarray, " rows"]) -> None:
        number, times = Counter(numbers.tolist()).most_common(1)[0]
        if times > 1:
            both = [name for name, n in zip(self.names, numbers, strict=True) if n == number][:2]
            problem = f"{both[0]!r} and {both[1]!r} both have the number {number}"
            raise KnownInputError(url, problem, "Give one for each frame")


@dataclass(frozen=True)
class ByTime:
    """A frame's row is the nearest in time, within `TIME_TOLERANCE_SECONDS`.

    Nearest in both ways: a row belongs to one frame at most, so that poses of a lower rate than
    the video's do not make the camera stand still.

    Attributes:
        seconds: ascending, on the clock of the video's presentation times.
    """

    seconds: Float64[np.ndarray, " rows"]

    def rows_of_frames(self, url: str, video: Video) -> Int64[np.ndarray, " frames"]:
        """See `Matching`."""
        if video.timestamps_derived:
            problem = f"is matched by time, and {video.url} has no usable timestamps of its own"
            remedy = "Give poses by number: KITTI, 7-Scenes, COLMAP, transforms.json or JSON"
            raise KnownInputError(url, problem, remedy)
        frames = video.pts_seconds
        rows = _nearest(self.seconds, frames)
        apart = np.abs(self.seconds[rows] - frames)
        of_rows = _nearest(frames, self.seconds)
        mutual = of_rows[rows] == np.arange(len(frames))
        matched = mutual & (apart <= TIME_TOLERANCE_SECONDS + _ROUNDING_SECONDS)
        if not matched.any():
            problem = (
                f"no row is within {TIME_TOLERANCE_SECONDS} s of a frame: its times run from"
                f" {self.seconds[0]:.3f} to {self.seconds[-1]:.3f} s, those of {video.url} from"
                f" {frames[0]:.3f} to {frames[-1]:.3f} s"
            )
            remedy = "Give times on the video's own clock (its presentation times, in seconds)"
            raise KnownInputError(url, problem, remedy)
        return np.where(matched, rows, NO_ROW)


def _number_in(url: str, name: str) -> int:
    stem = posixpath.splitext(posixpath.basename(name.replace("\\", "/")))[0]
    digits = re.findall("[0-9]+", stem)
    if not digits or len(digits[-1]) > 18:
        raise KnownInputError(url, f"{name!r} has no frame number in its name", _NUMBER_REMEDY)
    return int(digits[-1])


def _inverted(frames: Int64[np.ndarray, " rows"], length: int) -> Int64[np.ndarray, " frames"]:
    rows = np.full(length, NO_ROW, np.int64)
    rows[frames] = np.arange(len(frames))
    return rows


def _nearest(
    sorted_values: Float64[np.ndarray, " values"], wanted: Float64[np.ndarray, " wanted"]
) -> Int64[np.ndarray, " wanted"]:
    """Index of the value nearest to each wanted one; of two equally near the first."""
    after = np.clip(np.searchsorted(sorted_values, wanted), 1, max(len(sorted_values) - 1, 1))
    if len(sorted_values) == 1:
        return np.zeros(len(wanted), np.int64)
    before = after - 1
    nearer = wanted - sorted_values[before] <= sorted_values[after] - wanted
    return np.where(nearer, before, after)
