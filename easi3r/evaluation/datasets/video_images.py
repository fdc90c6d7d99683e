"""Frames of a video as the images of a sequence."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from easi3r.errors import TruthError
from easi3r.types import Video
from easi3r.video.orientation import Orientation
from easi3r.video.reader import open_video

_HELD_BYTES = 128 * 2**20
_FEWEST_HELD = 8


@dataclass(frozen=True)
class VideoImages:
    """Chosen frames of a video, upright and in RGB at the video's size, by their place.

    A frame that is not held is decoded from the video's beginning, with those after it, as many
    as 128 MiB hold: reading in order goes over the video once for each such batch. Once the last
    of them was read none is held.

    Attributes:
        numbers: of the chosen frames, ascending.

    Raises:
        TruthError: when called: the video no longer gives the frame.
        VideoError: see `easi3r.video.probe`.
    """

    video: Video
    numbers: tuple[int, ...]
    _held: dict[int, UInt8[np.ndarray, "height width 3"]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def __call__(self, at: int) -> UInt8[np.ndarray, "height width 3"]:
        number = self.numbers[at]
        if number not in self._held:
            self._held.clear()
            self._held.update(self._decoded(self.numbers[at : at + self._batch]))
        if number not in self._held:
            problem = f"it no longer gives frame {number}"
            raise TruthError(self.video.url, problem, "Restore the file")
        image = self._held[number]
        if at == len(self.numbers) - 1:
            self._held.clear()
        return image

    @property
    def _batch(self) -> int:
        return max(_FEWEST_HELD, _HELD_BYTES // (3 * self.video.width * self.video.height))

    def _decoded(self, numbers: tuple[int, ...]) -> dict[int, UInt8[np.ndarray, "height width 3"]]:
        wanted, images = set(numbers), {}
        with open_video(self.video.url) as reader:
            for number, frame in enumerate(reader.frames()):
                if number in wanted:
                    image = Image.fromarray(frame.to_ndarray(format="rgb24"))
                    images[number] = np.array(Orientation.of_frame(frame).apply(image))
                if number >= numbers[-1]:
                    break
        return images
