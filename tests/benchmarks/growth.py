"""How time and memory grow with frames, resolution, pairs and clips: `make growth`.

Each point is a process of its own that annotates a clip (or several) with the embedded weights, so
that its peak of memory is its own; seconds are processor time, of one thread. Writes
`docs/growth.png` and prints the tables of `docs/performance.md`.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from pydantic import TypeAdapter
from rich.console import Console
from rich.progress import track

from tests.benchmarks.results import machine
from tests.memory_probe import Probe

matplotlib.use("Agg")
from matplotlib import pyplot, ticker

REPOSITORY = Path(__file__).resolve().parents[2]
FRAMES, HEIGHT, WIDTH, WINDOW = 12, 72, 96, 5


@dataclass(frozen=True)
class Point:
    """One run: what grew, how much of it there was, and what it took."""

    amount: float
    label: str
    probe: Probe

    @property
    def seconds(self) -> float:
        """Of all stages."""
        return sum(self.probe.seconds.values())


@dataclass(frozen=True)
class Series:
    """Four sizes of one thing; `exponent`s say how its cost grows: cost ~ amount ** exponent."""

    name: str
    unit: str
    points: tuple[Point, ...]

    def exponent(self, values: Sequence[float]) -> float:
        """Slope in the double logarithm, of the last three sizes."""
        amounts = [point.amount for point in self.points[-3:]]
        return float(np.polyfit(np.log(amounts), np.log(values[-3:]), 1)[0])

    @property
    def seconds(self) -> list[float]:
        """Of each size."""
        return [point.seconds for point in self.points]

    @property
    def peaks_mb(self) -> list[float]:
        """Of each size."""
        return [point.probe.peak_bytes / 1e6 for point in self.points]

    def markdown(self) -> str:
        """The table of this series."""
        lines = [
            f"| {self.name} | CPU seconds | network | alignment | peak MB | projected MB |",
            "|---|---|---|---|---|---|",
        ]
        for point in self.points:
            stages = point.probe.seconds
            network = sum(stages[name] for name in ("encoder", "pass 1", "segmentation", "pass 2"))
            lines.append(
                f"| {point.label} | {point.seconds:.2f} | {network:.2f} | "
                f"{stages['alignment']:.2f} | {point.probe.peak_bytes / 1e6:.0f} | "
                f"{point.probe.projected_bytes / 1e6:.0f} |"
            )
        time, memory = self.exponent(self.seconds), self.exponent(self.peaks_mb)
        return "\n".join(
            [
                *lines,
                "",
                f"Time grows as {self.unit}^{time:.2f}, memory as "
                f"{self.unit}^{memory:.2f} over the last three sizes.",
            ]
        )


@dataclass(frozen=True)
class Run:
    """A point to be measured."""

    series: str
    unit: str
    amount: float
    label: str
    frames: int
    height: int
    width: int
    settings: dict[str, Any]
    clips: int = 1

    def measured(self) -> Point:
        """In a process of its own."""
        command = [sys.executable, "-m", "tests.memory_probe", "nano"]
        command += [str(size) for size in (self.frames, self.height, self.width)]
        command += ["--clips", str(self.clips), "--settings", json.dumps(self.settings)]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
        run = subprocess.run(
            command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
        )
        return Point(self.amount, self.label, TypeAdapter(Probe).validate_json(run.stdout))


def runs() -> list[Run]:
    """Four sizes each of frames, resolution, pairs and clips; the rest stays as it is."""
    graph = {"graph": {"window": WINDOW}}
    planned = [Run("frames", "frames", n, str(n), n, HEIGHT, WIDTH, graph) for n in (8, 16, 32, 64)]
    for width in (64, 96, 128, 192):
        height = width * 3 // 4
        label, pixels = f"{width}x{height}", width * height
        planned.append(Run("resolution", "pixels", pixels, label, FRAMES, height, width, graph))
    for window in (1, 2, 4, 6):
        pairs = sum(2 * (FRAMES - 1 - 2 * offset) for offset in range(window))
        settings = {"graph": {"window": window}}
        planned.append(Run("pairs", "pairs", pairs, str(pairs), FRAMES, HEIGHT, WIDTH, settings))
    for clips in (1, 2, 4, 8):
        planned.append(
            Run("clips", "clips", clips, str(clips), FRAMES, HEIGHT, WIDTH, graph, clips)
        )
    return planned


def plot(several: Sequence[Series], title: str, path: Path) -> None:
    """Processor seconds above, memory below, a column for each thing that grows; log-log."""
    figure, axes = pyplot.subplots(
        2, len(several), figsize=(3.2 * len(several), 5.6), sharey="row", layout="constrained"
    )
    for (above, below), series in zip(axes.T, several, strict=True):
        amounts = [point.amount for point in series.points]
        above.loglog(amounts, series.seconds, "o-", label="measured")
        first = series.seconds[0] / amounts[0]
        above.loglog(amounts, [first * one for one in amounts], ":", label="in proportion")
        below.loglog(amounts, series.peaks_mb, "o-", label="measured")
        projected = [point.probe.projected_bytes / 1e6 for point in series.points]
        below.loglog(amounts, projected, "s--", label="projected")
        above.set_title(series.name)
        below.set_xlabel(series.unit)
        for axis in (above, below):
            axis.set_xticks(amounts, [point.label for point in series.points])
            axis.xaxis.set_minor_locator(ticker.NullLocator())
            axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_major_formatter(ticker.ScalarFormatter())
            axis.yaxis.set_minor_locator(ticker.NullLocator())
            axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("CPU seconds")
    axes[1, 0].set_ylabel("peak memory, MB")
    axes[0, 0].legend()
    axes[1, 0].legend()
    figure.suptitle(title)
    figure.savefig(path, dpi=100)


def main() -> None:
    """Measure, print the tables, draw the plots."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "growth.png")
    arguments = parser.parse_args()
    wanted = runs()
    watched = track(wanted, description="growth", console=Console(stderr=True))
    points = [(run, run.measured()) for run in watched]
    several = [
        Series(
            name,
            next(run.unit for run in wanted if run.series == name),
            tuple(point for run, point in points if run.series == name),
        )
        for name in dict.fromkeys(run.series for run in wanted)
    ]
    for series in several:
        print(f"{series.markdown()}\n")
    title = f"nano, {FRAMES} frames of {WIDTH}x{HEIGHT} unless stated otherwise; {machine()}"
    plot(several, title, arguments.out)
    print(arguments.out)


if __name__ == "__main__":
    main()
