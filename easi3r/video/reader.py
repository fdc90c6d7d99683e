"""One open video: its stream, and the intact frames that decoding it gives."""

from collections.abc import Iterator
from contextlib import contextmanager

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from easi3r.errors import NotAVideoError, NoVideoStreamError
from easi3r.video.messages import ffmpeg_errors
from easi3r.video.orientation import Orientation
from easi3r.video.storage import StorageFile, open_file

# Scripts that FFmpeg plays (concat lists, HLS, SDP) must not reach files or hosts of their choice.
_NO_OTHER_FILES = {"protocol_whitelist": "none"}


class VideoReader:
    """Decodes one video stream, forwards, one frame at a time.

    Attributes:
        stream: the video stream that is read.
        stream_break: why the frames ended too early; None while they last and if they ended well.
        skipped: why decoding failed, for each failure before the first intact frame.
    """

    def __init__(
        self,
        file: StorageFile,
        container: InputContainer,
        stream: VideoStream,
        messages: list[tuple[int, str, str]],
    ) -> None:
        self.stream = stream
        self.stream_break: str | None = None
        self.skipped: list[str] = []
        self._file = file
        self._container = container
        self._messages = messages

    def pixel_aspect(self, orientation: Orientation) -> float:
        """Width of a displayed pixel over its height, once frames are upright."""
        declared = float(self.stream.sample_aspect_ratio or 1)
        return 1 / declared if orientation.swaps_sides else declared

    def seek(self, seconds: float) -> bool:
        """Goes to a keyframe at or before a time, or nearby; False if this container cannot."""
        if not self._file.seekable() or self.stream.time_base is None:
            return False
        try:
            self._container.seek(round(seconds / self.stream.time_base), stream=self.stream)
        except av.FFmpegError:
            self._file.raise_failure()
            return False
        return True

    def frames(self) -> Iterator[av.VideoFrame]:
        """Frames in presentation order, up to the end or to where the stream breaks.

        It breaks where the decoder or the demuxer raises, where the decoder marks a frame as
        damaged, where the frame size changes, and where the demuxer reports an error at the end
        (a truncated file). What fails at the start is skipped (and counted) up to the next intact
        keyframe: recordings often start between keyframes, and so does decoding after a seek.

        Raises:
            StorageUnavailableError, UnreadableURLError: reading failed.
        """
        size: tuple[int, int] | None = None
        for decoded in self._decoded():
            failure = decoded if isinstance(decoded, str) else self._failure(decoded, size)
            if isinstance(decoded, av.VideoFrame) and failure is None:
                size = (decoded.width, decoded.height)
                yield decoded
            elif size is not None:
                self.stream_break = failure
                return
            else:
                self.skipped.append(failure or "")
        self._file.raise_failure()

    def _decoded(self) -> Iterator[av.VideoFrame | str]:
        """Frames, and in their place the words of what failed."""
        packets = self._container.demux(self.stream)
        while True:
            self._messages.clear()
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                complaint = self._complaint_of(self._container.format.name)
                if packet.size == 0 and packet.dts is None and complaint:
                    # At the end, about the end. What the decoder still holds has holes.
                    yield complaint
                    return
                frames = packet.decode()
            except av.FFmpegError as error:
                self._file.raise_failure()
                yield self._with_complaint(str(error.strerror))
            else:
                yield from frames

    def _failure(self, frame: av.VideoFrame, size: tuple[int, int] | None) -> str | None:
        if frame.is_corrupt:
            return self._with_complaint("Damaged frame")
        if size is None and self.skipped and not frame.key_frame:
            return "Frame that may refer to a damaged one"
        if size not in (None, (frame.width, frame.height)):
            return f"Frame size changes from {size} to {(frame.width, frame.height)}"
        return None

    def _with_complaint(self, words: str) -> str:
        complaint = self._complaint_of(self.stream.codec_context.name)
        return f"{words} ({complaint})" if complaint else words

    def _complaint_of(self, origin: str) -> str | None:
        texts = [text for _, name, text in self._messages if name == origin]
        return f"{origin}: {texts[-1].strip()}" if texts else None


@contextmanager
def open_video(url: str) -> Iterator[VideoReader]:
    """The video stream of a file, ready to be decoded; closed on leaving.

    Of several video streams the container's default is taken; cover pictures are not videos.

    Raises:
        NotAVideoError: no demuxer recognises the bytes.
        NoVideoStreamError: no video stream, or of a codec that this FFmpeg cannot decode.
        UnreadableURLError, StorageUnavailableError: reading failed.
    """
    with open_file(url) as file, ffmpeg_errors() as messages:
        try:
            container = av.open(file, "r", metadata_errors="replace", options=_NO_OTHER_FILES)
        except av.FFmpegError as error:
            file.raise_failure()
            words = ": ".join([str(error.strerror), *(text.strip() for *_, text in messages[-1:])])
            raise NotAVideoError(
                url,
                f"FFmpeg cannot open it ({words})",
                "Check that it is a complete video file; a manifest ends in .csv, .jsonl,"
                " .ndjson or .parquet",
            ) from error
        with container:
            file.raise_failure()
            yield VideoReader(file, container, _video_stream(url, container), messages)


def _video_stream(url: str, container: InputContainer) -> VideoStream:
    pictures = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [stream for stream in container.streams.video if not stream.disposition & pictures]
    if not streams:
        kinds = ", ".join(stream.type for stream in container.streams) or "none"
        problem = f"it holds no video stream (streams: {kinds})"
        raise NoVideoStreamError(url, problem, "Leave it out of the collection")
    stream = max(streams, key=lambda stream: bool(stream.disposition & Disposition.default))
    if stream.codec_context is None:
        problem = "this FFmpeg has no decoder for its video stream"
        raise NoVideoStreamError(url, problem, "Transcode it, to H.264 for example")
    return stream
