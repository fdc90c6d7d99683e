"""Which file names are those of video or audio."""

import mimetypes
import posixpath
from functools import cache

# Python's own table, without the system's files, is the same on every machine; it lacks these.
_MORE_SUFFIXES = """
    .264 .265 .asf .av1 .dv .f4v .flac .flv .h264 .h265 .hevc .ivf .m2ts .m2v .m4a .m4v .mj2 .mjpeg
    .mkv .mts .mxf .ogg .ogv .rm .rmvb .ts .vob .wma .wmv .y4m
"""


def is_audio_or_video(name: str) -> bool:
    """Whether a file's suffix has a media type video/* or audio/*, in any case."""
    suffix = posixpath.splitext(name)[1].lower()
    return suffix in _suffixes()


@cache
def _suffixes() -> frozenset[str]:
    standard = mimetypes.MimeTypes().types_map[1]
    media = [name for name, kind in standard.items() if kind.startswith(("video/", "audio/"))]
    return frozenset([*media, *_MORE_SUFFIXES.split()])
