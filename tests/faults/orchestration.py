"""The flow on a real Prefect server, which is killed under it; and the flow killed itself."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil

from tests.faults.collection import Run, finish, speak_into, start
from tests.faults.gate import Gate
from tests.faults.stopping import StopsAnnotating, stopping_at_clip
from tests.faults.trial import Arena, Fault
from tests.servers import PrefectServer, prefect_server


@dataclass(frozen=True)
class Orchestrated:
    """An arena whose disturbed runs are flow runs."""

    arena: Arena
    server: PrefectServer

    def faults(self) -> Iterator[Fault]:
        """Everything while a worker stands still before it annotates."""
        first, last = self.arena.clip_ids[1:]
        for name, clip_id in (("first clip", first), ("last clip", last)):
            restart = partial(self._restart_server, clip_id=clip_id)
            yield Fault("Prefect server: SIGKILL, restarted", name, restart)
            yield Fault("flow run: SIGKILL", name, partial(self._kill_flow, clip_id=clip_id))

    def _restart_server(self, run: Run, clip_id: str) -> bool:
        gate, flow_run, worker = self._stopped(run, clip_id)
        self.server.kill()
        self.server.start()
        gate.release()
        finish(flow_run)  # well, or with a typed error: what counts is what it leaves
        return worker is not None

    def _kill_flow(self, run: Run, clip_id: str) -> bool:
        gate, flow_run, worker = self._stopped(run, clip_id)
        flow_run.kill()
        finish(flow_run)
        gate.release()
        if worker is not None:
            with suppress(psutil.NoSuchProcess):
                psutil.Process(worker).wait(60)
        return worker is not None

    def _stopped(self, run: Run, clip_id: str) -> tuple[Gate, BaseProcess, int | None]:
        """A flow run whose worker has stopped: the gate, the flow's process, the worker's id."""
        gate = Gate(run.folder / "gate").build()
        variables = {**run.environment, **self.server.environment}
        stopping = {**variables, **stopping_at_clip(gate, clip_id)}
        disturbed = replace(run, engine=StopsAnnotating, environment=stopping)
        return gate, start(annotate_as_flow, disturbed), gate.arrived()


def annotate_as_flow(run: Run) -> None:
    """Body of a flow run's process: the composition of the deployed flow, with the run's engine."""
    run.folder.mkdir(parents=True, exist_ok=True)
    speak_into(run.output)
    os.environ.update(run.variables)
    from prefect import flow  # reads the environment when it is imported

    from flows.annotate import PARTITION_THREADS, run_collection
    from tasks.cluster import LocalDask

    @flow(name="faults", task_runner=PARTITION_THREADS)
    def annotate() -> None:
        run_collection(run.collection, LocalDask(workers=1), 500)

    annotate()


@contextmanager
def orchestrated(folder: Path) -> Iterator[Orchestrated]:
    """A Prefect server, and an arena whose faults are about it."""
    with prefect_server(folder / "prefect") as server:
        yield Orchestrated(Arena(folder, str(folder / "data")), server)
