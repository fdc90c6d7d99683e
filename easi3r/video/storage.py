"""Opening URLs through fsspec; failures of storage are permanent or transient."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import fsspec
from fsspec import AbstractFileSystem

from easi3r.errors import Easi3RError, StorageUnavailableError, UnreadableURLError

_PERMANENT_ERRNOS = frozenset(
    {errno.EINVAL, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOSYS, errno.ENXIO, errno.EPERM}
)
_PERMANENT_TYPES = (
    FileNotFoundError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    ValueError,
    ImportError,
)
_TRANSIENT_STATUSES = frozenset({408, 425, 429})


def locate(url: str) -> tuple[AbstractFileSystem, str]:
    """The filesystem of a URL and the path in it. A plain path is local, whatever it contains.

    Raises:
        UnreadableURLError: no filesystem is known for the protocol.
    """
    if "://" not in url:  # fsspec would take "::" in a file name for chained URLs
        local = fsspec.filesystem("file")
        return local, str(local._strip_protocol(url))
    with storage_errors(url):
        try:
            filesystem, path = fsspec.url_to_fs(url)
        except (ValueError, ImportError) as error:
            remedy = "Give a path, or a URL that fsspec knows, such as s3://bucket/name"
            raise UnreadableURLError(url, f"no driver opens it ({error})", remedy) from error
    return filesystem, path


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Translates whatever a filesystem raises inside the block; wrap calls of storage only.

    Raises:
        UnreadableURLError: no such file, no permission, no such protocol; an HTTP 4xx.
        StorageUnavailableError: transient failures, that is all others: timeouts,
            broken connections, HTTP 5xx and 429, and what a storage library names in its own way.
    """
    try:
        yield
    except Easi3RError:
        raise
    except Exception as error:
        raise _translated(url, error) from error


def _translated(url: str, error: Exception) -> Easi3RError:
    *_, root = _chain(error)
    problem = f"{type(root).__name__}: {root}"
    if not any(_is_transient(cause) for cause in _chain(error)) and _is_permanent(error):
        remedy = "Check that it exists and that this machine may read it"
        return UnreadableURLError(url, f"cannot be read ({problem})", remedy)
    remedy = "Run again; if it persists, check the connection and the storage"
    return StorageUnavailableError(url, f"storage failed ({problem})", remedy)


def _chain(error: BaseException) -> Iterator[BaseException]:
    # Filesystems wrap: fsspec reports an HTTP 503 as FileNotFoundError from ClientResponseError.
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _is_transient(error: BaseException) -> bool:
    status = _http_status(error)
    if status is not None:
        return status >= 500 or status in _TRANSIENT_STATUSES
    return isinstance(error, TimeoutError | ConnectionError)


def _is_permanent(error: Exception) -> bool:
    status = _http_status(error)
    if status is not None:
        return 400 <= status < 500
    if isinstance(error, _PERMANENT_TYPES):
        return True
    return isinstance(error, OSError) and error.errno in _PERMANENT_ERRNOS


def _http_status(error: BaseException) -> int | None:
    status = getattr(error, "status", None)  # aiohttp
    if isinstance(status, int):
        return status
    response = getattr(error, "response", None)  # botocore
    if isinstance(response, dict):
        return response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return None


@runtime_checkable
class _BinaryFile(Protocol):
    """What filesystems open; fsspec's classes share no base with `typing.BinaryIO`."""

    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...
    def seekable(self) -> bool: ...


class StorageFile:
    """A file opened for reading whose failures are typed, also when FFmpeg is the one who reads.

    FFmpeg takes some failed reads for the end of the file: `failure` holds the error, and
    `raise_failure` raises it.
    """

    def __init__(self, url: str, file: _BinaryFile) -> None:
        self.url = url
        self._file = file
        self.failure: Easi3RError | None = None

    def read(self, size: int = -1) -> bytes:
        with self._remembered():
            return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        with self._remembered():
            return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return self._file.seekable()

    def readable(self) -> bool:
        return True

    def raise_failure(self) -> None:
        """Raises what storage failed with, if it did."""
        if self.failure is not None:
            raise self.failure

    @contextmanager
    def _remembered(self) -> Iterator[None]:
        try:
            with storage_errors(self.url):
                yield
        except Easi3RError as error:
            self.failure = error
            raise


@contextmanager
def open_file(url: str) -> Iterator[StorageFile]:
    """A URL opened for reading, closed on leaving.

    Raises:
        UnreadableURLError, StorageUnavailableError: as `storage_errors`.
    """
    filesystem, path = locate(url)
    with storage_errors(url):
        file = filesystem.open(path, "rb")
    try:
        yield StorageFile(url, file)
    finally:
        file.close()
