"""The small collection that every fault is inflicted on, and runs of it in processes of their own.

A run's process is forked from a server that has only imported the code (`forkserver`): it costs
a tenth of a second, shares nothing with its siblings, and can be killed.
"""

import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from easi3r.config import Settings
from easi3r.executor import Executor
from easi3r.run.collection import annotate_collection
from easi3r.run.run import Run as CollectionRun
from easi3r.store import audit, collect_garbage, update_index
from easi3r.types import Outcome
from tests.engines import (
    INFERENCE_LOG,
    TROUBLED_CLIPS,
    NullEngine,
    null_settings,
)
from tests.faults.boundaries import At, Boundaries
from tests.scenes import write_scenes

_PROCESSES = multiprocessing.get_context("forkserver")
_PRELOADED = [
    "tests.faults.collection",
    "easi3r.run.worker",
    "easi3r.run.collection",
    "s3fs",
    "scenedetect",
]
NO_VIDEO = "broken.mp4"  # of the collection's files


@dataclass(frozen=True)
class Run:
    """One run of the collection.

    Attributes:
        destination: path or URL of the dataset.
        folder: scratch of this run alone: its inference log and its process's output.
        engine: see `tests.engines`.
        environment: variables set for the run's process, over those of this one.
    """

    source: str
    destination: str
    folder: Path
    engine: type[NullEngine] = NullEngine
    settings: Settings = field(default_factory=null_settings)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def collection(self) -> CollectionRun:
        """As the command line and the flow take it."""
        return CollectionRun.of(self.source, self.destination, self.settings, self.engine)

    @property
    def inference_log(self) -> Path:
        return self.folder / "inferences"

    @property
    def output(self) -> Path:
        """Output of the run's process, its traceback included."""
        return self.folder / "output"

    @property
    def variables(self) -> dict[str, str]:
        """The environment that the run's process adds to its own."""
        return {**self.environment, INFERENCE_LOG: str(self.inference_log)}

    def beside(self, name: str) -> "Run":
        """The same run once more, with a log and an output of its own."""
        return replace(self, folder=self.folder / name)

    def troubled(self, engine: Callable[[Settings], NullEngine], *clip_ids: str) -> "Run":
        """The same run with an engine that has trouble with some clips."""
        named = {**self.environment, TROUBLED_CLIPS: ",".join(clip_ids)}
        return replace(self, engine=engine, environment=named)


def write_collection(folder: Path) -> str:
    """Three videos of one clip each, and one file that is none; returns the source."""
    write_scenes(folder, count=3, frames=3)
    (folder / NO_VIDEO).write_bytes(b"no video at all" * 100)
    return str(folder)


def start(target: Callable[..., None], *arguments: Any) -> multiprocessing.process.BaseProcess:
    """A process of its own that runs a module-level function."""
    _PROCESSES.set_forkserver_preload(_PRELOADED)
    process = _PROCESSES.Process(target=target, args=arguments)
    process.start()
    return process


def finish(process: multiprocessing.process.BaseProcess, seconds: float = 600) -> int:
    """Wait for a process; its exit code, minus the signal that ended it.

    Raises:
        TimeoutError: it did not end; it was killed.
    """
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise TimeoutError(f"{process} did not end within {seconds} s")
    return process.exitcode


def annotate(run: Run, at: At | None = None, steps: Path | None = None) -> None:
    """Body of a run's process: annotate the collection, perhaps disturbed midway.

    Args:
        at: something to do before a step; only for a destination on a local disk.
        steps: where to write the steps that were taken, one a line; they are not counted if None.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    speak_into(run.output)
    os.environ.update(run.variables)
    boundaries = Boundaries(Path(run.destination), at)
    if at or steps:
        boundaries.install()
    try:
        annotate_here(run)
    except Exception:
        traceback.print_exc()
        raise SystemExit(1) from None
    if steps:
        steps.write_text("\n".join(boundaries.steps))


def annotate_and_audit(run: Run) -> None:
    """Body of the process that follows a fault: annotate, clear the wreckage, audit."""
    annotate(run)
    collect_garbage(run.destination, older_than_seconds=0)
    update_index(run.destination)
    findings = audit(run.destination, older_than_seconds=0).findings
    if findings:
        raise SystemExit(f"the audit found: {[str(finding) for finding in findings]}")


def annotate_on_dask(run: Run) -> None:
    """Body of a supervisor's process: as `annotate`, with a Dask worker in a process of its own."""
    from tasks.cluster import LocalDask, open_executor  # imports torch, which others do without

    run.folder.mkdir(parents=True, exist_ok=True)
    speak_into(run.output)
    os.environ.update(run.variables)
    with open_executor(LocalDask(workers=1)) as executor:
        annotate_here(run, executor)


def speak_into(path: Path) -> None:
    """Send what this process says, and what its libraries say, to a file."""
    output = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)


def annotate_here(run: Run, executor: Executor | None = None) -> None:
    """Annotate the collection in this process or on an executor, with the run's engine."""
    record = annotate_collection(run.collection, executor)
    if record.clips[Outcome.FAILED]:
        raise SystemExit(f"failed for now: {record.troubles}")
