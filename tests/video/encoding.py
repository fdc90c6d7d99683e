"""Tiny videos, encoded in memory with PyAV."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
from jaxtyping import UInt8


def picture(index: int, width: int, height: int) -> UInt8[np.ndarray, "height width 3"]:
    """A smooth picture, different for every index, that survives lossy coding."""
    x, y = np.meshgrid(np.arange(width) / width, np.arange(height) / height)
    bright = [x, y, (x + y) / 2]
    waves = [0.5 + 0.5 * np.sin(6 * value + 0.7 * index + k) for k, value in enumerate(bright)]
    return np.round(255 * np.stack(waves, axis=-1)).astype(np.uint8)


@dataclass(frozen=True)
class Recipe:
    """How to encode a tiny video.

    Attributes:
        times_ms: presentation times; one frame each, 40 ms apart if not given.
        display: (counter-clockwise degrees, mirrored) for the display matrix.
        rate: frames a second that the header claims.
    """

    frames: int = 12
    width: int = 64
    height: int = 48
    container: str = "mp4"
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    options: dict[str, str] = field(default_factory=lambda: {"g": "5", "bf": "2"})
    container_options: dict[str, str] = field(default_factory=dict)
    times_ms: Sequence[int] | None = None
    display: tuple[float, bool] | None = None
    pixel_aspect: Fraction = Fraction(1)
    title: str = "tiny"
    rate: int = 25


def encode(recipe: Recipe) -> bytes:
    """The bytes of a video."""
    options = dict(recipe.options)
    if recipe.codec == "libx265":
        options |= {"x265-params": f"log-level=none:keyint={options.pop('g')}"}
    output = io.BytesIO()
    with av.open(
        output, "w", format=recipe.container, options=recipe.container_options
    ) as container:
        container.metadata["title"] = recipe.title
        stream = container.add_stream(recipe.codec, rate=recipe.rate, options=options)
        stream.width, stream.height = recipe.width, recipe.height
        stream.pix_fmt = recipe.pixel_format
        stream.codec_context.time_base = Fraction(1, 1000 if recipe.times_ms else recipe.rate)
        stream.codec_context.sample_aspect_ratio = recipe.pixel_aspect
        if recipe.display is not None:
            degrees, mirrored = recipe.display
            stream.set_display_rotation(degrees, hflip=mirrored)
        for index, pts in enumerate(recipe.times_ms or range(recipe.frames)):
            image = picture(index, recipe.width, recipe.height)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = pts, stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return output.getvalue()


def encode_audio(container: str = "wav", codec: str = "pcm_s16le") -> bytes:
    """A tenth of a second of silence."""
    output = io.BytesIO()
    with av.open(output, "w", format=container) as file:
        stream = file.add_stream(codec, rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate, frame.pts = 8000, 0
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return output.getvalue()
