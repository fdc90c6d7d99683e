"""Tables for a terminal of what a dataset holds."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from rich.markup import escape
from rich.table import Table

from easi3r.store import AuditReport, CommitRecord, QuarantineRecord


def clips_table(clips: Sequence[Mapping[str, Any]], total: int) -> Table:
    """One row a clip, of rows of the index: the first of `total`."""
    table = Table(title=_title("clips", total, len(clips)))
    for heading in ("clip", "video", "owned frames", "seconds", "size", "read", "MB"):
        table.add_column(heading, overflow="fold")
    for clip in clips:
        table.add_row(
            clip["clip_id"],
            escape(clip["video_url"]),
            f"{clip['owned_start']}..{clip['owned_stop'] - 1}",
            f"{clip['start_seconds']:.2f}..{clip['stop_seconds']:.2f}",
            f"{clip['width']}x{clip['height']}",
            str(clip["frames"]),
            f"{clip['bytes'] / 1e6:.2f}",
        )
    return table


def quarantine_table(records: Sequence[QuarantineRecord], total: int) -> Table:
    """One row a record: the first of `total`."""
    table = Table(title=_title("quarantined", total, len(records)))
    for heading in ("id", "reason", "times", "message"):
        table.add_column(heading, overflow="fold")
    for record in records:
        table.add_row(record.id, record.reason, str(record.count), escape(record.message))
    return table


def findings_table(report: AuditReport, limit: int) -> Table:
    """The first findings of an audit, by kind."""
    total = sum(report.counts.values())
    shown = sorted(report.findings, key=lambda finding: (finding.kind, finding.path))[:limit]
    table = Table(title=_title("findings", total, len(shown)))
    for heading in ("kind", "path", "problem"):
        table.add_column(heading, overflow="fold")
    for finding in shown:
        table.add_row(finding.kind, escape(finding.path), escape(finding.problem))
    return table


def results_table(results: Sequence[CommitRecord], total: int) -> Table:
    """One row a result: the first of `total`."""
    table = Table(title=_title("results", total, len(results)))
    for heading in ("result", "video", "weights", "settings", "committed", "MB"):
        table.add_column(heading, overflow="fold")
    for record in results:
        table.add_row(
            record.name,
            escape(record.video_url),
            f"{record.weights_name} {record.weights_sha256[:12]}",
            record.settings_digest[:12],
            record.committed_at.isoformat(timespec="seconds"),
            f"{record.bytes / 1e6:.2f}",
        )
    return table


def rows_table(rows: pa.Table) -> Table:
    """What a query answered."""
    table = Table(title=f"{len(rows)} rows")
    for name in rows.column_names:
        table.add_column(name, overflow="fold")
    for row in rows.to_pylist():
        table.add_row(*("" if value is None else escape(str(value)) for value in row.values()))
    return table


def _title(what: str, total: int, shown: int) -> str:
    return f"{total} {what}" if shown == total else f"{what}: the first {shown} of {total}"
