"""Results by other weights, other settings or another version of the method, and why they are."""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from easi3r.config import METHOD_VERSION, Settings
from easi3r.errors import CorruptClipError
from easi3r.store.commits import CommitRecord, parse_record
from easi3r.store.files import Files, files_at
from easi3r.store.result_set import ResultSet
from easi3r.store.schema import COMMITS

UNREADABLE = "with a damaged commit record (see `easi3r audit`)"
_DIGITS = 12  # of a SHA-256, as listings show it


def reasons_of(
    url: str,
    results: ResultSet,
    settings: Settings,
    known: Mapping[str, str] = MappingProxyType({}),
) -> Counter[str]:
    """How many clips, of those that some committed results are of, for each `reason_for`.

    Reads the commit record of every result; of a clip with several the newest one counts.

    Args:
        settings: with the weights' hash pinned; none of the results is by these.
        known: `ClipSpec.known_digest` of those clips, by their ids, of which something is known.

    Raises:
        StorageUnavailableError, UnreadableURLError: storage did not answer.
    """
    files = files_at(url)
    paths = [f"{COMMITS}/{name[:2]}/{name}.json" for name in results]
    damaged: set[str] = set()
    newest: dict[str, CommitRecord] = {}
    for path, data in files.get_all(paths).items():
        record = _record(files, path, data)
        if record is None:
            damaged.add(path.rpartition("/")[2].partition(".")[0])
            continue
        earlier = newest.get(record.clip_id)
        if earlier is None or earlier.committed_at <= record.committed_at:
            newest[record.clip_id] = record
    counts = Counter(
        reason_for(record, settings, known.get(record.clip_id)) for record in newest.values()
    )
    if unreadable := len(damaged - newest.keys()):
        counts[UNREADABLE] = unreadable
    return counts


def reason_for(record: CommitRecord, settings: Settings, known_digest: str | None = None) -> str:
    """Why a result is not the one that these settings ask for: every reason, in words.

    Args:
        settings: with the weights' hash pinned.
        known_digest: of what the user knows of the clip's video.
    """
    reasons = []
    sha256 = settings.model.sha256 or ""
    if record.weights_sha256 != sha256:
        theirs = f"{record.weights_name} {record.weights_sha256[:_DIGITS]}"
        ours = f"{settings.model.weights} {sha256[:_DIGITS]}"
        reasons.append(f"made with {theirs}, now {ours}")
    if record.known_digest != known_digest:
        theirs, ours = _known(record.known_digest), _known(known_digest)
        reasons.append(f"made with {theirs}, now {ours}")
    if record.settings_digest != settings.result_digest(record.known_digest):
        reasons.append(_changed_settings(record, settings))
    return " and ".join(reasons)


def _known(known_digest: str | None) -> str:
    if known_digest is None:
        return "no known cameras or masks"
    return f"known cameras or masks {known_digest[:_DIGITS]}"


def _changed_settings(record: CommitRecord, settings: Settings) -> str:
    if record.settings_digest == settings.digest_of_method_1:
        return f"made by method version 1, now {METHOD_VERSION}"
    ours = settings.result_digest(record.known_digest)
    return f"made with settings {record.settings_digest[:_DIGITS]}, now {ours[:_DIGITS]}"


def _record(files: Files, path: str, data: bytes) -> CommitRecord | None:
    """None for what is no commit record, or that of another result."""
    try:
        record = parse_record(files, path, data)
    except CorruptClipError:
        return None
    return record if record.commit_path == path else None
