"""Superseded results: listed and removed."""

from collections.abc import Callable, Iterable, Iterator

from easi3r.errors import StoreError
from easi3r.store.commits import CommitRecord
from easi3r.store.files import files_at
from easi3r.store.findings import Kind
from easi3r.store.read import open_dataset
from easi3r.store.scan import scan_clips

Keep = Callable[[tuple[CommitRecord, ...]], Iterable[CommitRecord]]


def newest(records: tuple[CommitRecord, ...]) -> tuple[CommitRecord, ...]:
    """Of a clip's results the one that readers open: the last that was committed."""
    return (max(records, key=lambda record: (record.committed_at, record.result_id)),)


def made_by(weights_sha256: Iterable[str] = (), settings_digests: Iterable[str] = ()) -> Keep:
    """A rule that keeps results of some weights and settings.

    Args:
        weights_sha256, settings_digests: first hex digits of those to keep; empty: all.
    """
    weights, digests = tuple(weights_sha256), tuple(settings_digests)

    def keep(records: tuple[CommitRecord, ...]) -> Iterator[CommitRecord]:
        for record in records:
            if (not weights or record.weights_sha256.startswith(weights)) and (
                not digests or record.settings_digest.startswith(digests)
            ):
                yield record

    return keep


def superseded(url: str, keep: Keep = newest) -> Iterator[CommitRecord]:
    """Results that `prune` would remove, clip by clip.

    A clip none of whose results would stay loses none: nothing supersedes them.

    Raises:
        NotADatasetError, UnreadableURLError, StorageUnavailableError: it could not be read.
        StoreError: a commit record is damaged, so it is not known what its clip has.
    """
    open_dataset(url)
    for scan in scan_clips(files_at(url)):
        damaged = [f for f in scan.findings if f.kind in (Kind.BAD_RECORD, Kind.MISPLACED_RECORD)]
        if damaged:
            remedy = "Run `easi3r audit`, and delete the record or put it in its place"
            raise StoreError(f"{url}: {damaged[0].path}", damaged[0].problem, remedy)
        staying = {record.name for record in keep(scan.records)} if scan.records else set()
        if staying:
            yield from (record for record in scan.records if record.name not in staying)


def prune(url: str, records: Iterable[CommitRecord]) -> Iterator[CommitRecord]:
    """Delete results; yields each once it is gone.

    The commit record goes first, so readers never see a result without its arrays. Killed in
    between, it leaves an orphan, which `collect_garbage` removes.

    Raises:
        UnwritableDestinationError, StorageUnavailableError: it could not be deleted.
    """
    files = files_at(url)
    for record in records:
        files.delete(record.commit_path)
        files.delete_folder(record.path)
        yield record
