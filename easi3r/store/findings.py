"""What an audit finds, and how it counts."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Kind(StrEnum):
    """What is wrong. Only `orphan`, `leftover` and `settled_twice` are for garbage collection."""

    BAD_RECORD = "bad_record"  # a commit record that cannot be read as one
    MISPLACED_RECORD = "misplaced_record"  # it lies under the name of another result
    MISSING_OBJECT = "missing_object"
    WRONG_LENGTH = "wrong_length"
    WRONG_CHECKSUM = "wrong_checksum"
    UNKNOWN_OBJECT = "unknown_object"  # no record, and no rule of the schema, names it
    WRONG_SCHEMA = "wrong_schema"  # an array or attribute is missing, or of another kind
    BAD_VALUES = "bad_values"  # not finite, out of range, no pose
    BAD_QUARANTINE_RECORD = "bad_quarantine_record"
    SETTLED_TWICE = "settled_twice"  # committed and quarantined
    STALE_INDEX = "stale_index"  # the index says other than the commit records
    ORPHAN = "orphan"  # an attempt that no record names
    LEFTOVER = "leftover"  # a temporary file of a writer that was killed


class Finding(BaseModel):
    """One thing that is wrong.

    Attributes:
        path: the object or folder, below the dataset.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.path}: {self.problem}"


class Findings:
    """Counts of findings of each kind, and the first findings of each."""

    def __init__(self, kept_per_kind: int) -> None:
        self.counts: Counter[Kind] = Counter()
        self.first: list[Finding] = []
        self._kept_per_kind = kept_per_kind

    def add(self, findings: Iterable[Finding]) -> None:
        """Count some findings."""
        for finding in findings:
            self.counts[finding.kind] += 1
            if self.counts[finding.kind] <= self._kept_per_kind:
                self.first.append(finding)
