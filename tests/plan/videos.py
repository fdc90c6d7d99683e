"""Tiny videos for planning: milliseconds to make and to probe, each with bytes of its own."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from tests.video.encoding import Recipe, encode

CONTENT = encode(Recipe(frames=12))


def write_videos(folder: Path, count: int, first: int = 0) -> list[str]:
    """`count` videos of 12 frames; they differ in a box that players skip."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [folder / f"{number:06}.mp4" for number in range(first, first + count)]
    for number, name in enumerate(names, first):
        name.write_bytes(unique_video(number))
    return [str(name) for name in names]


def unique_video(number: int, content: bytes = CONTENT) -> bytes:
    """The same frames in a file of other bytes: an MP4 `free` box with the number behind it."""
    return content + (16).to_bytes(4) + b"free" + number.to_bytes(8)


def write_cut_video(path: Path, lengths: Sequence[int]) -> Path:
    """A video that cuts between darkness and light, each for so many frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number, frames in enumerate(lengths):
            image = np.full((48, 64, 3), 40 + 170 * (number % 2), np.uint8)
            for _ in range(frames):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path
