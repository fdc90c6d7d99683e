"""Bytes, text, JSON and listings of files that a user gave; what cannot be read is named."""

import json
import math
import posixpath
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from easi3r.errors import KnownInputError, UnreadableURLError
from easi3r.video.storage import StorageFile, locate, open_file, storage_errors


@contextmanager
def open_known(url: str) -> Iterator[StorageFile]:
    """A file opened for reading.

    Raises:
        KnownInputError: it does not exist, or this machine may not read it.
        StorageUnavailableError: storage fails for now.
    """
    with _known_input_errors(), open_file(url) as file:
        yield file


def read_bytes(url: str) -> bytes:
    """All bytes of a file; raises as `open_known`."""
    with open_known(url) as file:
        return file.read()


def read_lines(url: str) -> list[tuple[int, str]]:
    """Number (from 1) and text of every line of a text file.

    Raises:
        KnownInputError: as `open_known`, or it is no text.
    """
    try:
        text = read_bytes(url).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"is no text (byte {error.start})"
        raise KnownInputError(
            url, problem, "Give one of the formats of docs/known-inputs.md"
        ) from (error)
    return list(enumerate(text.splitlines(), 1))


def read_json(url: str) -> dict[str, Any]:
    """The object of a JSON file.

    Raises:
        KnownInputError: as `open_known`, or it is no JSON, or not an object.
    """
    try:
        value = json.loads(read_bytes(url))
    except (ValueError, RecursionError) as error:
        problem = f"is no JSON ({error})"
        raise KnownInputError(url, problem, "Check that the file is complete") from error
    if not isinstance(value, dict):
        problem = f"holds a JSON {type(value).__name__}, not an object"
        raise KnownInputError(url, problem, "Give one of the formats of docs/known-inputs.md")
    return value


def is_folder(url: str) -> bool:
    """Whether a URL is that of a folder; raises as `open_known`."""
    with _known_input_errors():
        filesystem, path = locate(url)
        with storage_errors(url):
            filesystem.invalidate_cache(path)  # a listing may be out of date
            return bool(filesystem.info(path)["type"] == "directory")


def names_in(url: str) -> tuple[str, ...]:
    """Names of a folder's entries, ascending, those of folders with a `/` behind.

    Raises as `open_known`.
    """
    with _known_input_errors():
        filesystem, path = locate(url)
        with storage_errors(url):
            entries = filesystem.ls(path, detail=True)
    names = (
        posixpath.basename(entry["name"].rstrip("/"))
        + ("/" if entry["type"] == "directory" else "")
        for entry in entries
        if entry["name"].rstrip("/") != path.rstrip("/")
    )
    return tuple(sorted(names))


def child(url: str, name: str) -> str:
    """The URL of an entry of a folder."""
    return f"{url.rstrip('/')}/{name}"


def parse_numbers(url: str, place: str, words: Sequence[object]) -> list[float]:
    """Finite numbers from words of a text file or values of a JSON one.

    Args:
        place: where they stand in the file, for messages: `line 7`.

    Raises:
        KnownInputError: one of them is no number, or not finite.
    """
    values = []
    for word in words:
        try:
            if isinstance(word, bool) or not isinstance(word, str | int | float):
                raise ValueError("no number")
            value = float(word)
        except (ValueError, OverflowError) as error:
            problem = f"{place}: {word!r} is no number"
            raise KnownInputError(url, problem, "Correct it, or leave the file out") from error
        if not math.isfinite(value):
            problem = f"{place}: holds {value}"
            remedy = "Give finite numbers, and leave out frames whose camera is not known"
            raise KnownInputError(url, problem, remedy)
        values.append(value)
    return values


@contextmanager
def _known_input_errors() -> Iterator[None]:
    """A file that is not there is a wrong input, like one that says what cannot be."""
    try:
        yield
    except UnreadableURLError as error:
        raise KnownInputError(error.subject, error.problem, error.remedy) from error
