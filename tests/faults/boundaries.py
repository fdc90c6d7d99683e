"""Every step a process takes in a local dataset, counted; and something done at any one of them.

Python's own audit events tell of each change of the file system before it is made, whoever makes
it: what is on the disk after step k is what is there before step k + 1. Nothing of the product is
replaced. An audit hook stays until its process ends: use this in a process made for one run.
"""

import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.faults.gate import Gate

_CHANGES = {"os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Act(Protocol):
    """Action of a process just before a step; `descriptor` is of the file about to be flushed."""

    def __call__(self, descriptor: int | None) -> None: ...


def die(descriptor: int | None) -> None:
    """SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_half_written(descriptor: int | None) -> None:
    """SIGKILL with half of the file's bytes written."""
    if descriptor is not None:
        os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
    die(descriptor)


@dataclass(frozen=True)
class StopAt:
    """Stop at a gate."""

    gate: Gate

    def __call__(self, descriptor: int | None) -> None:
        self.gate.stop()


@dataclass(frozen=True)
class At:
    """Something to do before step number `step`, counted from 0."""

    step: int
    act: Act


@dataclass
class Boundaries:
    """Counts the steps below a folder, and can act before one of them."""

    folder: Path
    at: At | None = None
    steps: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def install(self) -> None:
        """Begin, for the rest of this process."""
        sys.addaudithook(self._hear)
        flush = os.fsync  # the one step of a writer without an audit event

        def fsync(descriptor: int) -> None:
            self._step("os.fsync", os.readlink(f"/proc/self/fd/{descriptor}"), descriptor)
            flush(descriptor)

        os.fsync = fsync

    def _hear(self, event: str, arguments: tuple) -> None:
        if event == "open" and isinstance(arguments[0], str) and arguments[2] & _WRITES:
            self._step("open", arguments[0])
        elif event in _CHANGES:
            self._step(event, _absolute(arguments))

    def _step(self, event: str, path: str, descriptor: int | None = None) -> None:
        try:
            below = Path(path).relative_to(self.folder)
        except ValueError:
            return
        with self._lock:
            number = len(self.steps)
            self.steps.append(f"{event} {below}")
        if self.at and number == self.at.step:
            self.at.act(descriptor)


def _absolute(arguments: tuple) -> str:
    """The path of an event; beside an open folder's descriptor, as rmtree gives it, made whole."""
    path = os.fsdecode(arguments[0])
    folder = arguments[-1]
    if os.path.isabs(path) or not isinstance(folder, int) or folder < 0:
        return path
    return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)
