"""Where the time of one clip goes on this machine: `make bench`.

Annotates a rendered clip with the embedded model, writes and reads it, and prints the seconds and
share of each stage. One warm-up clip first, then the median of the repeats.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

import easi3r
from easi3r.config import Settings
from easi3r.model import load_checkpoint
from easi3r.pipeline import annotate_clip, select_device
from easi3r.store import prepare_dataset, write_clip
from easi3r.synthetic import SceneSettings, render, sample_scene
from easi3r.synthetic import write_clip as write_video
from easi3r.video import plan_clips, probe


def measure(frames: int, repeats: int, device: str) -> tuple[dict[str, float], int]:
    """Median seconds of each stage, and the bytes stored, of one clip of `frames` frames."""
    settings = Settings.parse({"sampling": {"clip_frames": frames}})
    model = load_checkpoint("nano")
    model.network.to(select_device(device))
    runs: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        scene = sample_scene(0, SceneSettings(frames=frames, height=240, width=320))
        video = write_video(render(scene), Path(folder), "bench")
        for repeat in range(repeats + 1):
            destination = f"{folder}/{repeat}.zarr"
            prepare_dataset(destination, settings.model_dump_json())
            start = time.perf_counter()
            (spec,) = plan_clips(probe(str(video)), settings.sampling, settings.video)
            planned = time.perf_counter()
            annotation = annotate_clip(spec, model, settings)
            annotated = time.perf_counter()
            record = write_clip(destination, annotation, settings.store).record
            written = time.perf_counter()
            easi3r.open_dataset(destination)[spec.clip_id].load()
            runs.append(
                {
                    "probe and plan": planned - start,
                    **annotation.seconds_by_stage,
                    "write, verify, commit": written - annotated,
                    "read back": time.perf_counter() - written,
                }
            )
    stages = runs[0].keys()
    return {s: statistics.median(run[s] for run in runs[1:]) for s in stages}, record.bytes


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    seconds, size_bytes = measure(arguments.frames, arguments.repeats, arguments.device)
    total = sum(seconds.values())
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    table = Table(
        title=f"one clip of {arguments.frames} frames, nano; {machine}",
        caption=f"{arguments.frames / total:.2f} frames/s; {size_bytes / 1e6:.2f} MB stored",
    )
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    table.add_column("share", justify="right")
    for stage, spent in seconds.items():
        table.add_row(stage, f"{spent:.3f}", f"{spent / total:.1%}")
    Console().print(table)


if __name__ == "__main__":
    main()
