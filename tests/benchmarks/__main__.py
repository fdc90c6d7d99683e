"""Counted operations, and where the time of one clip goes on this machine: part of `make bench`.

Operations are of a clip of the published size (`easi3r.cost`), against those that the reference
was counted to take; seconds and memory are of `easi3r bench` with the embedded weights.
"""

import argparse

from easi3r.cli.bench_command import stages_table
from easi3r.cli.consoles import answer_console
from easi3r.config import Settings
from easi3r.cost.operations import ClipWork
from easi3r.evaluation.speed import bench, memory_before_clips
from easi3r.model import ModelConfig, load_checkpoint
from easi3r.pipeline import select_device
from tests.benchmarks.results import Row, report

REFERENCE_TFLOP = 731.5
"""Counted in the released code: 32 frames of 512x288, default graph, published size."""

FLOPS_GOAL = 0.37


def counted() -> list[Row]:
    """Operations of the clip that the reference was counted on."""
    clip = ClipWork.of(ModelConfig.published(), Settings(), 32, 288, 512)
    tera = clip.network_flops / 1e12
    return [
        Row("32 frames of 512x288, published size: ours", tera, "TFLOP"),
        Row("the reference", REFERENCE_TFLOP, "TFLOP"),
        Row("operations: ours over the reference", tera / REFERENCE_TFLOP, goal=FLOPS_GOAL),
    ]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    device = select_device(arguments.device)
    before = memory_before_clips(device)
    model = load_checkpoint("nano")
    model.network.to(device)
    settings = Settings.parse({"sampling": {"clip_frames": arguments.frames}})
    figures = bench(model, settings, range(arguments.repeats + 1), before)
    answer_console().print(stages_table(figures))
    rows = counted()
    for stage in figures.stages:
        rows.append(Row(f"nano, {figures.frames} frames: {stage.stage}", stage.seconds, "s"))
    rows.append(Row("nano: whole clip", figures.frames / figures.seconds, "frames/s"))
    rows.append(
        Row(
            "nano: measured peak over projected",
            figures.peak_bytes / figures.projected_bytes,
            goal=1.0,
        )
    )
    report("clip", rows)


if __name__ == "__main__":
    main()
