"""A newer calibration of trust, applied to the quality figures that the index holds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from easi3r.store.files import Files, files_at
from easi3r.store.index import (
    OF_RECORDS,
    all_prefixes,
    in_order,
    read_part,
    update_index,
    write_part,
)
from easi3r.store.threads import in_threads
from easi3r.types import Trust

Assess = Callable[[Mapping[str, float | None], str], Trust | None]
"""Trust of the quality figures of a clip and the SHA-256 of its weights; None: no calibration."""


@dataclass(frozen=True)
class TrustUpdate:
    """Rows of the index, and how many of them have another trust now."""

    results: int
    changed: int

    def __str__(self) -> str:
        return f"trust of {self.changed} of {self.results} results changed"


def update_trust(url: str, assess: Assess) -> TrustUpdate:
    """Give every row of the index the trust that its quality figures have now.

    No clip is read, none computed. The commit records stay as they were written: an index that is
    made anew from them holds the trust of that time. Rows whose weights have no calibration, or
    that lack a figure, keep what they have.

    Raises:
        As `update_index`.
    """
    update_index(url)
    files = files_at(url)
    counts = [*in_threads(partial(_update_part, files, assess), all_prefixes(files))]
    return TrustUpdate(sum(rows for rows, _ in counts), sum(changed for _, changed in counts))


def _update_part(files: Files, assess: Assess, prefix: str) -> tuple[int, int]:
    """(rows, how many of them changed) of one part."""
    table = read_part(files, prefix)
    if table is None:
        return 0, 0
    names = set(table.schema.names) - set(OF_RECORDS.names)
    rows, changed = table.to_pylist(), 0
    for row in rows:
        trust = assess({name: row[name] for name in names}, row["weights_sha256"])
        if trust is None:
            continue
        now = {
            "trust": trust.value,
            "trust_reasons": list(trust.reasons),
            "trust_calibration": trust.calibration,
        }
        changed += any(row[name] != value for name, value in now.items())
        row.update(now)
    if changed:
        write_part(files, prefix, in_order(rows))
    return len(rows), changed
