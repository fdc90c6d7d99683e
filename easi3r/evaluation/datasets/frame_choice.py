"""Which frames of a sequence are read."""

from dataclasses import dataclass
from typing import Literal

from easi3r.errors import SettingsError

Stride = Literal["paper"] | int
"""Frames from one to the next, over the whole sequence; `paper`: the frames of the paper."""

_LARGEST_STRIDE = 5  # a sixth of a second at 30 Hz: views of a hand-held camera still overlap


def strided(frames: int, stride: Stride, paper: slice) -> list[int]:
    """Numbers of the frames that are read.

    Args:
        frames: number of frames of the sequence.
        paper: those that the paper reads.

    Raises:
        SettingsError: a stride below 1.
    """
    if stride == "paper":
        return list(range(frames)[paper])
    if stride < 1:
        raise SettingsError("stride", f"{stride} is below 1", "Choose 1 or more")
    return list(range(0, frames, stride))


@dataclass(frozen=True)
class FrameChoice:
    """Which frames of a sequence are read: `frames` of them from the first on, `stride` apart.

    Attributes:
        frames: number of frames, at least 2: the network sees pairs.
        stride: frames from one to the next, at least 1; None spreads them over the whole
            sequence, 5 frames apart at most.

    Raises:
        SettingsError: fewer than 2 frames, or a stride below 1.
    """

    frames: int = 16
    stride: int | None = None

    def __post_init__(self) -> None:
        if self.frames < 2:
            raise SettingsError("frames", f"{self.frames} make no pair", "Choose 2 frames or more")
        if self.stride is not None and self.stride < 1:
            raise SettingsError("stride", f"{self.stride} is below 1", "Choose 1 or more")

    def stride_of(self, length: int) -> int:
        """The stride in a sequence of some length."""
        if self.stride is not None:
            return self.stride
        return min(max(1, (length - 1) // (self.frames - 1)), _LARGEST_STRIDE)

    def of(self, length: int) -> list[int]:
        """Numbers of the frames in a sequence of some length."""
        return list(range(0, length, self.stride_of(length)))[: self.frames]
