"""Errors of storage drivers translated into those of `easi3r.errors`: permanent or transient."""

import errno
import functools
import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from easi3r.errors import (
    DestinationFullError,
    StorageUnavailableError,
    UnreadableURLError,
    UnwritableDestinationError,
)

_TRANSIENT = {
    errno.EAGAIN,
    errno.EBUSY,
    errno.EIO,
    errno.EREMOTEIO,
    errno.ESTALE,
    errno.ETIMEDOUT,
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
}
_FULL = {errno.ENOSPC, errno.EDQUOT}
# S3 answers these with 400: the body was cut or changed on its way.
_TRANSIENT_CODES = {
    "BadDigest",
    "IncompleteBody",
    "RequestTimeout",
    "XAmzContentChecksumMismatch",
    "XAmzContentSHA256Mismatch",
}
_TRANSIENT_STATUSES = {408, 409, 425, 429}
_NOT_IMPLEMENTED = 501
_RETRY = "Run again once the storage answers; committed clips are kept"


@functools.cache
def _connection_errors() -> tuple[type[Exception], ...]:
    """Errors of S3 drivers that are no OSError; imported on the first error, since that is slow."""
    from aiohttp import ClientError
    from botocore.exceptions import ConnectionError as BotoConnectionError
    from botocore.exceptions import HTTPClientError
    from botocore.parsers import ResponseParserError

    broken = (http.client.HTTPException, EOFError, ResponseParserError)
    return (ClientError, BotoConnectionError, HTTPClientError, *broken)


@functools.cache
def _driver_errors() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError

    return (OSError, BotoCoreError, ClientError, *_connection_errors())


def _is_transient(error: Exception) -> bool:
    if isinstance(error, (ConnectionError, TimeoutError, *_connection_errors())):
        return True
    return _is_transient_response(error) or (
        isinstance(error, OSError) and error.errno in _TRANSIENT
    )


def _is_transient_response(error: Exception) -> bool:
    """By the response of the S3 server, whatever error the driver made of it."""
    response = _response(error)
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status in _TRANSIENT_STATUSES or (status >= 500 and status != _NOT_IMPLEMENTED):
        return True
    return response.get("Error", {}).get("Code") in _TRANSIENT_CODES


def _response(error: Exception) -> dict[str, Any]:
    """The response as botocore parsed it; s3fs raises errors of its own from botocore's."""
    return getattr(error, "response", None) or getattr(error.__cause__, "response", None) or {}


def _is_precondition_failure(error: Exception) -> bool:
    """Some S3 servers answer 412 without naming the header, which s3fs takes for a bad request."""
    return _response(error).get("Error", {}).get("Code") in {"PreconditionFailed", "412"}


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _remedy(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "Grant this user write access there, or choose another destination"
    if isinstance(error, FileNotFoundError):
        return "Create the bucket or the parent folder first, or correct the URL"
    if isinstance(error, OSError) and error.errno in _FULL:
        return "Free some space there, or choose another destination"
    return "Choose a destination that takes new files, or correct the URL and its credentials"


@contextmanager
def writing(subject: str) -> Iterator[None]:
    """Translate errors of storage drivers inside the block; `FileExistsError` is left as it is.

    Args:
        subject: what the typed error is about, a URL.

    Raises:
        UnwritableDestinationError: a permanent failure: permission, no such bucket.
        DestinationFullError: no room left.
        StorageUnavailableError: a transient failure.
    """
    try:
        yield
    except FileExistsError:
        raise
    except _driver_errors() as error:
        if _is_precondition_failure(error):
            raise FileExistsError(errno.EEXIST, "already exists", subject) from error
        if _is_transient(error):
            raise StorageUnavailableError(subject, _describe(error), _RETRY) from error
        problem = f"cannot be written ({_describe(error)})"
        if isinstance(error, OSError) and error.errno in _FULL:
            raise DestinationFullError(subject, problem, _remedy(error)) from error
        raise UnwritableDestinationError(subject, problem, _remedy(error)) from error


@contextmanager
def reading(subject: str) -> Iterator[None]:
    """Translate errors of storage drivers inside the block; `FileNotFoundError` is left as it is.

    Args:
        subject: what the typed error is about, a URL.

    Raises:
        UnreadableURLError: a permanent failure.
        StorageUnavailableError: a transient failure.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except (NotADirectoryError, IsADirectoryError) as error:
        raise FileNotFoundError(errno.ENOENT, "no such object", subject) from error
    except _driver_errors() as error:
        if _is_transient(error):
            raise StorageUnavailableError(subject, _describe(error), _RETRY) from error
        problem = f"cannot be read ({_describe(error)})"
        remedy = "Correct the URL, or give this machine access to it"
        raise UnreadableURLError(subject, problem, remedy) from error
