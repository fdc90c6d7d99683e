"""`make faults`: every fault of the suite inflicted on real runs, and a table of the outcomes.

Exits 1 if a clip was lost, committed twice, torn or computed again, or if fewer than
`--at-least` faults came to happen.
"""

import argparse
import logging
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from tests.faults.disks import CannotMountError, small_disk
from tests.faults.kills import kill_faults
from tests.faults.network import object_store
from tests.faults.orchestration import orchestrated
from tests.faults.processes import process_faults
from tests.faults.races import race_faults
from tests.faults.report import rows, table, write
from tests.faults.trial import Arena, Fault, Trial

SECONDS_BETWEEN_LINES = 10.0
WIDTH = 120  # of the table, where the output is no terminal


@dataclass(frozen=True)
class Suite:
    """Faults that are tried one after the other in one arena."""

    arena: Arena
    faults: Sequence[Fault]

    def trials(self) -> Iterator[Trial]:
        """Each fault, tried."""
        undisturbed = self.arena.undisturbed()
        for fault in self.faults:
            yield self.arena.hold(fault, undisturbed)


@dataclass
class Progress:
    """Says how far the suites are, every so often; several threads tell it."""

    console: Console
    total: int
    trials: list[Trial] = field(default_factory=list)
    _start: float = field(default_factory=time.monotonic)
    _said: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, trial: Trial) -> None:
        """One more trial."""
        with self._lock:
            self.trials.append(trial)
            if not trial.sound:
                harm = trial.failure or str(trial.verdict)
                self.console.print(f"HARM {trial.fault.kind}, {trial.fault.name}: {harm}")
            if time.monotonic() - self._said > SECONDS_BETWEEN_LINES:
                self._said = time.monotonic()
                self.console.print(str(self))

    def __str__(self) -> str:
        done, elapsed = len(self.trials), time.monotonic() - self._start
        left = timedelta(seconds=round(elapsed / max(done, 1) * (self.total - done)))
        harmed = sum(not trial.sound for trial in self.trials)
        return (
            f"{done}/{self.total} faults, {harmed} with harm, {done / elapsed:.1f} faults/s, "
            f"ETA {left}"
        )


def open_suites(folder: Path, every: int, console: Console, stack: ExitStack) -> list[Suite]:
    """Every suite that this machine can run; says which one it cannot."""
    local = Arena(folder / "local", str(folder / "local" / "data"))
    store = stack.enter_context(object_store(folder / "network"))
    flows = stack.enter_context(orchestrated(folder / "flows"))
    suites = [
        Suite(store.arena, list(store.faults())[::every]),
        # Few and each of its own kind, so all of them; of the boundaries of a run every n-th.
        Suite(flows.arena, list(flows.faults())),
        Suite(local, [*process_faults(local), *_thinned(local, every)]),
    ]
    try:
        disk = stack.enter_context(small_disk(folder / "disk"))
    except CannotMountError as error:
        console.print(f"no faults of disks: a tmpfs cannot be mounted here ({error})")
    else:
        suites.append(Suite(disk.arena, list(disk.faults())[::every]))
    return suites


def _thinned(arena: Arena, every: int) -> list[Fault]:
    return [*kill_faults(arena), *race_faults(arena)][::every]


def main() -> None:
    """Run the long suite."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/faults.json"))
    parser.add_argument("--every", type=int, default=1, help="try every n-th boundary only")
    parser.add_argument("--at-least", type=int, default=100, help="faults that must happen")
    arguments = parser.parse_args()
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # of connections cut on purpose
    console = Console(soft_wrap=True, width=None if sys.stdout.isatty() else WIDTH)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, ExitStack() as stack:
        suites = open_suites(Path(folder), arguments.every, console, stack)
        progress = Progress(console, sum(len(suite.faults) for suite in suites))
        with ThreadPoolExecutor(2) as threads:  # one suite waits for its server, one for its disk
            for _ in threads.map(lambda suite: _run(suite, progress), suites):
                pass
    table_rows = rows(progress.trials)
    write(table_rows, progress.trials, arguments.out)
    console.print(table(table_rows))
    *kinds, whole = table_rows
    never = [row.kind for row in kinds if not row.faults]
    if never:  # then the suite itself is broken, and says nothing of them
        console.print(f"never came to happen: {', '.join(never)}")
    took = timedelta(seconds=round(time.monotonic() - began))
    console.print(f"{whole.faults} faults in {took}; {whole.missed} did not come to happen")
    sys.exit(0 if whole.sound and not never and whole.faults >= arguments.at_least else 1)


def _run(suite: Suite, progress: Progress) -> None:
    for trial in suite.trials():
        progress.add(trial)


if __name__ == "__main__":
    main()
