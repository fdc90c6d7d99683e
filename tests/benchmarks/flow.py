"""Overhead of the flow over its engine: `python -m tests.benchmarks.flow`, part of `make bench`.

The same clips twice: in a bare loop that decodes and annotates (no plan, store, Dask or Prefect),
and through the flow with one Dask worker. Bare, half of the clips run before the flow and half
after it, engine warm, on one thread: what a worker has. The flow is timed from the start of
planning to the run's last record, the first inference of its worker included; starting the cluster,
and loading libraries and weights there, come before it and are measured separately.

Clips are small, so that a hundred of them do not take an hour: what a clip costs the flow is then
seen best. `--frames`, `--side` and `--clips` give larger ones.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from distributed import Client
from prefect import flow
from rich.progress import track
from threadpoolctl import threadpool_limits

from easi3r.config import Settings
from easi3r.evaluation.speed import import_clip_libraries
from easi3r.run.engine import Engine, load_engine
from easi3r.run.run import Run
from easi3r.run.run_record import RunRecord
from easi3r.types import ClipSpec, Outcome
from easi3r.video import plan_clips, probe
from flows.annotate import PARTITION_THREADS, run_collection
from tasks.cluster import ExistingDask, local_cluster
from tests.benchmarks.results import Row, report
from tests.scenes import write_scenes

CLIPS_PER_VIDEO = 20
BATCH_SECONDS = 60.0
GOAL = 1.05


@dataclass(frozen=True)
class Passage:
    """The clips once through.

    Attributes:
        bare_seconds: decoding and annotating alone.
        flow_seconds: planning, annotating, writing, verifying, committing, index.
        start_seconds: starting the cluster, loading libraries and weights there.
    """

    bare_seconds: float
    flow_seconds: float
    start_seconds: float


@flow(task_runner=PARTITION_THREADS)
def annotate(source: str, destination: str, settings: Settings, address: str) -> RunRecord:
    """The composition that is timed."""
    return run_collection(Run.of(source, destination, settings), ExistingDask(address=address), 500)


@flow
def nothing() -> None:
    """Starts the ephemeral server, which is not timed."""


def load_libraries_and_weights(settings: Settings) -> str:
    """In the worker, so that its first batch finds them there; the hash of the weights."""
    import_clip_libraries()
    return load_engine(settings).weights_sha256


def bare_seconds(specs: list[ClipSpec], engine: Engine, settings: Settings) -> float:
    """Decode and annotate clips in a loop, one before them to warm up."""
    with threadpool_limits(1):
        engine.annotate(specs[0], engine.decode(specs[0], settings), settings)
        start = time.perf_counter()
        for spec in track(specs, description="bare engine"):
            engine.annotate(spec, engine.decode(spec, settings), settings)
        return time.perf_counter() - start


def measure(folder: Path, clips: int, settings: Settings) -> Passage:
    """Bare, by the flow, and bare again."""
    frames = settings.sampling.clip_frames
    videos = write_scenes(folder / "videos", clips // CLIPS_PER_VIDEO, frames * CLIPS_PER_VIDEO)
    specs = [
        spec
        for video in videos
        for spec in plan_clips(probe(str(video)), settings.sampling, settings.video)
    ]
    engine, middle = load_engine(settings), len(specs) // 2
    bare = bare_seconds(specs[:middle], engine, settings)
    batch = {"clips_per_batch": min(1024, max(1, round(BATCH_SECONDS * middle / bare)))}
    execution = settings.execution.model_copy(update=batch)
    timed = settings.model_copy(update={"execution": execution})
    nothing()
    start = time.perf_counter()
    with local_cluster(workers=1, gpus=0) as cluster, Client(cluster) as client:
        client.submit(load_libraries_and_weights, timed).result()
        started = time.perf_counter() - start
        source, destination = str(folder / "videos"), str(folder / "out.zarr")
        record = cast(RunRecord, annotate(source, destination, timed, cluster.scheduler_address))
    assert record.clips[Outcome.COMMITTED] == len(specs) == clips, record
    bare += bare_seconds(specs[middle:], engine, settings)
    return Passage(bare, record.wall_seconds, started)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--frames", type=int, default=4, help="of a clip")
    parser.add_argument("--side", type=int, default=64, help="longer side, pixels")
    parser.add_argument("--max-steps", type=int, default=5, help="of the alignment's solver")
    arguments = parser.parse_args()
    if arguments.clips % CLIPS_PER_VIDEO:
        parser.error(f"--clips must be a multiple of {CLIPS_PER_VIDEO}")
    torch.set_num_threads(1)
    settings = Settings.parse(
        {
            "sampling": {"clip_frames": arguments.frames},
            "video": {"long_side_px": arguments.side},
            "graph": {"window": 2},
            "alignment": {"max_steps": arguments.max_steps},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        timings = measure(Path(folder), arguments.clips, settings)
    clips = f"{arguments.clips} clips of {arguments.frames} frames of {arguments.side} px"
    report(
        "flow",
        [
            Row(
                f"{clips}: flow over bare engine",
                timings.flow_seconds / timings.bare_seconds,
                "",
                GOAL,
            ),
            Row("bare engine: decode and annotate", timings.bare_seconds, "s"),
            Row("flow: plan, annotate, write, verify, commit, index", timings.flow_seconds, "s"),
            Row("starting the cluster, loading weights there", timings.start_seconds, "s"),
        ],
    )


if __name__ == "__main__":
    main()
