"""The frames of a sequence as a lossless video, written once: what the ordinary worker reads."""

import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.stream import VideoStream
from jaxtyping import Int64, UInt8

from easi3r.errors import UnwritableDestinationError
from easi3r.evaluation.sequence import TrueSequence

_FORMAT = 1  # of the record, and of the way in which frames are written
_TICK = Fraction(1, 1000)  # seconds; Matroska's
_CODEC = "ffv1"
_PIXELS = "bgr0"  # of FFV1's formats the one that holds RGB of 8 bits as it is
# One thread and a fixed number of slices: the same bytes on every machine, hence the same clip ids.
_OPTIONS = {"level": "3", "slices": "4", "threads": "1", "flags": "+bitexact"}

Image = UInt8[np.ndarray, "height width 3"]


def write_sequence_video(sequence: TrueSequence, folder: Path) -> Path:
    """Write `NAME.mkv`, exactly the frames' RGB, with its record `NAME.json` beside it.

    Frame i of the video is place i of the sequence. A video whose record names these very frames
    and times stays as it is, so that its annotation stays valid.

    Raises:
        TruthError: a frame cannot be read.
        UnwritableDestinationError: the folder cannot be written.
    """
    video = folder / f"{sequence.name}.mkv"
    record = folder / f"{sequence.name}.json"
    try:
        video.parent.mkdir(parents=True, exist_ok=True)
        if video.is_file() and _reads_as(record, sequence, video):
            return video
        digest = _FramesDigest()
        with _replaced(video) as path:
            _encode(digest.over(_images(sequence)), sequence, path)
        with _replaced(record) as path:
            path.write_text(json.dumps(_record(sequence, digest, video), indent=1))
    except OSError as error:
        remedy = "Give a folder that can be written with --out"
        raise UnwritableDestinationError(str(video), str(error), remedy) from error
    return video


class _FramesDigest:
    """SHA-256 of images that pass by."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()

    def over(self, images: Iterable[Image]) -> Iterator[Image]:
        for image in images:
            self._sha256.update(np.ascontiguousarray(image).data)
            yield image

    @property
    def hex(self) -> str:
        return self._sha256.hexdigest()


def _images(sequence: TrueSequence) -> Iterator[Image]:
    return (sequence.image(place) for place in range(len(sequence)))


def _record(sequence: TrueSequence, digest: _FramesDigest, video: Path) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "sequence": sequence.name,
        "dataset": sequence.dataset,
        "frame_names": list(sequence.frame_names),
        "ticks": _ticks(sequence).tolist(),
        "width": sequence.width,
        "height": sequence.height,
        "frames_sha256": digest.hex,
        "video_bytes": video.stat().st_size,
    }


def _reads_as(record: Path, sequence: TrueSequence, video: Path) -> bool:
    """Whether a record is that of these frames; reads every one of them."""
    try:
        values = json.loads(record.read_text())
    except (FileNotFoundError, ValueError):
        return False
    digest = _FramesDigest()
    for _ in digest.over(_images(sequence)):
        pass
    return bool(values == _record(sequence, digest, video))


def _ticks(sequence: TrueSequence) -> Int64[np.ndarray, " frames"]:
    """Times from the first frame on, in ticks, none twice."""
    seconds = sequence.pts_seconds - sequence.pts_seconds[0]
    order = np.arange(len(sequence))
    ticks = np.rint(seconds / float(_TICK)).astype(np.int64)
    return np.maximum.accumulate(ticks - order) + order


def _encode(images: Iterable[Image], sequence: TrueSequence, path: Path) -> None:
    muxing = {"fflags": "+bitexact"}
    with av.open(str(path), "w", format="matroska", options=muxing) as container:
        stream = container.add_stream(_CODEC, rate=1 / _TICK, options=dict(_OPTIONS))
        assert isinstance(stream, VideoStream)  # which follows from the codec
        stream.width, stream.height, stream.pix_fmt = sequence.width, sequence.height, _PIXELS
        stream.time_base = stream.codec_context.time_base = _TICK
        for tick, image in zip(_ticks(sequence).tolist(), images, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame = frame.reformat(format=_PIXELS)
            frame.pts, frame.time_base = tick, _TICK
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """A place to write a file that takes the name of another once it is whole."""
    beside = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
