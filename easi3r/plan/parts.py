"""Parts of a plan: one Parquet object for each group of videos.

A row is a clip, or (with a null `clip_id`) a report of what gave none; both in the order of the
videos. The footer holds the schema version and the counts, so that they are read without the rows.
"""

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from easi3r.errors import StoreError
from easi3r.knowledge import KnownInputs
from easi3r.plan.videos import VideoPlan
from easi3r.types import ClipReport, ClipSpec, Outcome

PARTS = "plans/parts"
PART_SCHEMA_VERSION = 1
_SPECS_AT_ONCE = 1024
_ROWS_AT_ONCE = 16_384
_FOOTER_KEY = b"easi3r_part"
_REPORT = ("subject", "outcome", "reason", "message")
KNOWN = pa.struct(
    [
        ("intrinsics", pa.string()),
        ("poses", pa.string()),
        ("metric", pa.bool_()),
        ("motion_masks", pa.string()),
        ("digest", pa.string()),
    ]
)
SCHEMA = pa.schema(
    [
        ("clip_id", pa.binary(16)),
        ("video_url", pa.string()),
        ("video_fingerprint", pa.string()),
        ("frame_index", pa.list_(pa.int64())),
        ("pts_seconds", pa.list_(pa.float64())),
        ("owned_start", pa.int64()),
        ("owned_stop", pa.int64()),
        ("stream_break", pa.string()),
        ("timestamps_derived", pa.bool_()),
        ("frames", pa.int32()),
        ("seconds", pa.float64()),
        *((name, pa.string()) for name in _REPORT),
        ("known", KNOWN),  # absent from the parts of earlier versions
    ]
)
REPORT_COLUMNS = ("clip_id", "video_url", *_REPORT)
NAME_COLUMNS = ("clip_id", "known.digest")
"""What the names of results need (`clip_ids`, `known_digests`)."""
_SPEC = (*SCHEMA.names[1:9], "known")
_ENCODING = {
    "frame_index.list.element": "DELTA_BINARY_PACKED",
    "pts_seconds.list.element": "BYTE_STREAM_SPLIT",
}
_REPEATING = ["video_url", "video_fingerprint", "stream_break", *_REPORT]
_REPEATING += [f"known.{field.name}" for field in KNOWN if field.type == pa.string()]


class PartSummary(BaseModel):
    """Counts of a part.

    Attributes:
        clips: contents that come twice are counted twice here.
        frames: that the clips read; context counts for each clip that reads it.
        seconds: from the first to the last frame of each clip.
        quarantined_videos, failed_videos: without a clip, after a permanent or a transient failure.
        left_out_shots: too short for a clip.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    videos: int
    clips: int
    frames: int
    seconds: float
    quarantined_videos: int
    failed_videos: int
    left_out_shots: int
    schema_version: int = PART_SCHEMA_VERSION


def part_path(name: str) -> str:
    """Where a part lies, below the dataset."""
    return f"{PARTS}/{name[:2]}/{name}.parquet"


def table_of(video: VideoPlan) -> pa.Table:
    """The rows of one video: some hundred bytes a clip, which takes kilobytes as a `ClipSpec`."""
    return pa.Table.from_pylist(list(_rows(video)), SCHEMA)


def encode_part(name: str, videos: Sequence[pa.Table]) -> tuple[bytes, PartSummary]:
    """The object that holds the rows of some videos, and its summary."""
    table = pa.concat_tables(videos)
    outcomes = Counter(table["outcome"].drop_null().to_pylist())
    summary = PartSummary(
        name=name,
        videos=len(videos),
        clips=len(table) - table["clip_id"].null_count,
        frames=pc.sum(table["frames"]).as_py() or 0,
        seconds=pc.sum(table["seconds"]).as_py() or 0.0,
        quarantined_videos=outcomes[Outcome.QUARANTINED],
        failed_videos=outcomes[Outcome.FAILED],
        left_out_shots=outcomes[Outcome.SKIPPED],
    )
    footer = {_FOOTER_KEY: summary.model_dump_json().encode()}
    output = io.BytesIO()
    pq.write_table(
        table.replace_schema_metadata(footer),
        output,
        row_group_size=_ROWS_AT_ONCE,
        compression="zstd",
        use_dictionary=_REPEATING,
        column_encoding=_ENCODING,
    )
    return output.getvalue(), summary


def _rows(video: VideoPlan) -> Iterator[dict[str, Any]]:
    for spec in video.specs:
        yield {
            "clip_id": bytes.fromhex(spec.clip_id),
            **{name: getattr(spec, name) for name in _SPEC},
            "known": None if spec.known is None else asdict(spec.known),
            "frames": len(spec),
            "seconds": spec.pts_seconds[-1] - spec.pts_seconds[0],
        }
    for report in video.reports:
        yield {"video_url": video.url, **{name: getattr(report, name) for name in _REPORT}}


def read_summary(location: str, data: bytes) -> PartSummary:
    """The summary in a part's footer.

    Raises:
        StoreError: the object is no part, or one of another schema.
    """
    try:
        metadata = pq.ParquetFile(io.BytesIO(data)).schema_arrow.metadata or {}
        summary = PartSummary.model_validate_json(metadata.get(_FOOTER_KEY, b""))
        if summary.schema_version != PART_SCHEMA_VERSION:
            raise ValueError(f"schema version {summary.schema_version}")
    except (pa.ArrowException, ValidationError, ValueError) as error:
        problem = f"is no part of a plan of schema {PART_SCHEMA_VERSION} ({error})"
        raise StoreError(location, problem, "Delete it and plan again") from error
    return summary


def read_part(data: bytes) -> pa.Table:
    """All rows of a part, reports included."""
    pieces = [SCHEMA.empty_table(), *pieces_of_part(data)]
    return pa.concat_tables(pieces, promote_options="default")


def pieces_of_part(data: bytes, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Some columns of a part (None: all), some thousand rows at a time, reports included.

    Parts of earlier versions give no column `known`.
    """
    file = pq.ParquetFile(io.BytesIO(data))
    for number in range(file.num_row_groups):
        yield file.read_row_group(number, columns=columns, use_threads=False)


def clip_ids(table: pa.Table) -> np.ndarray:
    """Packed ids (`S16`) of the clips of a part, in its order, without the reports."""
    column = pc.drop_null(table["clip_id"]).combine_chunks()
    data = column.buffers()[1]
    if data is None or len(column) == 0:
        return np.empty(0, "S16")
    return np.frombuffer(data, "S16", count=len(column), offset=column.offset * 16)


def known_digests(table: pa.Table) -> list[str | None]:
    """`ClipSpec.known_digest` of the clips of a part, in its order, without the reports."""
    rows = pc.is_valid(table["clip_id"])
    if "known" not in table.column_names:
        return [None] * pc.sum(rows).as_py() if len(table) else []
    digests: list[str | None] = pc.struct_field(table["known"], "digest").filter(rows).to_pylist()
    return digests


def specs_of(table: pa.Table) -> Iterator[ClipSpec]:
    """The clips of a table whose rows are all clips, in its order, made as they are taken."""
    columns = [name for name in _SPEC if name in table.column_names]
    for batch in table.select(columns).to_batches(max_chunksize=_SPECS_AT_ONCE):
        for row in batch.to_pylist():
            row["frame_index"] = tuple(row["frame_index"])
            row["pts_seconds"] = tuple(row["pts_seconds"])
            known = row.pop("known", None)
            yield ClipSpec(**row, known=None if known is None else KnownInputs(**known))


def clips_only(table: pa.Table) -> pa.Table:
    """The rows of a part that are clips."""
    return table.filter(pc.is_valid(table["clip_id"]))


def reports_of(table: pa.Table) -> Iterator[ClipReport]:
    """The reports of a part, in its order."""
    rows = table.filter(pc.is_null(table["clip_id"])).select(["video_url", *_REPORT])
    for row in rows.to_pylist():
        yield ClipReport(**{**row, "outcome": Outcome(row["outcome"])})


def rows_of_video(table: pa.Table, url: str) -> pa.Table:
    """The rows of one video of a part."""
    return table.filter(pc.equal(table["video_url"], url))
