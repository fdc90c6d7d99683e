"""Manifests: tables whose column `url` names videos."""

import csv
import io
import json
import posixpath
from collections.abc import Iterator
from urllib.parse import urljoin

import pyarrow
import pyarrow.parquet

from easi3r.errors import SourceError
from easi3r.video.storage import open_file

_COLUMN = "url"


def is_manifest(source: str) -> bool:
    """Whether a name is that of a manifest: `.csv`, `.jsonl`, `.ndjson` or `.parquet`."""
    return _suffix(source) in _READERS


def read_manifest(source: str) -> tuple[str, ...]:
    """The URLs of a manifest, in its order; relative ones are relative to its folder.

    The column is called `url`; others may stand beside it. CSV and JSON lines are UTF-8.

    Raises:
        SourceError: malformed, without the column, with an empty cell (named), or without rows.
        UnreadableURLError, StorageUnavailableError: it cannot be read.
    """
    with open_file(source) as file:
        content = file.read()
    urls: list[str] = []
    try:
        for row, url in enumerate(_READERS[_suffix(source)](content), start=1):
            if not isinstance(url, str) or not url.strip():
                raise ValueError(f"row {row} has no {_COLUMN}")
            urls.append(_resolved(url.strip(), source))
    except (ValueError, csv.Error, pyarrow.ArrowException) as error:
        raise SourceError(
            source,
            f"malformed manifest: {error}",
            f"Give every row a column `{_COLUMN}` with the URL or relative path of a video",
        ) from error
    if not urls:
        raise SourceError(source, "the manifest has no rows", "List at least one video")
    return tuple(urls)


def _csv_cells(content: bytes) -> Iterator[object]:
    text = io.StringIO(content.decode("utf-8-sig"), newline="")
    rows = csv.DictReader(text, strict=True, skipinitialspace=True)
    if _COLUMN not in (rows.fieldnames or ()):
        raise ValueError(f"its header {rows.fieldnames} has no column `{_COLUMN}`")
    for row in rows:
        yield row[_COLUMN]


def _json_cells(content: bytes) -> Iterator[object]:
    for line in content.decode("utf-8-sig").split("\n"):
        if line.strip():
            row = json.loads(line)
            yield row.get(_COLUMN) if isinstance(row, dict) else None


def _parquet_cells(content: bytes) -> Iterator[object]:
    table = pyarrow.parquet.ParquetFile(io.BytesIO(content))
    if _COLUMN not in table.schema_arrow.names:
        raise ValueError(f"its columns {table.schema_arrow.names} have no `{_COLUMN}`")
    yield from table.read(columns=[_COLUMN])[_COLUMN].to_pylist()


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
