"""Network, whole clip and plain method on one device: `tests/benchmarks/gpu.sh` runs it.

A network with random weights, in the default precision of published weights, within a memory
budget. The whole clip is network, masks and alignment, without optical flow in either method; the
plain method is `naive.py` in float32 and 300 Adam steps. Of the plain method only some pairs and
some steps are run, and their seconds scaled to all of them.
"""

import argparse
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

import torch
from rich.console import Console
from torch.profiler import ProfilerActivity, profile

from easi3r.alignment import align
from easi3r.alignment.initial_state import initial_state
from easi3r.attention import pair_graph
from easi3r.config import Settings, WeightDefaults
from easi3r.cost.memory import ClipMemory, within_budget
from easi3r.cost.operations import ClipWork
from easi3r.evaluation.speed import peak_memory_bytes, random_network, seeing_a_wall
from easi3r.knowledge import KnownCameras
from easi3r.model import DUSt3R, ModelConfig
from easi3r.pipeline import select_device
from easi3r.tensors import PairGraph, PairPrediction
from easi3r.types import Frames
from tests.benchmarks import naive
from tests.benchmarks.adam import STEPS, descend_by_adam
from tests.benchmarks.network import run_ours
from tests.benchmarks.results import Row, report
from tests.memory_probe import SMALL, moving_frames

FRAMES_PER_SECOND_GOAL = 40.0  # on an H100
MEMORY_GOAL_GB = 12.0
RATIO_GOAL = 10.0
IDLE_GOAL = 0.05


@dataclass(frozen=True)
class Size:
    """Settings of the benchmark.

    Attributes:
        plain_frames: frames of the plain method's clip; its pairs are fewer by as much.
        adam_steps: of the 300.
    """

    config: ModelConfig
    frames: int
    height: int
    width: int
    plain_frames: int
    adam_steps: int


SIZES = {
    "published": Size(ModelConfig.published(), 64, 288, 512, plain_frames=8, adam_steps=10),
    "small": Size(SMALL, 4, 64, 112, plain_frames=3, adam_steps=5),
}


@dataclass(frozen=True)
class Bench:
    """A network on its device, a clip for it, and how it runs; `plain` is it in float32."""

    size: Size
    device: torch.device
    network: DUSt3R
    plain: DUSt3R
    frames: Frames
    settings: Settings

    @classmethod
    def of(cls, size: Size, device: torch.device, budget_gb: float) -> "Bench":
        """Random weights, and as many pairs in flight as the budget allows, 64 at most."""
        plain = random_network(size.config)
        network = seeing_a_wall(plain.in_precision("bfloat16")).to(device)
        frames = moving_frames(size.frames, size.height, size.width)
        settings = Settings.parse(
            {
                "model": {"precision": "bfloat16"},
                "alignment": {"flow_weight": 0.0},
                "execution": {
                    "pairs_per_batch": 64,
                    "memory_budget_bytes": round(budget_gb * 1e9),
                },
            }
        ).completed(WeightDefaults())
        return cls(
            size, device, network, plain, frames, within_budget(settings, size.config, frames)
        )

    @property
    def work(self) -> ClipWork:
        """The clip as the hardware sees it."""
        shape = self.frames.images.shape[:3]
        return ClipWork.of(self.size.config, self.settings, *shape)

    def seconds(self, run: Callable[[], object]) -> float:
        """The device's work is waited for."""
        self._wait()
        begin = time.perf_counter()
        run()
        self._wait()
        return time.perf_counter() - begin

    def predict(self) -> PairPrediction:
        """Encoder, pass 1, segmentation, pass 2, segmentation."""
        return run_ours(self.network, self.frames, self.settings)

    def idle_share(self, seconds: float) -> float:
        """Share of the network's seconds in which the device did nothing.

        On a GPU from the kernels' own times, profiled in a run that is not timed; on a CPU from the
        processor time of this process over that of its threads.
        """
        if self.device.type != "cuda":
            begin = time.process_time()
            wall = self.seconds(self.predict)
            return 1 - min(1.0, (time.process_time() - begin) / (wall * torch.get_num_threads()))
        with profile(activities=[ProfilerActivity.CUDA]) as profiled:
            self.predict()
            self._wait()
        kernels = sum(event.self_device_time_total for event in profiled.key_averages())
        return max(0.0, 1 - kernels / 1e6 / seconds)

    def plain_network_seconds(self) -> float:
        """The plain method on the first frames, scaled by pairs."""
        count = self.size.plain_frames
        images = torch.from_numpy(self.frames.images[:count]).to(self.device)
        graph = pair_graph(count, self.settings.graph)
        network = self.plain.to(self.device)
        spent = self.seconds(
            lambda: naive.annotate(network, images, graph, self.settings.segmentation)
        )
        return spent * self.work.pairs / len(graph)

    def adam_seconds(self, graph: PairGraph, prediction: PairPrediction) -> float:
        """Some of 300 Adam steps on every pixel of every pair, scaled by steps."""
        settings, few = self.settings.alignment, self.size.adam_steps
        state = initial_state(graph, prediction, KnownCameras(), settings).state
        with ExitStack() as scope:
            scope.enter_context(torch.enable_grad())
            scope.enter_context(torch.device(self.device))
            steps = descend_by_adam(graph, prediction, state, settings, None, every=few)
            spent = self.seconds(lambda: next(steps))
        return spent * STEPS / few

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def measure(bench: Bench, say: Callable[[str], None]) -> list[Row]:
    """The table's rows, goals aside that are of a GPU; says before each part what it does."""
    count, work = len(bench.frames), bench.work
    say(f"network: {work.pairs} pairs, {work.pairs_per_batch} in flight")
    before = peak_memory_bytes(bench.device)
    bench.seconds(bench.predict)  # libraries load and allocate
    network = bench.seconds(bench.predict)
    idle = bench.idle_share(network)
    say("alignment")
    prediction = bench.predict()
    settings = bench.settings.alignment
    aligning = bench.seconds(lambda: align(work.graph, prediction, settings))
    peak = peak_memory_bytes(bench.device) - (0 if bench.device.type == "cuda" else before)
    projected = ClipMemory(work, uses_flow=False).peak_bytes
    say("plain method: network, then Adam")
    plain_network = bench.plain_network_seconds()
    plain_aligning = bench.adam_seconds(work.graph, prediction)
    ratio = (plain_network + plain_aligning) / (network + aligning)
    rate = count / network
    rows = [
        Row("network", rate, "frames/s", FRAMES_PER_SECOND_GOAL, ">="),
        Row("network, achieved", work.network_flops / network / 1e12, "TFLOP/s"),
        Row("device idle in the network's stages", idle, "", IDLE_GOAL),
        Row("peak memory", peak / 1e9, "GB", MEMORY_GOAL_GB),
        Row("measured peak over projected", peak / projected, "", 1.0),
        Row("alignment", aligning, "s"),
        Row("plain method: network, scaled", plain_network, "s"),
        Row("plain method: 300 Adam steps, scaled", plain_aligning, "s"),
        Row("network: ours over plain", plain_network / network),
        Row("whole clip: ours over plain", ratio, "", RATIO_GOAL, ">="),
    ]
    if bench.device.type == "cuda":
        return rows
    return [replace(row, goal=None) for row in rows]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default=os.environ.get("DEVICE", "auto"))
    parser.add_argument("--size", choices=SIZES, default=os.environ.get("SIZE", "published"))
    parser.add_argument("--budget-gb", type=float, default=MEMORY_GOAL_GB)
    arguments = parser.parse_args()
    console, begin = Console(stderr=True), time.monotonic()

    def say(part: str) -> None:
        console.print(f"{time.monotonic() - begin:5.0f} s  {part}", highlight=False)

    device = select_device(arguments.device)
    bench = Bench.of(SIZES[arguments.size], device, arguments.budget_gb)
    report("gpu", measure(bench, say))


if __name__ == "__main__":
    main()
