"""The table of a suite: faults, and the state of the clips after them."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table

from tests.faults.trial import Trial

COLUMNS = ("faults", "lost", "twice", "torn", "recomputed", "failed", "seconds")


@dataclass(frozen=True)
class Row:
    """One kind of fault.

    Attributes:
        faults: how many were inflicted.
        missed: how many did not come to happen; they prove nothing.
        lost, twice, torn, recomputed: clips, see `tests.faults.contents.Verdict`.
        failed: trials in which a run that nothing disturbed did not end well.
        seconds: of all trials together.
    """

    kind: str
    faults: int
    missed: int
    lost: int
    twice: int
    torn: int
    recomputed: int
    failed: int
    seconds: float

    @property
    def sound(self) -> bool:
        """True where nothing came to harm."""
        return not (self.lost or self.twice or self.torn or self.recomputed or self.failed)


def rows(trials: Iterable[Trial]) -> list[Row]:
    """A row for each kind, in the order in which the kinds came, and one for all."""
    by_kind: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        by_kind[trial.fault.kind].append(trial)
    everything = [trial for some in by_kind.values() for trial in some]
    return [_row(kind, some) for kind, some in by_kind.items()] + [_row("all", everything)]


def _row(kind: str, trials: Sequence[Trial]) -> Row:
    verdicts = [trial.verdict for trial in trials]
    return Row(
        kind=kind,
        faults=sum(trial.inflicted for trial in trials),
        missed=sum(not trial.inflicted for trial in trials),
        lost=sum(len(verdict.lost) for verdict in verdicts),
        twice=sum(len(verdict.twice) for verdict in verdicts),
        torn=sum(len(verdict.torn) for verdict in verdicts),
        recomputed=sum(len(verdict.recomputed) for verdict in verdicts),
        failed=sum(trial.failure is not None for trial in trials),
        seconds=round(sum(trial.seconds for trial in trials), 1),
    )


def table(table_rows: Sequence[Row]) -> Table:
    """For a terminal."""
    drawn = Table("kind", *COLUMNS)
    for number, row in enumerate(table_rows):
        values = [str(getattr(row, column)) for column in COLUMNS]
        drawn.add_row(row.kind, *values, end_section=number == len(table_rows) - 2)
    return drawn


def write(table_rows: Sequence[Row], trials: Sequence[Trial], path: Path) -> None:
    """Rows, and every trial in which something came to harm or nothing happened, as JSON."""
    unsound = [
        {"kind": t.fault.kind, "fault": t.fault.name, "failure": t.failure, **asdict(t.verdict)}
        for t in trials
        if not t.sound or not t.inflicted
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"rows": [asdict(row) for row in table_rows], "trials": unsound}, indent=1)
    )
