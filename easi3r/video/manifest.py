"""Manifests: tables whose column `url` names videos, and others what is known of them."""

import csv
import io
import json
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import pyarrow
import pyarrow.parquet

from easi3r.errors import SourceError
from easi3r.knowledge import KnownInputs
from easi3r.video.storage import StorageFile, open_file

_COLUMN = "url"
_FILES = ("intrinsics", "poses", "motion_masks")
_METRIC = "metric"
_COLUMNS = (_COLUMN, *_FILES, _METRIC)
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class ManifestRow:
    """One video of a manifest.

    Attributes:
        known: cameras and masks that the row gives; None: it gives none.
    """

    url: str
    known: KnownInputs | None = None


def is_manifest(source: str) -> bool:
    """Whether a name is that of a manifest: `.csv`, `.jsonl`, `.ndjson` or `.parquet`."""
    return _suffix(source) in _READERS


def manifest_rows(source: str) -> Iterator[ManifestRow]:
    """The videos of a manifest, in its order; relative URLs are relative to its folder.

    The column of the videos is called `url`; `intrinsics`, `poses` and `motion_masks` name files or
    folders of what the user knows of them, `metric` (true or false) says that poses are in metres.
    An empty or missing cell, or null, gives nothing; other columns are left alone. CSV and JSON
    lines are UTF-8. Read a piece at a time: what is wrong with a later row shows when it is
    reached.

    Raises:
        SourceError: malformed, without the column, with a wrong cell (named), or without rows.
        UnreadableURLError, StorageUnavailableError: it cannot be read.
    """
    number = 0
    with open_file(source) as file:
        try:
            rows = _READERS[_suffix(source)](io.BufferedReader(_Raw(file)))
            for number, row in enumerate(rows, start=1):
                yield _parsed(row, number, source)
        except (ValueError, csv.Error, pyarrow.ArrowException) as error:
            raise SourceError(
                source,
                f"malformed manifest: {error}",
                f"Give every row a column `{_COLUMN}` with the URL or relative path of a video",
            ) from error
    if number == 0:
        raise SourceError(source, "the manifest has no rows", "List at least one video")


def _parsed(row: Mapping[str, object], number: int, source: str) -> ManifestRow:
    """Raises ValueError: what is wrong with which cell."""
    url = _location(row, _COLUMN, number, source)
    if url is None:
        raise ValueError(f"row {number} has no {_COLUMN}")
    files = {name: _location(row, name, number, source) for name in _FILES}
    metric = row.get(_METRIC)
    if isinstance(metric, str):
        metric = _TRUTHS.get(metric.strip().lower(), metric) if metric.strip() else None
    if metric not in (None, True, False):
        raise ValueError(f"row {number}: `{_METRIC}` is {metric!r}, neither true nor false")
    try:
        known = KnownInputs(**files, metric=bool(metric))
    except ValueError as error:
        raise ValueError(f"row {number}: `{_METRIC}` is set, but not `poses`") from error
    return ManifestRow(url, known or None)


def _location(row: Mapping[str, object], name: str, number: int, source: str) -> str | None:
    """A cell that names a file; None where it is empty."""
    cell = row.get(name)
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    if not isinstance(cell, str):
        raise ValueError(f"row {number}: `{name}` is {cell!r}, no path or URL")
    return _resolved(cell.strip(), source)


class _Raw(io.RawIOBase):
    """A storage file as Python's own readers and pyarrow want it."""

    def __init__(self, file: StorageFile) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any, /) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _csv_rows(file: io.BufferedReader) -> Iterator[Mapping[str, object]]:
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    rows = csv.DictReader(text, strict=True, skipinitialspace=True)
    if _COLUMN not in (rows.fieldnames or ()):
        raise ValueError(f"its header {rows.fieldnames} has no column `{_COLUMN}`")
    yield from rows


def _json_rows(file: io.BufferedReader) -> Iterator[Mapping[str, object]]:
    for line in io.TextIOWrapper(file, "utf-8-sig", newline="\n"):
        if line.strip():
            row = json.loads(line)
            yield row if isinstance(row, dict) else {}


def _parquet_rows(file: io.BufferedReader) -> Iterator[Mapping[str, object]]:
    table = pyarrow.parquet.ParquetFile(file)
    there = table.schema_arrow.names
    if _COLUMN not in there:
        raise ValueError(f"its columns {there} have no `{_COLUMN}`")
    for batch in table.iter_batches(columns=[name for name in _COLUMNS if name in there]):
        yield from batch.to_pylist()


_READERS = {
    ".csv": _csv_rows,
    ".jsonl": _json_rows,
    ".ndjson": _json_rows,
    ".parquet": _parquet_rows,
}


def _suffix(source: str) -> str:
    return posixpath.splitext(source.partition("::")[0])[1].lower()


def _resolved(url: str, manifest: str) -> str:
    if "://" in url or posixpath.isabs(url):
        return url
    if manifest.startswith(("http://", "https://")):
        return urljoin(manifest, url)
    protocol, separator, path = manifest.rpartition("://")
    return protocol + separator + posixpath.normpath(posixpath.join(posixpath.dirname(path), url))
