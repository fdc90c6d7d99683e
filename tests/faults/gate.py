"""A meeting of two processes at a stated point, by FIFOs: without sleeps or timeouts that guess."""

import os
import select
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Gate:
    """Where one process stops, tells another that it has, and waits to be let through.

    Only the first to arrive stops: whoever comes later, say a worker started in place of a killed
    one, passes.
    """

    folder: Path

    def build(self) -> "Gate":
        """Make it; once, by whoever will wait for the arrival."""
        self.folder.mkdir(parents=True)
        os.mkfifo(self._arrival)
        os.mkfifo(self._release)
        return self

    @property
    def _arrival(self) -> Path:
        return self.folder / "arrival"

    @property
    def _release(self) -> Path:
        return self.folder / "release"

    def stop(self) -> None:
        """Called by the process that is to stop here."""
        try:
            os.close(os.open(self.folder / "taken", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        release = os.open(self._release, os.O_RDONLY | os.O_NONBLOCK)  # before anyone can release
        try:
            self._arrival.write_text(str(os.getpid()))
            select.select([release], [], [])
        finally:
            os.close(release)

    def arrived(self, seconds: float = 300) -> int | None:
        """Wait until a process stops here: its id; None if none came in time."""
        descriptor = os.open(self._arrival, os.O_RDONLY | os.O_NONBLOCK)
        try:
            ready, _, _ = select.select([descriptor], [], [], seconds)
            return int(os.read(descriptor, 32)) if ready else None
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """Let it through, if it still lives."""
        try:
            os.close(os.open(self._release, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return  # nobody waits any more: it was killed
