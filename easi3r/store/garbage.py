"""Garbage collection: attempts and temporary files of killed writers, without a commit record."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from easi3r.store.files import Files, files_at
from easi3r.store.read import open_dataset
from easi3r.store.result_set import committed_set, quarantined_set
from easi3r.store.scan import ClipScan, scan_clip, scan_clips
from easi3r.store.schema import CLIPS, PROBE, quarantine_path

HOUR_SECONDS = 3600.0

Progress = Callable[[int, int], None]  # (clips done, about how many there are)


@dataclass(frozen=True)
class Collected:
    """How many of each `collect_garbage` deleted."""

    orphans: int
    leftovers: int
    quarantine_records: int

    def __str__(self) -> str:
        return (
            f"deleted {self.orphans} orphaned attempts, {self.leftovers} leftovers, "
            f"{self.quarantine_records} quarantine records of committed results"
        )


def ignore_progress(done: int, total: int) -> None:
    """The callback of callers that show no progress."""


def collect_garbage(
    url: str, older_than_seconds: float = HOUR_SECONDS, progress: Progress = ignore_progress
) -> Collected:
    """Delete old attempts that no record names, old temporary files, and quarantine records of
    results that are committed after all.

    Safe while others write, as long as no writer takes longer than `older_than_seconds` between
    the last object of a clip and its commit record. Killed midway, it is run again.

    Args:
        older_than_seconds: age from which an attempt without a record is garbage.
        progress: callback with (clips scanned, about how many there are).

    Raises:
        NotADatasetError, UnreadableURLError, StorageUnavailableError: it could not be read.
        UnwritableDestinationError: it could not be deleted.
    """
    open_dataset(url)
    files = files_at(url)
    total = len(committed_set(url))
    suspects: list[tuple[str, str]] = []
    named_elsewhere: set[str] = set()
    for done, scan in enumerate(scan_clips(files), 1):
        suspects += [(scan.clip_id, path) for path in old_attempts(files, scan, older_than_seconds)]
        named_elsewhere |= scan.misplaced
        progress(done, max(done, total))
    orphans = 0
    for clip_id, path in suspects:
        # Scanned again: its writer may have committed it since.
        if path not in named_elsewhere and path in scan_clip(files, clip_id).uncommitted:
            files.delete_folder(path)
            orphans += 1
    temporary = list(old_leftovers(files, older_than_seconds))
    for path in temporary:
        files.delete(path)
    twice = committed_and_quarantined(url)
    for name in twice:
        files.delete(quarantine_path(name))
    return Collected(orphans, len(temporary), len(twice))


def old_attempts(files: Files, scan: ClipScan, older_than_seconds: float) -> list[str]:
    """A clip's uncommitted attempts whose youngest object is older than that."""
    return [path for path in sorted(scan.uncommitted) if _is_old(files, path, older_than_seconds)]


def old_leftovers(files: Files, older_than_seconds: float) -> Iterator[str]:
    """Temporary files of killed writers, outside attempts: paths below the dataset."""
    probes = (f"{PROBE}/{name}" for name in files.names(PROBE))
    for path in (*probes, *files.leftovers(outside=CLIPS)):
        if _is_old(files, path, older_than_seconds):
            yield path


def committed_and_quarantined(url: str) -> tuple[str, ...]:
    """Names of results that are both committed and quarantined, ascending."""
    return tuple(quarantined_set(url) & committed_set(url))


def _is_old(files: Files, path: str, older_than_seconds: float) -> bool:
    age = files.age_seconds(path)
    return age is not None and age >= older_than_seconds
