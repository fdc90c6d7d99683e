"""Frames a second of the network's stages, against the plain method: part of `make bench`.

One clip, a network of the published size with random weights: our encoder, pass 1, segmentation and
pass 2, in float32 before and in the default precision of published weights after the plain
implementation of `naive.py` in float32. Ratios are of this run; outputs are compared too. Where the
device has no bfloat16 in hardware the default is float32, and its goal, made for bfloat16, is out
of reach (docs/decisions/011-precision-and-batching.md): the table names the precision.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from easi3r.attention import pair_graph
from easi3r.config import Settings
from easi3r.cost.operations import ClipWork
from easi3r.evaluation.speed import random_network
from easi3r.method.steps import ClipSteps
from easi3r.model import DUSt3R, ModelConfig, defaults_of
from easi3r.model.precision import defaults_on
from easi3r.pipeline import select_device
from easi3r.tensors import PairPrediction
from easi3r.types import Frames
from tests.benchmarks import naive
from tests.benchmarks.results import Row, report

FLOAT32_GOAL, DEFAULT_GOAL = 2.5, 4.0


def random_clip(frames: int, height: int, width: int) -> Frames:
    """Smooth random images: features that differ from token to token, as pictures' do."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(frames, 3, 9, 16, generator=generator)
    images = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic")
    pixels = (255 * images.clamp(0, 1)).byte().permute(0, 2, 3, 1).contiguous().numpy()
    return Frames(pixels, np.arange(frames) / 10, np.arange(frames), np.eye(3))


def run_ours(network: DUSt3R, frames: Frames, settings: Settings) -> PairPrediction:
    """The network's stages as `pipeline.annotate_frames` takes them for the attention cue."""
    clip = ClipSteps.begin(frames, network, settings)
    second = clip.second_pass(clip.attention_masks(clip.first_attention()))
    clip.attention_masks(second.statistics)
    return second.prediction


@dataclass(frozen=True)
class Timed:
    """One way to run a clip: its seconds, and what it predicted in pass 2."""

    seconds: float
    prediction: PairPrediction

    @classmethod
    def of(cls, run: Callable[[], PairPrediction]) -> "Timed":
        """The device's work is waited for."""
        start = time.perf_counter()
        prediction = run()
        float(prediction.points_1.sum())
        return cls(time.perf_counter() - start, prediction)

    def error(self, reference: "Timed") -> float:
        """Median distance to the reference's points, relative to their distance from the camera."""
        ours, theirs = self.prediction.points_1, reference.prediction.points_1
        relative = (ours - theirs).norm(dim=-1) / theirs.norm(dim=-1)
        return float(relative.median())


def measure(config: ModelConfig, frames: Frames, device: str) -> list[Row]:
    """The table's rows."""
    target = select_device(device)
    network = random_network(config).to(target)
    precise = Settings.parse({"model": {"precision": "float32"}})
    default = Settings().completed(defaults_on(target, defaults_of(config)))
    images = torch.from_numpy(frames.images).to(target)
    graph = pair_graph(len(frames), precise.graph)

    def plainly() -> PairPrediction:
        return naive.annotate(network, images, graph, precise.segmentation).prediction

    for settings in (precise, default):  # a small clip first: libraries load and allocate
        run_ours(network, random_clip(2, *frames.images.shape[1:3]), settings)
    in_float32 = Timed.of(lambda: run_ours(network, frames, precise))
    plain = Timed.of(plainly)
    in_default = Timed.of(lambda: run_ours(network, frames, default))
    ours, lower = in_float32.seconds, in_default.seconds
    named = f"default precision ({default.model.precision})"
    work = ClipWork.of(config, default, *frames.images.shape[:3])
    rate, unit = len(frames), "frames/s"
    return [
        Row("plain method, float32", rate / plain.seconds, unit),
        Row("ours, float32", rate / ours, unit),
        Row(f"ours, {named}", rate / lower, unit),
        Row("operations: plain over ours", work.reference_flops / work.network_flops),
        Row("float32: ours over plain", plain.seconds / ours, "", FLOAT32_GOAL, ">="),
        Row(f"{named}: ours over plain", plain.seconds / lower, "", DEFAULT_GOAL, ">="),
        Row("float32: median error of points", in_float32.error(plain)),
        Row(f"{named}: median error of points", in_default.error(plain)),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--height", type=int, default=144, help="pixels, a multiple of 16")
    parser.add_argument("--width", type=int, default=256, help="pixels, a multiple of 16")
    parser.add_argument("--device", default="auto")
    chosen = parser.parse_args()
    clip = random_clip(chosen.frames, chosen.height, chosen.width)
    report("network", measure(ModelConfig.published(), clip, chosen.device))


if __name__ == "__main__":
    main()
