"""Probing: what a video file holds, by decoding it."""

import hashlib
import logging

import av

from easi3r.config import ShotSettings
from easi3r.errors import EmptyFileError, NoFramesError, VideoError
from easi3r.types import Video
from easi3r.video.orientation import Orientation
from easi3r.video.reader import VideoReader, open_video
from easi3r.video.shots import CutFinder
from easi3r.video.storage import open_file
from easi3r.video.timestamps import ascending_times, seconds_of

logger = logging.getLogger(__name__)

_HASH_BLOCK_BYTES = 1 << 20


def probe(url: str, shots: ShotSettings | None = None) -> Video:
    """Decodes a whole video once; describes the frames that come out, whatever its header claims.

    The file is read twice, once to hash its bytes and once to decode them, one block and one frame
    in memory at a time. Times are the container's presentation timestamps in seconds, not shifted
    to zero; where they are missing or do not ascend, see `timestamps.ascending_times` (and
    `Video.timestamps_derived`). A mirrored display matrix is applied too, before the rotation.

    Args:
        shots: how to detect cuts, while decoding; None: no shot detection.

    Raises:
        UnreadableURLError: no such file, or no permission.
        EmptyFileError: no bytes.
        NotAVideoError: no demuxer recognises the bytes.
        NoVideoStreamError: audio only, say, or of an unknown codec.
        NoFramesError: not one frame decodes.
        VideoError: neither timestamps nor a frame rate.
        StorageUnavailableError: a transient failure of storage.
    """
    fingerprint, size_bytes = hash_content(url)
    if size_bytes == 0:
        raise EmptyFileError(url, "it holds no bytes", "Copy or download it again")
    first: av.VideoFrame | None = None
    pts: list[float] = []
    dts: list[float] = []
    finder = None if shots is None else CutFinder(shots)
    with open_video(url) as reader:
        for frame in reader.frames():
            first = first or frame
            if finder is not None:
                finder.see(frame)
            pts.append(seconds_of(frame.pts, frame.time_base))
            dts.append(seconds_of(frame.dts, frame.time_base))
        if first is None:
            words = reader.skipped[-1] if reader.skipped else "the stream is empty"
            problem = f"not one frame decodes ({words})"
            raise NoFramesError(url, problem, "Copy or encode it again, or leave it out")
        if reader.skipped:
            logger.warning(
                "%s: %d packets before the first frame do not decode (%s)",
                url,
                len(reader.skipped),
                reader.skipped[0],
            )
        try:
            times, derived = ascending_times(pts, dts, _frame_seconds(reader))
        except ValueError as error:
            remedy = "Write it anew into a container with timestamps, MP4 for example"
            raise VideoError(url, f"it gives {error}", remedy) from error
        orientation = Orientation.of_frame(first)
        width, height = orientation.size(first.width, first.height)
        return Video(
            url=url,
            fingerprint=fingerprint,
            size_bytes=size_bytes,
            width=width,
            height=height,
            rotation_degrees=orientation.clockwise_degrees,
            pixel_aspect=reader.pixel_aspect(orientation),
            codec=reader.stream.codec_context.codec.canonical_name,
            pts_seconds=times,
            stream_break=reader.stream_break,
            timestamps_derived=derived,
            cuts=() if finder is None else finder.cuts(),
        )


def hash_content(url: str) -> tuple[str, int]:
    """SHA-256, hex, and length of a file's bytes.

    Raises:
        UnreadableURLError, StorageUnavailableError: it cannot be read, or not now.
    """
    sha256 = hashlib.sha256()
    size_bytes = 0
    with open_file(url) as file:
        while block := file.read(_HASH_BLOCK_BYTES):
            sha256.update(block)
            size_bytes += len(block)
    return sha256.hexdigest(), size_bytes


def _frame_seconds(reader: VideoReader) -> float | None:
    rate = reader.stream.average_rate or reader.stream.guessed_rate
    return float(1 / rate) if rate else None
