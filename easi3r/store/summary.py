"""What a dataset holds, counted from its commit and quarantine records."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from easi3r.store.read import open_dataset


@dataclass(frozen=True)
class DatasetSummary:
    """Counts over a dataset; a clip counts once, with its newest result, unless said otherwise.

    Attributes:
        results: committed results, older ones of the same clips included.
        bytes: what all results take in storage.
        licences, weights, settings_digests, scales, quarantined: how many clips (or quarantine
            records, by reason) of each kind.
        newest: time of the last commit.
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
            ("quarantined", _listed(self.quarantined)),
        )

    def __str__(self) -> str:
        width = max(len(label) for label, _ in self.rows())
        return "\n".join(f"{label:<{width}}  {value}" for label, value in self.rows())


def inspect(url: str) -> DatasetSummary:
    """Summarise a dataset; reads its records and no array.

    Raises:
        As `open_dataset`.
    """
    dataset = open_dataset(url)
    clips = dataset.clips
    return DatasetSummary(
        url=url,
        schema_version=dataset.attributes["schema_version"],
        creator=dataset.attributes["creator"],
        licence_note=dataset.attributes["licence_note"],
        videos=len({record.video_fingerprint for record in clips}),
        clips=len(clips),
        results=len(dataset.results),
        frames=sum(record.frames for record in clips),
        bytes=sum(record.bytes for record in dataset.results),
        licences=_counted(record.weights_licence for record in clips),
        weights=_counted(f"{record.weights_name} {record.weights_sha256[:12]}" for record in clips),
        settings_digests=_counted(record.settings_digest[:12] for record in clips),
        scales=_counted(record.scale for record in clips),
        quarantined=_counted(record.reason for record in dataset.quarantined),
        newest=max((record.committed_at for record in dataset.results), default=None),
    )


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in counts.items()) or "none"
