"""Tables for a terminal of what a dataset holds."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from easi3r.store import CommitRecord, QuarantineRecord


def clips_table(clips: Sequence[CommitRecord], limit: int) -> Table:
    """One row a clip, in the order of the dataset, `limit` at most."""
    table = Table(title=_title("clips", len(clips), limit))
    for heading in ("clip", "video", "owned frames", "seconds", "size", "read", "MB"):
        table.add_column(heading, overflow="fold")
    for record in clips[:limit]:
        table.add_row(
            record.clip_id,
            escape(record.video_url),
            f"{record.owned_start}..{record.owned_stop - 1}",
            f"{record.start_seconds:.2f}..{record.stop_seconds:.2f}",
            f"{record.width}x{record.height}",
            str(record.frames),
            f"{record.bytes / 1e6:.2f}",
        )
    return table


def quarantine_table(records: Sequence[QuarantineRecord], limit: int) -> Table:
    """One row a record, `limit` at most."""
    table = Table(title=_title("quarantined", len(records), limit))
    for heading in ("id", "reason", "times", "message"):
        table.add_column(heading, overflow="fold")
    for record in records[:limit]:
        table.add_row(record.id, record.reason, str(record.count), escape(record.message))
    return table


def _title(what: str, total: int, limit: int) -> str:
    return f"{total} {what}" if total <= limit else f"{what}: the first {limit} of {total}"
