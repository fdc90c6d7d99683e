"""How fast scenes are drawn and rendered: `python -m tests.benchmarks.scenes`, one CPU core."""

import argparse
import time

import torch
from rich.console import Console
from rich.table import Table

from easi3r.synthetic import SceneSettings, SensorSettings, render, sample_scene

VIEWS = 4
SIZES = ((72, 96), (96, 128), (240, 320))


def measure(settings: SceneSettings, scenes: int) -> tuple[float, float]:
    """CPU milliseconds a scene to draw it, and images per CPU-second with that included."""
    render(sample_scene(0, settings))  # makes the atlas
    start = time.process_time()
    drawn = [sample_scene(seed, settings) for seed in range(scenes)]
    middle = time.process_time()
    for scene in drawn:
        render(scene)
    end = time.process_time()
    return 1000 * (middle - start) / scenes, scenes * VIEWS / (end - start)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=60)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = Table(title=f"{arguments.scenes} scenes of {VIEWS} views, one core")
    for column in ("size", "share blurred", "ms to draw a scene", "images a second"):
        table.add_column(column, justify="right")
    for height, width in SIZES:
        for blur in (0.0, SensorSettings().blur):
            sensor = SensorSettings(blur=blur)
            settings = SceneSettings(frames=VIEWS, height=height, width=width, sensor=sensor)
            drawing, images = measure(settings, arguments.scenes)
            table.add_row(f"{width}x{height}", f"{blur:.0%}", f"{drawing:.1f}", f"{images:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
