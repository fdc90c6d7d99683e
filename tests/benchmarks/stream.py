"""A stream of clips with storage on, against the same stream with storage off.

`python -m tests.benchmarks.stream`, part of `make bench`. On: `annotate_batch` into a dataset on
the local disk. Off: the same clips through the same three overlapping steps, with results dropped
where they would be written. In turns, in one process, with the engine warm.

The engine has one thread, as in a local Dask worker; decoding and writing have the other cores, as
they have beside a GPU. The device counts as idle whenever the engine computes nothing: while it
waits for frames or for the writer, before the first clip, and while the last one is written.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import torch
from rich.progress import track
from threadpoolctl import threadpool_limits

from easi3r.config import Settings
from easi3r.run.engine import Engine, load_engine
from easi3r.run.overlap import overlapped
from easi3r.run.run import Run
from easi3r.run.worker import CLIPS_AHEAD, annotate_batch
from easi3r.store import prepare_dataset
from easi3r.synthetic import SceneSettings, render, sample_scene, write_clip
from easi3r.types import ClipAnnotation, ClipSpec, Frames, Outcome
from easi3r.video import plan_clips, probe
from tests.benchmarks.results import Row, report


@dataclass(frozen=True)
class Passage:
    """One passage of the stream.

    Attributes:
        seconds: by the clock.
        busy_seconds: of them, those in which the engine computed.
        processor_seconds: of all threads.
    """

    seconds: float
    busy_seconds: float
    processor_seconds: float


@dataclass
class WatchedEngine:
    """An engine, and how long it computed."""

    engine: Engine
    busy_seconds: float = 0.0

    @property
    def weights_sha256(self) -> str:
        """See `Engine`."""
        return self.engine.weights_sha256

    @property
    def device(self) -> str:
        """See `Engine`."""
        return self.engine.device

    def decode(self, spec: ClipSpec, settings: Settings) -> Frames:
        """See `Engine`."""
        return self.engine.decode(spec, settings)

    def annotate(self, spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
        """See `Engine`."""
        start = time.perf_counter()
        try:
            return self.engine.annotate(spec, frames, settings)
        finally:
            self.busy_seconds += time.perf_counter() - start

    def passage(self, start: float, processor_start: float) -> Passage:
        """Wall, busy and processor seconds since both clocks were read."""
        processor_seconds = time.process_time() - processor_start
        return Passage(time.perf_counter() - start, self.busy_seconds, processor_seconds)


def stored(specs: list[ClipSpec], engine: Engine, settings: Settings, url: str) -> Passage:
    """Annotate the clips into a new dataset."""
    prepare_dataset(url, settings.model_dump_json())
    watched = WatchedEngine(engine)
    start, processor = time.perf_counter(), time.process_time()
    reports = annotate_batch(specs, Run("", url, settings, lambda _: watched))
    passage = watched.passage(start, processor)
    assert all(one.outcome is Outcome.COMMITTED for one in reports), reports
    return passage


def dropped(specs: list[ClipSpec], engine: Engine, settings: Settings) -> Passage:
    """Annotate the clips for nobody."""
    watched = WatchedEngine(engine)
    start, processor = time.perf_counter(), time.process_time()
    for _, answer in overlapped(
        specs,
        lambda spec: watched.decode(spec, settings),
        lambda spec, frames: watched.annotate(spec, frames, settings),
        lambda spec, annotation: len(annotation),
        depth=CLIPS_AHEAD,
        ended=Event(),
    ):
        if isinstance(answer, Exception):
            raise answer
    return watched.passage(start, processor)


def rendered(folder: Path, count: int, frames: int, settings: Settings) -> list[ClipSpec]:
    """The clips of `count` rendered videos of 320x240, one of each."""
    scene = SceneSettings(frames=frames, height=240, width=320)
    videos = [
        write_clip(render(sample_scene(seed, scene)), folder, f"scene-{seed}")
        for seed in track(range(count), description="rendering")
    ]
    return [
        spec
        for video in videos
        for spec in plan_clips(probe(str(video)), settings.sampling, settings.video)
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=3)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--turns", type=int, default=2, help="of each of the two")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    settings = Settings.parse({"sampling": {"clip_frames": arguments.frames}})
    engine = load_engine(settings)
    on: list[Passage] = []
    off: list[Passage] = []
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        specs = rendered(Path(folder), arguments.clips, arguments.frames, settings)
        dropped(specs[:1], engine, settings)  # warms the engine up
        for turn in track(range(arguments.turns), description="off, on"):
            off.append(dropped(specs, engine, settings))
            on.append(stored(specs, engine, settings, f"{folder}/{turn}.zarr"))
    seconds_on, seconds_off = (sum(one.seconds for one in each) for each in (on, off))
    processor_on, processor_off = (sum(one.processor_seconds for one in each) for each in (on, off))
    busy = sum(one.busy_seconds for one in on)
    clip = f"a clip of {arguments.frames} frames, {arguments.clips} in the stream"
    clips = arguments.turns * len(specs)
    report(
        "stream",
        [
            Row("time, storage on over off", seconds_on / seconds_off, goal=1.05),
            Row("device idle, storage on", 100 * (1 - busy / seconds_on), "%", goal=5.0),
            Row("processor time, storage on over off", processor_on / processor_off),
            Row(f"{clip}: storage off", seconds_off / clips, "s"),
            Row(f"{clip}: storage on", seconds_on / clips, "s"),
        ],
    )


if __name__ == "__main__":
    main()
