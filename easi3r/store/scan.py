"""A scan of a dataset, clip by clip: commit records read, attempts listed."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from easi3r.errors import CorruptClipError
from easi3r.store.commits import CommitRecord, parse_record
from easi3r.store.files import Files
from easi3r.store.findings import Finding, Kind
from easi3r.store.schema import (
    CLIP_ID,
    CLIPS,
    COMMITS,
    PREFIX,
    clip_folder,
    commit_folder,
    recorded_result,
    result_id,
)
from easi3r.store.threads import in_threads


@dataclass(frozen=True)
class ClipScan:
    """Commit records and attempts of one clip id.

    Attributes:
        records: its commit records that can be read and whose attempt is there.
        attempts: paths of its attempts, committed or not.
        misplaced: paths of attempts elsewhere that a record of it names.
        findings: faults of its records, or of the attempts that they name.
    """

    clip_id: str
    records: tuple[CommitRecord, ...]
    attempts: frozenset[str]
    misplaced: frozenset[str]
    findings: tuple[Finding, ...]

    @property
    def uncommitted(self) -> frozenset[str]:
        """Attempts that no record names: of writers at work, or orphans.

        None where a record of the clip cannot be read, since it may name any of them.
        """
        if any(finding.kind is Kind.BAD_RECORD for finding in self.findings):
            return frozenset()
        return self.attempts - {record.path for record in self.records}


def scan_clips(files: Files) -> Iterator[ClipScan]:
    """Every clip id that has a commit record or an attempt, ascending; reads records alone.

    Raises:
        StorageUnavailableError, UnreadableURLError: storage did not answer.
    """
    return in_threads(partial(_scan_clip, files), _clips(files))


def scan_clip(files: Files, clip_id: str) -> ClipScan:
    """One clip id, as it stands now."""
    records = filter(recorded_result, files.names(commit_folder(clip_id)))
    return _scan_clip(files, (clip_id, [name for name in records if name.startswith(clip_id)]))


def prefixes(files: Files) -> list[str]:
    """First two hex digits of all clip ids with a record or an attempt, ascending."""
    names = {*files.names(CLIPS), *files.names(COMMITS)}
    return sorted(filter(PREFIX.fullmatch, names))


def strays(files: Files) -> Iterator[Finding]:
    """What lies among clips and commit records under a name that the schema does not know."""
    for top in (CLIPS, COMMITS):
        for name in files.names(top):
            if not PREFIX.fullmatch(name):
                yield _stray(f"{top}/{name}")
    for prefix in prefixes(files):
        for name in files.names(f"{CLIPS}/{prefix}"):
            if not (CLIP_ID.fullmatch(name) and name.startswith(prefix)):
                yield _stray(f"{CLIPS}/{prefix}/{name}")
        for name in files.names(f"{COMMITS}/{prefix}"):
            if not (recorded_result(name) and name.startswith(prefix)):
                yield _stray(f"{COMMITS}/{prefix}/{name}")


def _stray(path: str) -> Finding:
    return Finding(kind=Kind.UNKNOWN_OBJECT, path=path, problem="no name of this schema")


def _clips(files: Files) -> Iterator[tuple[str, list[str]]]:
    """(clip id, names of its records)."""
    for prefix in prefixes(files):
        records: dict[str, list[str]] = defaultdict(list)
        for name in filter(recorded_result, files.names(f"{COMMITS}/{prefix}")):
            records[name.partition(".")[0]].append(name)
        folders = set(filter(CLIP_ID.fullmatch, files.names(f"{CLIPS}/{prefix}")))
        for clip_id in sorted(folders | records.keys()):
            if clip_id.startswith(prefix):
                yield clip_id, records.get(clip_id, [])


def _scan_clip(files: Files, clip: tuple[str, list[str]]) -> ClipScan:
    """Records first, attempts after: what was committed in between looks uncommitted, not lost."""
    clip_id, names = clip
    parsed: list[CommitRecord] = []
    findings: list[Finding] = []
    paths = [f"{commit_folder(clip_id)}/{name}" for name in sorted(names)]
    for path, data in files.get_all(paths).items():
        try:
            record = parse_record(files, path, data)
        except CorruptClipError as error:
            findings.append(Finding(kind=Kind.BAD_RECORD, path=path, problem=error.problem))
            continue
        parsed.append(record)
        findings += _wrong_place(record, path)

    folder = clip_folder(clip_id)
    attempts = frozenset(f"{folder}/{name}" for name in files.names(folder))
    misplaced = frozenset(r.path for r in parsed if not r.path.startswith(f"{folder}/"))
    lost = {r.path for r in parsed if r.path not in attempts | misplaced}
    for record in parsed:
        if record.path in lost and files.exists(record.commit_path):  # else pruned meanwhile
            problem = f"named by {record.commit_path}, and not there"
            findings.append(Finding(kind=Kind.MISSING_OBJECT, path=record.path, problem=problem))
    whole = tuple(r for r in parsed if r.path in attempts)
    return ClipScan(clip_id, whole, attempts, misplaced, tuple(findings))


def _wrong_place(record: CommitRecord, path: str) -> Iterator[Finding]:
    expected = result_id(record.clip_id, record.weights_sha256, record.settings_digest)
    if record.result_id != expected:
        problem = f"result_id is {record.result_id[:16]}.., and {expected[:16]}.. follows from it"
        yield Finding(kind=Kind.BAD_RECORD, path=path, problem=problem)
    if record.commit_path != path:
        problem = f"it is the record of {record.name}"
        yield Finding(kind=Kind.MISPLACED_RECORD, path=path, problem=problem)
    elif not record.path.startswith(f"{clip_folder(record.clip_id)}/"):
        problem = f"names {record.path}, which is no attempt at its clip"
        yield Finding(kind=Kind.MISPLACED_RECORD, path=path, problem=problem)
