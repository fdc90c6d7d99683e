"""A disk that is full, has no room for names, or turns read-only while a run writes to it.

A disk of its own, a tmpfs of a stated size: mounting one needs rights that not every machine gives.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.faults.boundaries import At, StopAt
from tests.faults.collection import Run, annotate, finish, start
from tests.faults.gate import Gate
from tests.faults.kills import count_steps, distinct_steps
from tests.faults.trial import Arena, Fault

ROOMY = "size=64m,nr_inodes=20000,rw"
_PAGE_BYTES = 4096
_SIZES = 20  # how many sizes of disk, from no room at all to just too little


class CannotMountError(Exception):
    """This machine mounts no tmpfs for this user; says what it answered."""


@dataclass(frozen=True)
class Disk:
    """An arena on a disk whose size can be changed."""

    arena: Arena
    mounted: Path

    def faults(self) -> Iterator[Fault]:
        """A disk with room for a part of a run, and one that turns read-only at each step."""
        before = os.statvfs(self.mounted)
        steps = count_steps(self.arena)
        after = os.statvfs(self.mounted)
        pages = (before.f_bfree - after.f_bfree) * after.f_bsize // _PAGE_BYTES
        names = before.f_ffree - after.f_ffree
        for room in _spread(pages):
            full = partial(self._fill, pages=room)
            yield Fault("disk full", f"room for {room} of {pages} pages", full)
        for room in _spread(names):
            full = partial(self._fill, names=room)
            yield Fault("disk full", f"room for {room} of {names} names", full)
        for number, step in distinct_steps(steps):
            if not step.startswith("os.fsync"):  # a file is open then, and the disk is busy
                yield Fault("disk turns read-only", step, partial(self._freeze, number=number))

    def _fill(self, run: Run, pages: int = 16000, names: int = 10000) -> bool:
        used = os.statvfs(self.mounted)
        room = (used.f_blocks - used.f_bfree) * used.f_bsize + pages * _PAGE_BYTES
        room_for_names = used.f_files - used.f_ffree + names
        _remount(self.mounted, f"size={room},nr_inodes={room_for_names}")
        try:
            return finish(start(annotate, run)) != 0
        finally:
            _remount(self.mounted, ROOMY)

    def _freeze(self, run: Run, number: int) -> bool:
        gate = Gate(run.folder / "gate").build()
        process = start(annotate, run, At(number, StopAt(gate)))
        stopped = gate.arrived(60) is not None
        frozen = _turned_read_only(self.mounted)
        try:
            gate.release()
            finish(process)
        finally:
            _remount(self.mounted, ROOMY)
        return stopped and frozen


def _spread(whole: int) -> list[int]:
    return sorted({whole * part // _SIZES for part in range(1, _SIZES)})


def _remount(mounted: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", mounted], check=True, capture_output=True)


def _turned_read_only(mounted: Path, attempts: int = 20) -> bool:
    """Whether the disk could be made read-only: not while a file of it is open for writing.

    Another thread than the one that stands still soon closes its own. But threads flush in any
    order, so that the step of this number may be a flush, whose file stays open as long.
    """
    for _ in range(attempts):
        try:
            _remount(mounted, "ro")
        except subprocess.CalledProcessError:
            time.sleep(0.1)
        else:
            return True
    return False


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """A tmpfs, and an arena on it; unmounted on leaving.

    Raises:
        CannotMountError: not on this machine.
    """
    mounted = folder / "disk"
    mounted.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", ROOMY, "tmpfs", str(mounted)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotMountError(getattr(error, "stderr", None) or str(error)) from error
    try:
        yield Disk(Arena(folder, str(mounted)), mounted)
    finally:
        subprocess.run(["umount", "--lazy", mounted], check=True)
