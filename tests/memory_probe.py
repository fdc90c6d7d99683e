"""The most memory that annotating one clip takes here: `python -m tests.memory_probe -h`.

A process of its own, because what was freed before stays with a process; growth is told beyond the
interpreter and its libraries. Prints one JSON object.
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from pydantic import TypeAdapter

from easi3r.config import Settings, WeightDefaults
from easi3r.cost.memory import ClipMemory, needs_flow
from easi3r.cost.operations import ClipWork
from easi3r.evaluation.speed import import_clip_libraries, random_network
from easi3r.method.steps import StageClock
from easi3r.model import DUSt3R, ModelConfig, load_checkpoint
from easi3r.pipeline import annotate_frames, select_device
from easi3r.types import Frames

SMALL = ModelConfig(
    patch_size=16,
    encoder_depth=2,
    encoder_channels=64,
    encoder_heads=4,
    decoder_depth=4,
    decoder_channels=96,
    decoder_heads=12,
    head="dpt",
    long_side_px=512,
)


class ProcessorClock(StageClock):
    """Counts this process's processor time, which other processes do not lengthen by waiting."""

    def _now(self) -> float:
        return time.process_time() if self.device.type == "cpu" else super()._now()


@dataclass(frozen=True)
class Probe:
    """What was measured: bytes, and processor seconds of each stage (on a GPU: seconds)."""

    peak_bytes: int
    projected_bytes: int
    seconds: dict[str, float]


def moving_frames(frames: int, height: int, width: int) -> Frames:
    """A texture that slides by: something to see in every frame, without a video."""
    generator = np.random.default_rng(0)
    cells = generator.integers(0, 256, (height // 8, (width + 2 * frames) // 8, 3), dtype=np.uint8)
    texture = cv2.resize(cells, (width + 2 * frames, height), interpolation=cv2.INTER_CUBIC)
    images = np.stack([texture[:, 2 * i : 2 * i + width] for i in range(frames)])
    return Frames(images, np.arange(frames) / 10, np.arange(frames), np.eye(3))


def network(name: str) -> DUSt3R:
    """`nano`; or with random weights `small` (a DPT head), `linear` (a linear one), `published`."""
    if name == "nano":
        return load_checkpoint("nano").network
    sizes = {
        "small": SMALL,
        "linear": replace(SMALL, head="linear"),
        "published": ModelConfig.published(),
    }
    return random_network(sizes[name])


def measure(name: str, frames: Frames, settings: Settings, clips: int = 1) -> Probe:
    """Annotate some frames, as so many clips; this process must have annotated none before."""
    device = select_device(settings.execution.device)
    import_clip_libraries()
    before = 0 if device.type == "cuda" else _status_bytes("VmRSS")
    model = network(name).to(device)
    clock = ProcessorClock(device)
    for _ in range(clips):
        annotate_frames(frames, model, settings, clock=clock)
    peak = _status_bytes("VmHWM") - before
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(device)
    clip = ClipWork.of(model.config, settings, *frames.images.shape[:3])
    projected = ClipMemory(clip, needs_flow(settings)).peak_bytes
    return Probe(peak, projected, clock.seconds)


def _status_bytes(field: str) -> int:
    """A line of Linux's `/proc/self/status`, which tells kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def main() -> None:
    """Print the measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=["nano", "small", "linear", "published"])
    parser.add_argument("size", type=int, nargs=3, metavar=("FRAMES", "HEIGHT", "WIDTH"))
    parser.add_argument("--clips", type=int, default=1, help="how often, one after the other")
    parser.add_argument("--settings", default="{}", help="JSON")
    arguments = parser.parse_args()
    given = TypeAdapter(dict).validate_json(arguments.settings)
    settings = Settings.parse(given).completed(WeightDefaults())
    frames = moving_frames(*arguments.size)
    found = measure(arguments.network, frames, settings, arguments.clips)
    print(TypeAdapter(Probe).dump_json(found).decode())


if __name__ == "__main__":
    main()
