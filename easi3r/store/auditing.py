"""Whether a dataset is what its commit records say.

Walks it clip by clip, in bounded memory, and may run while others write: an attempt younger than
`older_than_seconds` is taken for that of a writer at work, which writes before it commits.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
from pydantic import BaseModel, ConfigDict

from easi3r.errors import StoreError
from easi3r.store.clip_audit import audit_result
from easi3r.store.files import Files, files_at
from easi3r.store.findings import Finding, Findings, Kind
from easi3r.store.garbage import (
    HOUR_SECONDS,
    Progress,
    committed_and_quarantined,
    ignore_progress,
    old_attempts,
    old_leftovers,
)
from easi3r.store.index import index_findings
from easi3r.store.quarantine_records import parse_quarantine_record
from easi3r.store.read import open_dataset
from easi3r.store.result_set import ResultSet, committed_set, quarantined_set
from easi3r.store.scan import ClipScan, scan_clips, strays
from easi3r.store.schema import QUARANTINE, quarantine_path
from easi3r.store.threads import in_threads

FINDINGS_PER_KIND = 1000


class AuditReport(BaseModel):
    """The report of an audit.

    Attributes:
        clips: clip ids with a commit record or an attempt.
        results: commit records that can be read and whose attempt is there.
        read_whole: results of which every byte was read.
        bytes_committed: in storage, as the records say.
        quarantined: records, of clips and of videos.
        in_progress: attempts without a record, too young to be called orphans.
        not_done: for each plan, clips that are neither committed nor quarantined: no fault.
        counts: findings of each kind, kinds without any left out.
        findings: the first 1000 of each kind.
    """

    model_config = ConfigDict(frozen=True)

    url: str
    clips: int = 0
    results: int = 0
    read_whole: int = 0
    bytes_committed: int = 0
    quarantined: int = 0
    in_progress: int = 0
    not_done: dict[str, int] = {}
    counts: dict[Kind, int]
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """True without any finding."""
        return not self.counts

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(self.counts.items()))
        plans = "".join(f"; {n} clips of plan {p} not done" for p, n in self.not_done.items() if n)
        return (
            f"{self.results} results of {self.clips} clips, {self.bytes_committed / 1e6:.1f} MB; "
            f"{self.read_whole} read whole; {self.quarantined} quarantined; "
            f"{self.in_progress} attempts in progress{plans}\n{counts or 'clean'}"
        )


def audit(
    url: str,
    sample: int | None = None,
    older_than_seconds: float = HOUR_SECONDS,
    progress: Progress = ignore_progress,
    seed: int = 0,
    planned: Mapping[str, Iterable[np.ndarray]] = MappingProxyType({}),
) -> AuditReport:
    """Check every commit record, every attempt, quarantine and index, and every byte of results.

    Args:
        sample: read only so many results whole, chosen at random; the rest is checked all the
            same. None: read all.
        older_than_seconds: age from which an attempt without a record is an orphan.
        progress: callback with (clips audited, about how many there are).
        seed: of the random sample.
        planned: for each plan, packed clip ids, in parts, each clip once.

    Raises:
        NotADatasetError, UnreadableURLError, StorageUnavailableError: it could not be read.
    """
    open_dataset(url)
    files = files_at(url)
    committed = committed_set(url)
    chosen = committed if sample is None else _some(committed, sample, seed)
    collected = Findings(FINDINGS_PER_KIND)
    totals: dict[str, int] = dict.fromkeys(
        ("clips", "results", "read_whole", "bytes_committed", "in_progress"), 0
    )
    check = partial(_audit_clip, files, chosen, older_than_seconds)
    for counts, findings in in_threads(check, scan_clips(files)):
        collected.add(findings)
        totals = {name: total + counts[name] for name, total in totals.items()}
        progress(totals["clips"], max(totals["clips"], len(committed)))
    collected.add(strays(files))
    for path in old_leftovers(files, older_than_seconds):
        problem = "a temporary file, older than any writer needs it"
        collected.add([Finding(kind=Kind.LEFTOVER, path=path, problem=problem)])
    for name in committed_and_quarantined(url):
        problem = "quarantined, and committed all the same"
        path = quarantine_path(name)
        collected.add([Finding(kind=Kind.SETTLED_TWICE, path=path, problem=problem)])
    collected.add(index_findings(files))
    names = files.names(QUARANTINE)
    for findings in in_threads(partial(_audit_quarantine, files), names):
        collected.add(findings)
    return AuditReport(
        url=url,
        quarantined=len(names),
        not_done=_not_done(url, planned),
        counts=dict(collected.counts),
        findings=tuple(collected.first),
        **totals,
    )


def _not_done(url: str, planned: Mapping[str, Iterable[np.ndarray]]) -> dict[str, int]:
    if not planned:
        return {}
    done = committed_set(url) | quarantined_set(url)
    return {
        plan: sum(int(np.count_nonzero(~done.contains_clips(part))) for part in parts)
        for plan, parts in planned.items()
    }


def _some(results: ResultSet, count: int, seed: int) -> ResultSet:
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(results), min(count, len(results)), replace=False)
    return ResultSet(results.names[np.sort(chosen)])


def _audit_clip(
    files: Files, chosen: ResultSet, older_than_seconds: float, scan: ClipScan
) -> tuple[dict[str, int], list[Finding]]:
    """What to add to the report for one clip, and its findings."""
    findings = list(scan.findings)
    read = [record for record in scan.records if record.name in chosen]
    for record in read:
        wrong = audit_result(files, record)
        if wrong and files.exists(record.commit_path):  # else pruned meanwhile
            findings += wrong
    orphans = old_attempts(files, scan, older_than_seconds)
    for path in orphans:
        problem = "an attempt that no commit record names"
        findings.append(Finding(kind=Kind.ORPHAN, path=path, problem=problem))
    counts = {
        "clips": int(bool(scan.records or scan.attempts)),
        "results": len(scan.records),
        "read_whole": len(read),
        "bytes_committed": sum(record.bytes for record in scan.records),
        "in_progress": len(scan.uncommitted) - len(orphans),
    }
    return counts, findings


def _audit_quarantine(files: Files, name: str) -> list[Finding]:
    path = f"{QUARANTINE}/{name}"
    try:
        record = parse_quarantine_record(files, path, files.get(path))
    except FileNotFoundError:  # cleared meanwhile
        return []
    except StoreError as error:
        problem = error.problem
    else:
        if quarantine_path(record.id) == path:
            return []
        problem = f"it is the record of {record.id}"
    return [Finding(kind=Kind.BAD_QUARANTINE_RECORD, path=path, problem=problem)]
