"""SIGKILL at every step of the writer, the committer and the quarantine, on a local disk."""

import signal
from collections.abc import Iterator, Sequence
from functools import partial

from tests.faults.boundaries import At, die, die_half_written
from tests.faults.collection import Run, annotate, finish, start
from tests.faults.trial import Arena, FailedTrialError, Fault


def kill_faults(arena: Arena) -> Iterator[Fault]:
    """One fault before each step that an undisturbed run takes, and one inside each write."""
    for number, step in distinct_steps(count_steps(arena)):
        yield Fault("SIGKILL before a step", step, partial(_kill, at=At(number, die)))
        if step.startswith("os.fsync"):
            torn = partial(_kill, at=At(number, die_half_written))
            yield Fault("SIGKILL half-way through a write", step, torn)


def count_steps(arena: Arena) -> list[str]:
    """The steps of an undisturbed run: what is done, to which path of the dataset."""
    run = arena.new_run()
    steps = arena.folder / "steps"
    if finish(start(annotate, run, None, steps)) != 0:
        raise FailedTrialError(run.output.read_text())
    return steps.read_text().splitlines()


def distinct_steps(steps: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The steps with their numbers, but for folders made again: the disk is as it was before."""
    made: set[str] = set()
    for number, step in enumerate(steps):
        if not (step in made and step.startswith("os.mkdir")):
            yield number, step
        made.add(step)


def _kill(run: Run, at: At) -> bool:
    code = finish(start(annotate, run, at))
    if code not in (0, -signal.SIGKILL):
        raise FailedTrialError(run.output.read_text())
    return code == -signal.SIGKILL
