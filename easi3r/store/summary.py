"""The summary of a dataset: counts from its commit and quarantine records."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from easi3r.errors import CorruptClipError
from easi3r.store.commits import read_record
from easi3r.store.files import files_at
from easi3r.store.index import COLUMNS, index_parts
from easi3r.store.read import open_dataset
from easi3r.store.requeueing import quarantined_by_reason
from easi3r.store.trust_counts import TrustCounts

_ORDER = ("video_url", "owned_start", "clip_id")
_LABELLED = ["weights_licence", "weights_name", "weights_sha256", "settings_digest", "scale"]
_COUNTED: dict[str, Callable[[dict[str, str]], str]] = {
    "licences": lambda row: row["weights_licence"],
    "weights": lambda row: f"{row['weights_name']} {row['weights_sha256'][:12]}",
    "settings_digests": lambda row: row["settings_digest"][:12],
    "scales": lambda row: row["scale"],
}


@dataclass(frozen=True)
class DatasetSummary:
    """Counts over a dataset; a clip counts once, with its newest result, unless said otherwise.

    Attributes:
        results: committed results, older ones of the same clips included.
        bytes: what all results take in storage.
        licences, weights, settings_digests, scales, quarantined: how many clips (or quarantine
            records, by reason) of each kind.
        newest: time of the last commit.
        trust: of the clips that have one.
    """

    url: str
    schema_version: int
    creator: str
    licence_note: str
    videos: int
    clips: int
    results: int
    frames: int
    bytes: int
    licences: dict[str, int]
    weights: dict[str, int]
    settings_digests: dict[str, int]
    scales: dict[str, int]
    quarantined: dict[str, int]
    newest: datetime | None
    trust: TrustCounts

    def rows(self) -> tuple[tuple[str, str], ...]:
        """(label, value) pairs for a table."""
        return (
            ("dataset", self.url),
            ("schema", f"{self.schema_version}, created by {self.creator}"),
            ("clips", f"{self.clips} of {self.videos} videos, {self.frames} frames"),
            ("results", f"{self.results}, {self.bytes / 1e6:.1f} MB"),
            ("last commit", self.newest.isoformat(timespec="seconds") if self.newest else "none"),
            ("licence", _listed(self.licences)),
            ("weights", _listed(self.weights)),
            ("settings", _listed(self.settings_digests)),
            ("scale", _listed(self.scales)),
            ("trust", str(self.trust) or "none"),
            ("quarantined", _listed(self.quarantined)),
        )

    def __str__(self) -> str:
        width = max(len(label) for label, _ in self.rows())
        return "\n".join(f"{label:<{width}}  {value}" for label, value in self.rows())


def inspect(url: str) -> DatasetSummary:
    """Summarise a dataset; reads no array, and commit records only where the index lacks them.

    Raises:
        CorruptClipError: a commit record is damaged.
        And as `open_dataset`.
    """
    dataset = open_dataset(url)
    results = stored_bytes = 0
    videos: set[str] = set()
    newest: datetime | None = None
    clips: dict[str, Counter[Any]] = {name: Counter() for name in _COUNTED}
    frames, trust = 0, TrustCounts()
    for table in _tables(url):
        last = pc.max(table["committed_at"]).as_py()
        newest = max(filter(None, (newest, last)), default=None)
        results, stored_bytes = results + len(table), stored_bytes + pc.sum(table["bytes"]).as_py()
        shown = table.filter(table["newest"])
        frames += pc.sum(shown["frames"]).as_py()
        for value in shown["trust"].drop_null().to_pylist():
            trust.add(value)
        videos.update(shown["video_fingerprint"].to_pylist())
        for name, label in _COUNTED.items():
            clips[name].update(label(row) for row in shown.select(_LABELLED).to_pylist())
    return DatasetSummary(
        url=url,
        schema_version=dataset.attributes["schema_version"],
        creator=dataset.attributes["creator"],
        licence_note=dataset.attributes["licence_note"],
        videos=len(videos),
        clips=clips["licences"].total(),
        results=results,
        frames=frames,
        bytes=stored_bytes,
        quarantined={
            reason: len(records) for reason, records in quarantined_by_reason(url).items()
        },
        newest=newest,
        trust=trust,
        **{name: dict(counts.most_common()) for name, counts in clips.items()},
    )


def first_clips(url: str, limit: int) -> list[dict[str, Any]]:
    """The first clips by video and place in it, each with its newest result: rows of the index.

    Raises:
        As `inspect`.
    """
    first: pa.Table | None = None
    for table in _tables(url):
        shown = table.filter(table["newest"]).select(COLUMNS.names)
        both = shown if first is None else pa.concat_tables([first, shown])
        first = both.sort_by([(name, "ascending") for name in _ORDER]).slice(0, limit)
    return [] if first is None else first.to_pylist()


def _tables(url: str) -> Iterator[pa.Table]:
    files = files_at(url)
    for part in index_parts(files):
        if part.unreadable:
            path = part.unreadable[0]
            record = read_record(files, path)  # says what is wrong with it, if it can be read
            problem, remedy = f"is the record of {record.name}", "See `easi3r audit`"
            raise CorruptClipError(files.locate(path), problem, remedy)
        if len(part.table):
            yield part.table


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in counts.items()) or "none"
