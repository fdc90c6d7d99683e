"""The index: one Parquet row per committed result, rebuilt from the commit records at any time.

`index/<2 hex>.parquet` holds the results of the clips whose id begins so. A part is rewritten whole
when the names it holds are not those that are committed, so updates may be repeated, killed, or
run at once: what one misses, the next brings. Nothing but listings depends on it.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from easi3r.errors import CorruptClipError
from easi3r.store.commits import CommitRecord, parse_record
from easi3r.store.files import Files, files_at
from easi3r.store.findings import Finding, Kind
from easi3r.store.read import open_dataset
from easi3r.store.result_set import ResultSet, commit_prefixes, committed_names_of, pack_names
from easi3r.store.schema import COMMITS, INDEX, PREFIX, result_name
from easi3r.store.threads import in_threads

_LOGGER = logging.getLogger(__name__)
_VERSION = b"2"  # of the columns; parts of a version that is not read are written anew
_READ = {b"1", _VERSION}  # 1 had no trust
_TEXT, _COUNT, _NUMBER = pa.string(), pa.int64(), pa.float64()
OF_RECORDS = pa.schema(
    [
        ("clip_id", _TEXT),
        ("result_id", _TEXT),
        ("video_url", _TEXT),
        ("video_fingerprint", _TEXT),
        ("owned_start", _COUNT),
        ("owned_stop", _COUNT),
        ("start_seconds", _NUMBER),
        ("stop_seconds", _NUMBER),
        ("frames", _COUNT),
        ("height", _COUNT),
        ("width", _COUNT),
        ("scale", _TEXT),
        ("weights_name", _TEXT),
        ("weights_sha256", _TEXT),
        ("weights_licence", _TEXT),
        ("code_version", _TEXT),
        ("settings_digest", _TEXT),
        ("device", _TEXT),
        ("stream_break", _TEXT),
        ("degraded", pa.list_(_TEXT)),
        ("trust", _NUMBER),
        ("trust_reasons", pa.list_(_TEXT)),
        ("trust_calibration", _COUNT),
        ("bytes", _COUNT),
        ("path", _TEXT),
        ("committed_at", pa.timestamp("us", tz="UTC")),
        ("newest", pa.bool_()),  # of the results of its clip
    ]
)
# Figures of the alignment have a column in every part, others only where a clip has them.
FIGURES = (
    "start_objective",
    "final_objective",
    "median_reprojection_px",
    "mean_focal_px",
    "median_static_flow_error_px",
)
COLUMNS = pa.schema([*OF_RECORDS, *(pa.field(name, _NUMBER) for name in FIGURES)])


@dataclass(frozen=True)
class IndexUpdate:
    """What an update did.

    Attributes:
        results: rows of the index now.
        parts, parts_written: files of the index, and those written or deleted by this update.
        unreadable: commit records that could not be read and have no row; `audit` names them.
    """

    results: int
    parts: int
    parts_written: int
    unreadable: int

    def __str__(self) -> str:
        unreadable = f", {self.unreadable} unreadable records left out" if self.unreadable else ""
        return (
            f"index of {self.results} results in {self.parts} parts, "
            f"{self.parts_written} written{unreadable}"
        )


@dataclass(frozen=True)
class IndexPart:
    """The rows of one prefix as the commit records have it now.

    Attributes:
        changed: whether they differ from those in the index.
        unreadable: paths of damaged or misplaced commit records.
    """

    prefix: str
    table: pa.Table
    changed: bool
    unreadable: tuple[str, ...]


def update_index(url: str) -> IndexUpdate:
    """Bring the index up to date, reading only records that it does not hold.

    Raises:
        NotADatasetError, UnreadableURLError, StorageUnavailableError: it could not be read.
        UnwritableDestinationError: it could not be written.
    """
    open_dataset(url)
    files = files_at(url)
    results = parts = written = unreadable = 0
    for rows, changed, bad in in_threads(partial(_update_part, files), all_prefixes(files)):
        results, parts = results + rows, parts + bool(rows)
        written, unreadable = written + changed, unreadable + bad
    return IndexUpdate(results, parts, written, unreadable)


def rebuild_index(url: str) -> IndexUpdate:
    """Delete the index and make it anew from every commit record.

    Raises:
        As `update_index`.
    """
    open_dataset(url)
    files_at(url).delete_folder(INDEX)
    return update_index(url)


def has_index(url: str) -> bool:
    """Whether there is any index to keep up to date.

    Raises:
        UnreadableURLError, StorageUnavailableError: it could not be read.
    """
    return bool(files_at(url).names(INDEX))


def index_parts(files: Files) -> Iterator[IndexPart]:
    """Every row that the index should have; records are read only for those it lacks."""
    return in_threads(partial(_index_part, files), commit_prefixes(files))


def index_findings(files: Files) -> Iterator[Finding]:
    """Parts of the index that differ from the commit records; none where there is no index."""
    if not files.names(INDEX):
        return
    for prefix in all_prefixes(files):
        committed = committed_names_of(files, prefix)
        stored = read_part(files, prefix)
        if stored is None and len(committed):
            problem = f"no readable index of {len(committed)} committed results"
        elif stored is not None and _names_digest(committed) != _stored_digest(stored):
            indexed = _names(stored)
            missing = int(np.count_nonzero(~ResultSet(indexed).contains(committed)))
            extra = int(np.count_nonzero(~ResultSet(committed).contains(indexed)))
            problem = f"lacks {missing} committed results, has {extra} that are not committed"
        else:
            continue
        yield Finding(kind=Kind.STALE_INDEX, path=part_path(prefix), problem=problem)


def part_path(prefix: str) -> str:
    """Where the rows of the clips whose id begins with these 2 hex digits lie."""
    return f"{INDEX}/{prefix}.parquet"


def all_prefixes(files: Files) -> list[str]:
    """Prefixes of all that is committed or indexed, in order."""
    indexed = (name.removesuffix(".parquet") for name in files.names(INDEX))
    return sorted({*commit_prefixes(files), *filter(PREFIX.fullmatch, indexed)})


def _update_part(files: Files, prefix: str) -> tuple[int, bool, int]:
    """(rows, whether it was written, unreadable records)."""
    part = _index_part(files, prefix)
    for path in part.unreadable:
        _LOGGER.warning("not in the index: %s is no commit record", files.locate(path))
    if part.changed and not len(part.table):
        files.delete(part_path(prefix))
    elif part.changed:
        write_part(files, prefix, part.table)
    return len(part.table), part.changed, len(part.unreadable)


def write_part(files: Files, prefix: str, table: pa.Table) -> None:
    """Replace the rows of one prefix."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    files.put(part_path(prefix), sink.getvalue().to_pybytes())


def _index_part(files: Files, prefix: str) -> IndexPart:
    committed = committed_names_of(files, prefix)
    stored = read_part(files, prefix)
    if stored is not None and _stored_digest(stored) == _names_digest(committed):
        return IndexPart(prefix, stored, changed=False, unreadable=())
    had = stored is not None
    if stored is None:
        stored = COLUMNS.empty_table()
    indexed = _names(stored)
    current = stored.filter(pa.array(ResultSet(committed).contains(indexed)))
    missing = ResultSet(committed[~ResultSet(np.unique(indexed)).contains(committed)])
    added, unreadable = _rows(files, prefix, missing)
    table = in_order([*current.to_pylist(), *added])
    changed = len(current) < len(stored) or bool(added) or (had and not len(table))
    return IndexPart(prefix, table, changed, unreadable)


def _rows(
    files: Files, prefix: str, missing: Iterable[str]
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    paths = [f"{COMMITS}/{prefix}/{name}.json" for name in missing]
    rows, unreadable = [], []
    for path, data in files.get_all(paths).items():
        try:
            record = parse_record(files, path, data)
        except CorruptClipError:
            unreadable.append(path)
            continue
        if record.commit_path == path:
            rows.append(_row(record))
        else:
            unreadable.append(path)
    return rows, tuple(unreadable)


def _row(record: CommitRecord) -> dict[str, Any]:
    row = {name: getattr(record, name, None) for name in OF_RECORDS.names}
    row["degraded"] = list(record.degraded)
    row["trust_reasons"] = list(record.trust_reasons)
    return row | {
        f"quality_{name}" if name in row else name: value for name, value in record.quality.items()
    }


def in_order(rows: list[dict[str, Any]]) -> pa.Table:
    """A table of rows by clip and time of commit, `newest` marked, figures beyond ours last."""
    rows.sort(key=lambda row: (row["clip_id"], row["committed_at"], row["result_id"]))
    for row, following in zip(rows, [*rows[1:], None]):
        row["newest"] = following is None or following["clip_id"] != row["clip_id"]
    more = sorted({name for row in rows for name in row} - set(COLUMNS.names))
    fields = [*COLUMNS, *(pa.field(name, _NUMBER) for name in more)]
    table = pa.Table.from_pylist(rows, pa.schema(fields))
    names = np.unique(_names(table))
    return table.replace_schema_metadata(
        {"easi3r.index": _VERSION, "easi3r.names": _names_digest(names)}
    )


def read_part(files: Files, prefix: str) -> pa.Table | None:
    """The rows of one prefix; None where there are none, or none that this version reads."""
    path = part_path(prefix)
    try:
        table = pq.read_table(pa.BufferReader(files.get(path)))
    except FileNotFoundError:
        return None
    except pa.ArrowInvalid as error:
        _LOGGER.warning("%s is no Parquet file (%s)", files.locate(path), error)
        return None
    metadata: Mapping[bytes, bytes] = table.schema.metadata or {}
    if metadata.get(b"easi3r.index") not in _READ:
        return None
    for column in COLUMNS:  # null where the part was written before there was such a column
        if column.name not in table.schema.names:
            table = table.append_column(column, pa.nulls(len(table), column.type))
    return table


def _names(table: pa.Table) -> np.ndarray:
    pairs = zip(table["clip_id"].to_pylist(), table["result_id"].to_pylist())
    return pack_names(result_name(clip, result) for clip, result in pairs)


def _names_digest(names: np.ndarray) -> str:
    return hashlib.sha256(names.tobytes()).hexdigest()


def _stored_digest(table: pa.Table) -> str:
    return table.schema.metadata[b"easi3r.names"].decode()
