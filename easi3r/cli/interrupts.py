"""Ctrl-C in a long command: the first ends it in order and says so, the second at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def on_first_interrupt(callback: Callable[[], None]) -> Iterator[None]:
    """The first SIGINT in the block calls back and raises KeyboardInterrupt; the next kills.

    For the main thread, the only one that Python lets handle signals.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        callback()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
