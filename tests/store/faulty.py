"""A file system that keeps objects in memory and fails on demand, for faults no disk gives."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

Fault = Callable[[str, bytes, str], bytes]


class FaultyFileSystem(MemoryFileSystem):
    """`fault(path, data, mode)` sees every write: it returns the bytes to store, or raises."""

    protocol = "faulty"
    fault: Fault
    answer_lost_at: str | None = None

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.removeprefix("faulty://"))

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: object) -> None:
        super().pipe_file(path, type(self).fault(path, value, mode), mode=mode, **kwargs)
        if self.answer_lost_at and self.answer_lost_at in path:
            raise TimeoutError("stored, and the response was lost")


class CarelessFileSystem(FaultyFileSystem):
    """Takes a create-only write for an ordinary one, as `rclone serve s3` does."""

    protocol = "careless"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.removeprefix("careless://"))

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: object) -> None:
        MemoryFileSystem.pipe_file(self, path, value, mode="overwrite", **kwargs)


def keep(path: str, data: bytes, mode: str) -> bytes:
    """No fault."""
    return data


FaultyFileSystem.fault = staticmethod(keep)
for implementation in (FaultyFileSystem, CarelessFileSystem):
    fsspec.register_implementation(implementation.protocol, implementation, clobber=True)


@contextmanager
def failing(fault: Fault = keep, answer_lost_at: str | None = None) -> Iterator[None]:
    """Install a fault for writes to `faulty://`."""
    FaultyFileSystem.fault = staticmethod(fault)
    FaultyFileSystem.answer_lost_at = answer_lost_at
    try:
        yield
    finally:
        FaultyFileSystem.fault = staticmethod(keep)
        FaultyFileSystem.answer_lost_at = None
