"""Workers and supervisors that die: SIGKILL from outside, poison clips, lack of memory."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial

import psutil

from easi3r.config import Settings
from tests.engines import NullEngine, OutOfMemoryEngine, PoisonEngine, TransientErrorEngine
from tests.faults.collection import Run, annotate, annotate_on_dask, finish, start
from tests.faults.gate import Gate
from tests.faults.stopping import (
    StopsAnnotating,
    StopsDecoding,
    StopsWriting,
    stopping_at_clip,
    stopping_at_step,
)
from tests.faults.trial import Arena, FailedTrialError, Fault

Prepare = Callable[[Run, Gate], Run]
STEPS_OF_A_WORKER = (5, 45, 95, 110)  # a clip takes about 100


def process_faults(arena: Arena) -> Iterator[Fault]:
    """A worker or its supervisor killed wherever the worker is; clips that harm their worker."""
    moments: dict[str, Prepare] = {
        "before decoding": partial(_at_clip, engine=StopsDecoding, clip_id=arena.clip_ids[1]),
        "before annotating": partial(_at_clip, engine=StopsAnnotating, clip_id=arena.clip_ids[2]),
    }
    for step in STEPS_OF_A_WORKER:
        moments[f"at step {step} of its writing"] = partial(_at_step, step=step)
    for name, prepare in moments.items():
        yield Fault("Dask worker: SIGKILL", name, partial(_kill_worker, prepare=prepare))
        killed = partial(_kill_supervisor, prepare=prepare)
        yield Fault("supervisor: SIGKILL, workers go on", f"worker {name}", killed)
    sick = arena.clip_ids[1]
    poison = partial(_run_with, engine=PoisonEngine, clip_id=sick, body=annotate_on_dask)
    yield Fault("poison clip", "kills every worker", poison, {sick: "worker_lost"})
    memory = partial(_run_with, engine=OutOfMemoryEngine, clip_id=sick, body=annotate)
    yield Fault("device out of memory", "however small it is made", memory, {sick: "oom"})
    passing = partial(_run_with, engine=TransientErrorEngine, clip_id=sick, body=annotate)
    yield Fault("transient error", "of the engine, once", passing)


def _at_clip(run: Run, gate: Gate, engine: type[NullEngine], clip_id: str) -> Run:
    return _with(run, engine, stopping_at_clip(gate, clip_id))


def _at_step(run: Run, gate: Gate, step: int) -> Run:
    return _with(run, StopsWriting, stopping_at_step(gate, run.destination, step))


def _with(run: Run, engine: type[NullEngine], variables: Mapping[str, str]) -> Run:
    return replace(run, engine=engine, environment={**run.environment, **variables})


def _kill_worker(run: Run, prepare: Prepare) -> bool:
    gate = Gate(run.folder / "gate").build()
    supervisor = start(annotate_on_dask, prepare(run, gate))
    worker = gate.arrived()
    if worker is not None:
        os.kill(worker, signal.SIGKILL)
    if finish(supervisor) != 0:  # it does not notice: another worker does the work
        raise FailedTrialError(run.output.read_text())
    return worker is not None


def _kill_supervisor(run: Run, prepare: Prepare) -> bool:
    gate = Gate(run.folder / "gate").build()
    supervisor = start(annotate_on_dask, prepare(run, gate))
    worker = gate.arrived()
    supervisor.kill()
    finish(supervisor)
    gate.release()
    if worker is not None:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(worker).wait(60)  # orphaned, it finishes what it does and ends itself
    return worker is not None


def _run_with(
    run: Run, engine: Callable[[Settings], NullEngine], clip_id: str, body: Callable[[Run], None]
) -> bool:
    sick = run.troubled(engine, clip_id)
    if finish(start(body, sick)) != 0:
        raise FailedTrialError(run.output.read_text())
    return True
