"""FFmpeg's error messages, captured while a video is open."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import av
import av.logging

_lock = threading.Lock()
_listeners = 0
_before: tuple[int | None, bool] = (None, True)


@contextmanager
def ffmpeg_errors() -> Iterator[list[tuple[int, str, str]]]:
    """FFmpeg's errors of this thread as (level, origin, text), in a list that grows.

    FFmpeg has one log level for the whole process, off by default in PyAV: it is raised for the
    first listener and put back after the last. Listeners of one thread must nest.
    """
    _raise_level()
    try:
        with av.logging.Capture(local=True) as messages:
            yield messages
    finally:
        _restore_level()


def _raise_level() -> None:
    global _listeners, _before
    with _lock:
        if _listeners == 0:
            _before = (av.logging.get_level(), av.logging.get_skip_repeated())
            av.logging.set_level(av.logging.ERROR)
            # The same words about two videos in a row are two messages.
            av.logging.set_skip_repeated(False)
        _listeners += 1


def _restore_level() -> None:
    global _listeners
    with _lock:
        _listeners -= 1
        if _listeners == 0:
            level, skip_repeated = _before
            av.logging.set_level(level)
            av.logging.set_skip_repeated(skip_repeated)
