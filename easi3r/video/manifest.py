"""Manifests: tables whose column `url` names videos."""

import csv
import io
import json
import posixpath
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import pyarrow
import pyarrow.parquet

from easi3r.errors import SourceError
from easi3r.video.storage import StorageFile, open_file

_COLUMN = "url"


def is_manifest(source: str) -> bool:
    """Whether a name is that of a manifest: `.csv`, `.jsonl`, `.ndjson` or `.parquet`."""
    return _suffix(source) in _READERS


def manifest_urls(source: str) -> Iterator[str]:
    """The URLs of a manifest, in its order; relative ones are relative to its folder.

    The column is called `url`; others may stand beside it. CSV and JSON lines are UTF-8. Read a
    piece at a time: what is wrong with a later row shows when it is reached.

    Raises:
        SourceError: malformed, without the column, with an empty cell (named), or without rows.
        UnreadableURLError, StorageUnavailableError: it cannot be read.
    """
    row = 0
    with open_file(source) as file:
        try:
            cells = _READERS[_suffix(source)](io.BufferedReader(_Raw(file)))
            for row, url in enumerate(cells, start=1):
                if not isinstance(url, str) or not url.strip():
                    raise ValueError(f"row {row} has no {_COLUMN}")
                yield _resolved(url.strip(), source)
        except (ValueError, csv.Error, pyarrow.ArrowException) as error:
            raise SourceError(
                source,
                f"malformed manifest: {error}",
                f"Give every row a column `{_COLUMN}` with the URL or relative path of a video",
            ) from error
    if row == 0:
        raise SourceError(source, "the manifest has no rows", "List at least one video")


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


def _csv_cells(file: io.BufferedReader) -> Iterator[object]:
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    rows = csv.DictReader(text, strict=True, skipinitialspace=True)
    if _COLUMN not in (rows.fieldnames or ()):
        raise ValueError(f"its header {rows.fieldnames} has no column `{_COLUMN}`")
    for row in rows:
        yield row[_COLUMN]


def _json_cells(file: io.BufferedReader) -> Iterator[object]:
    for line in io.TextIOWrapper(file, "utf-8-sig", newline="\n"):
        if line.strip():
            row = json.loads(line)
            yield row.get(_COLUMN) if isinstance(row, dict) else None


def _parquet_cells(file: io.BufferedReader) -> Iterator[object]:
    table = pyarrow.parquet.ParquetFile(file)
    if _COLUMN not in table.schema_arrow.names:
        raise ValueError(f"its columns {table.schema_arrow.names} have no `{_COLUMN}`")
    for batch in table.iter_batches(columns=[_COLUMN]):
        yield from batch.column(0).to_pylist()


_READERS = {
    ".csv": _csv_cells,
    ".jsonl": _json_cells,
    ".ndjson": _json_cells,
    ".parquet": _parquet_cells,
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
