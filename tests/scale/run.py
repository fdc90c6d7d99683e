"""A run of many clips with an engine that computes nothing: `python -m tests.scale.run`.

Real plan, Prefect server, Dask workers and store; what is measured is all that is not the network:
wall time, memory of each process, database and objects per clip, and a second run over the same.
"""

import argparse
import json
import os
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
from rich.console import Console

from tests.engines import NullEngine, null_settings
from tests.faults.collection import finish, speak_into, start
from tests.scale.videos import write_videos
from tests.servers import prefect_server

SECONDS_BETWEEN_SAMPLES = 0.5
SECONDS_BETWEEN_NEWS = 15.0
HOURS_12 = 12 * 3600.0
ROWS = (
    ("clips", "clips"),
    ("first run, s", "seconds"),
    ("clips a second", "clips_per_second"),
    ("second run, nothing to do, s", "again_seconds"),
    ("Prefect's database, bytes a clip", "database_bytes_per_clip"),
    ("objects a clip", "objects_per_clip"),
    ("bytes a clip", "bytes_per_clip"),
    ("flow's process, peak MB", "flow_mb"),
    ("Dask workers, peak MB each", "worker_mb"),
    ("Prefect server, peak MB", "server_mb"),
)


@dataclass(frozen=True)
class Measured:
    """One size of collection; peaks are resident memory, sampled twice a second."""

    clips: int
    seconds: float
    clips_per_second: float
    again_seconds: float
    database_bytes_per_clip: float
    objects_per_clip: float
    bytes_per_clip: float
    flow_mb: float
    worker_mb: float
    server_mb: float


@dataclass
class Watch:
    """Peaks of resident memory, by role, until stopped; says what the flow last logged."""

    processes: dict[str, psutil.Process]
    log: Path
    peaks: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _ended: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Body of its thread."""
        last_print = time.monotonic()
        while not self._ended.wait(SECONDS_BETWEEN_SAMPLES):
            for role, process in self.processes.items():
                with suppress(psutil.NoSuchProcess):
                    self._see(role, process)
                    for child in process.children(recursive=True):
                        self._see("worker" if role == "flow" else role, child)

            if time.monotonic() - last_print > SECONDS_BETWEEN_NEWS and self.log.exists():
                last_print = time.monotonic()
                news = [line for line in self.log.read_text().splitlines() if "ETA" in line]
                print(news[-1] if news else "planning, or starting", flush=True)

    def _see(self, role: str, process: psutil.Process) -> None:
        with suppress(psutil.NoSuchProcess):
            self.peaks[role] = max(self.peaks[role], process.memory_info().rss / 1e6)

    def stop(self) -> None:
        """No more samples."""
        self._ended.set()


def run_flow(source: str, destination: str, environment: dict[str, str], workers: int) -> None:
    """Body of the flow's process."""
    speak_into(Path(f"{destination}.log"))
    os.environ.update(environment)
    from prefect import flow  # reads the environment when it is imported

    from easi3r.run.run import Run
    from flows.annotate import PARTITION_THREADS, run_collection
    from tasks.cluster import LocalDask

    @flow(name="scale", task_runner=PARTITION_THREADS)
    def scale() -> None:
        settings = null_settings(execution={"device": "cpu", "clips_per_batch": 50})
        cluster = LocalDask(workers=workers)
        run_collection(Run.of(source, destination, settings, NullEngine), cluster, 2500)

    scale()


def measure(clips: int, folder: Path, workers: int) -> Measured:
    """Plan and annotate so many clips twice, on a new server and into a new dataset."""
    source, destination = write_videos(folder / "videos", clips), str(folder / "out.zarr")
    home = folder / "prefect"
    with prefect_server(home) as started:
        environment, server = started.environment, psutil.Process(started.pid)
        before = _size(home, "prefect.db*")
        seconds, peaks = _timed(source, destination, environment, workers, server)
        grown = _size(home, "prefect.db*") - before
        again, _ = _timed(source, destination, environment, workers, server)
    made = sum(1 for _ in Path(destination).glob("commits/*/*.json"))
    objects = [path for path in Path(destination).rglob("*") if path.is_file()]
    return Measured(
        clips=made,
        seconds=round(seconds, 1),
        clips_per_second=round(made / seconds, 1),
        again_seconds=round(again, 1),
        database_bytes_per_clip=round(grown / made, 1),
        objects_per_clip=round(len(objects) / made, 2),
        bytes_per_clip=round(sum(path.stat().st_size for path in objects) / made),
        flow_mb=round(peaks["flow"]),
        worker_mb=round(peaks["worker"]),
        server_mb=round(peaks["server"]),
    )


def _timed(
    source: str, destination: str, environment: dict[str, str], workers: int, server: psutil.Process
) -> tuple[float, dict[str, float]]:
    began = time.perf_counter()
    process = start(run_flow, source, destination, environment, workers)
    assert process.pid is not None
    processes = {"flow": psutil.Process(process.pid), "server": server}
    watch = Watch(processes, Path(f"{destination}.log"))
    thread = threading.Thread(target=watch.watch)
    thread.start()
    try:
        if finish(process, HOURS_12) != 0:
            raise RuntimeError(Path(f"{destination}.log").read_text()[-5000:])
    finally:
        watch.stop()
        thread.join()
    return time.perf_counter() - began, watch.peaks


def _size(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern))


def markdown(measurements: Sequence[Measured]) -> str:
    """A table with a column for each size."""
    lines = []
    for title, name in ROWS:
        lines.append(
            f"| {title} | " + " | ".join(f"{getattr(m, name):,}" for m in measurements) + " |"
        )
    lines.insert(1, "|---|" + "---:|" * len(measurements))
    return "\n".join(lines)


def main() -> None:
    """Measure each size, and write JSON and a table after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("out/scale"))
    arguments = parser.parse_args()
    console = Console(soft_wrap=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    measurements: list[Measured] = []
    for clips in arguments.clips:
        console.print(f"{clips} clips")
        with tempfile.TemporaryDirectory(prefix="scale-") as folder:
            measurements.append(measure(clips, Path(folder), arguments.workers))
        figures = json.dumps([asdict(one) for one in measurements], indent=1)
        (arguments.out / "scale.json").write_text(figures)
        (arguments.out / "scale.md").write_text(markdown(measurements) + "\n")
        console.print(markdown(measurements))


if __name__ == "__main__":
    main()
