"""Quarantine records deleted on purpose, so that the next run tries again."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from easi3r.errors import SettingsError, StoreError
from easi3r.store.files import Files, files_at
from easi3r.store.quarantine_records import QuarantineRecord, parse_quarantine_record
from easi3r.store.read import open_dataset
from easi3r.store.schema import QUARANTINE, quarantine_path
from easi3r.store.threads import in_threads

UNREADABLE = "unreadable"  # the reason of a file that is no quarantine record


def quarantine_records(url: str) -> Iterator[QuarantineRecord]:
    """Every quarantine record, ascending by id, few in memory at a time.

    Raises:
        StoreError: one of them is not a quarantine record.
        NotADatasetError, UnreadableURLError, StorageUnavailableError: it could not be read.
    """
    open_dataset(url)
    files = files_at(url)
    return in_threads(partial(_record, files), _ids(files))


def quarantined_by_reason(url: str) -> dict[str, tuple[str, ...]]:
    """Ids of the records of each reason (`Easi3RError.reason`), the most frequent reason first.

    Raises:
        NotADatasetError, UnreadableURLError, StorageUnavailableError: it could not be read.
    """
    open_dataset(url)
    files = files_at(url)
    by_reason: dict[str, list[str]] = defaultdict(list)
    ids = _ids(files)
    for record_id, reason in zip(ids, in_threads(partial(_reason, files), ids), strict=True):
        by_reason[reason].append(record_id)
    return {
        reason: tuple(by_reason[reason])
        for reason in sorted(by_reason, key=lambda reason: (-len(by_reason[reason]), reason))
    }


def choose(
    quarantined: Mapping[str, tuple[str, ...]], reasons: Iterable[str], ids: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """The quarantine records of some reasons, and those of some ids.

    Args:
        ids: of records, or clip ids: then every record of that clip.

    Raises:
        SettingsError: nothing is quarantined for a reason, or under an id; names what there is.
    """
    wanted = {reason: set(_of_reason(quarantined, reason)) for reason in reasons}
    for wanted_id in ids:
        matching = {
            reason: [each for each in records if wanted_id in (each, each.partition(".")[0])]
            for reason, records in quarantined.items()
        }
        if not any(matching.values()):
            remedy = "See `easi3r inspect`, or the names in the folder `quarantine`"
            raise SettingsError(f"id {wanted_id}", "nothing is quarantined under it", remedy)
        for reason, records in matching.items():
            wanted.setdefault(reason, set()).update(records)
    return {reason: tuple(sorted(records)) for reason, records in wanted.items() if records}


def requeue(url: str, record_ids: Iterable[str]) -> Iterator[str]:
    """Delete quarantine records; yields each id once it is gone.

    Raises:
        UnwritableDestinationError, StorageUnavailableError: it could not be deleted.
    """
    files = files_at(url)
    for record_id in record_ids:
        files.delete(quarantine_path(record_id))
        yield record_id


def _of_reason(quarantined: Mapping[str, tuple[str, ...]], reason: str) -> tuple[str, ...]:
    if reason in quarantined:
        return quarantined[reason]
    present = ", ".join(f"{word} ({len(records)})" for word, records in quarantined.items())
    remedy = f"Reasons there: {present}" if present else "Nothing is quarantined at all"
    raise SettingsError(f"reason {reason!r}", "nothing is quarantined for it", remedy)


def _ids(files: Files) -> list[str]:
    names = files.names(QUARANTINE)
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


def _record(files: Files, record_id: str) -> QuarantineRecord:
    path = quarantine_path(record_id)
    return parse_quarantine_record(files, path, files.get(path))


def _reason(files: Files, record_id: str) -> str:
    try:
        return _record(files, record_id).reason
    except StoreError:
        return UNREADABLE
