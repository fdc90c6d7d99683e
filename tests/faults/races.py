"""Two runs over one collection at once: one stands still at a step while the other does it all."""

from collections.abc import Iterator
from functools import partial

from tests.faults.boundaries import At, StopAt
from tests.faults.collection import Run, annotate, finish, start
from tests.faults.gate import Gate
from tests.faults.kills import count_steps, distinct_steps
from tests.faults.trial import Arena, FailedTrialError, Fault, run_again

FREE_RACES = 10


def race_faults(arena: Arena) -> Iterator[Fault]:
    """The first run overtaken before each of its steps; and runs that just start together."""
    for number, step in distinct_steps(count_steps(arena)):
        overtaken = partial(_overtake, number=number)
        yield Fault("two runs: one overtaken by the other", step, overtaken)
    for number in range(FREE_RACES):
        yield Fault("two runs: started together", f"race {number}", _race)


def _overtake(run: Run, number: int) -> bool:
    gate = Gate(run.folder / "gate").build()
    slow = start(annotate, run, At(number, StopAt(gate)))
    stopped = gate.arrived(60) is not None
    run_again(run.beside("overtaking"))
    gate.release()
    _must_end_well(run, finish(slow))
    return stopped


def _race(run: Run) -> bool:
    other = run.beside("other")
    both = [(run, start(annotate, run)), (other, start(annotate, other))]
    for racer, process in both:
        _must_end_well(racer, finish(process))
    return True


def _must_end_well(run: Run, code: int) -> None:
    if code != 0:
        raise FailedTrialError(f"{run.destination}: {run.output.read_text()}")
