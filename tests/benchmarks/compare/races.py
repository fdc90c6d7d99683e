"""Races: commands of two sides run in turn, each run a process whose times are taken."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import IO

from tests.benchmarks.compare.statistics import CPU, WALL, Comparison, Missing, Spread


@dataclass(frozen=True)
class Side:
    """One of the two that are compared.

    Attributes:
        name: "ours", or the other commit's short hash.
        python: its interpreter; commands are looked up beside it first.
        folder: of its sources, from which its packages are imported.
    """

    name: str
    python: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of its processes."""
        path = f"{self.python.parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "PYTHONPATH": str(self.folder)}


@dataclass(frozen=True)
class Benchmark:
    """A command that both sides run; its exit code is not 0 where a side cannot.

    In arguments, `{clip}` stands for the video that both sides are given, `{folder}` for a folder
    of the side's own that its runs share, `{fresh}` for a folder of each run's own. What a run
    prints as a line of JSON, an object of numbers, are figures of its own.

    Attributes:
        prepare: run once by each side beforehand, not timed; empty for nothing.
        environment: variables that both sides get besides.
        runs: of each side, where the caller does not say.
    """

    name: str
    command: tuple[str, ...]
    prepare: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    runs: int = 5


class Failure(Exception):
    """A command ended with another exit code than 0; the message is what it said last."""


def compare(
    benchmarks: Sequence[Benchmark], ours: Side, base: Side, clip: Path, runs: int | None = None
) -> list[Comparison]:
    """Each figure of each benchmark, of both sides; the sides, and benchmarks, take turns.

    Raises:
        Failure: this side cannot run a benchmark.
    """
    with tempfile.TemporaryDirectory() as folder:
        racers = [
            _Racer(benchmark, side, clip, Path(tempfile.mkdtemp(dir=folder)))
            for benchmark, side in product(benchmarks, (ours, base))
        ]
        for racer in racers:
            racer.prepare()
        for number in range(max(runs or benchmark.runs for benchmark in benchmarks)):
            # There and back, so that a machine that slows down slows both sides down.
            for racer in racers if number % 2 == 0 else reversed(racers):
                if number < (runs or racer.benchmark.runs):
                    racer.run()
    for racer in racers[::2]:
        if racer.failure:
            raise Failure(f"{racer.benchmark.name}: {racer.failure}")
    return [
        comparison
        for ours_ran, base_ran in zip(racers[::2], racers[1::2], strict=True)
        for comparison in _comparisons(ours_ran, base_ran)
    ]


class _Racer:
    """One benchmark of one side, and the figures of its runs so far."""

    def __init__(self, benchmark: Benchmark, side: Side, clip: Path, folder: Path) -> None:
        self.benchmark = benchmark
        self.side = side
        self.values: dict[str, list[float]] = {}
        self.failure: str | None = None
        self._clip = clip
        self._folder = folder

    def prepare(self) -> None:
        if self.benchmark.prepare:
            self._try(self.benchmark.prepare)

    def run(self) -> None:
        for name, value in self._try(self.benchmark.command).items():
            self.values.setdefault(name, []).append(value)

    def spread(self, figure: str) -> Spread | Missing:
        if self.failure is not None:
            return Missing(self.failure)
        if figure not in self.values:
            return Missing("its runs do not print it")
        return Spread(tuple(self.values[figure]))

    def _try(self, command: Sequence[str]) -> dict[str, float]:
        """The figures of one run; none if this side cannot run the benchmark."""
        if self.failure is not None:
            return {}
        arguments = self._arguments(command)
        environment = {**self.side.environment, **self.benchmark.environment}
        try:
            return timed(arguments, environment, self.side.folder)
        except Failure as failure:
            self.failure = str(failure)
            return {}

    def _arguments(self, command: Sequence[str]) -> list[str]:
        arguments = list(command)
        fresh = tempfile.mkdtemp(dir=self._folder)
        places = {"{clip}": self._clip, "{folder}": self._folder, "{fresh}": fresh}
        for name, place in places.items():
            arguments = [argument.replace(name, str(place)) for argument in arguments]
        return arguments


def timed(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> dict[str, float]:
    """Wall seconds of a command, CPU seconds of it and its children, and the figures it prints.

    Raises:
        Failure: its exit code is not 0.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, env=dict(environment), cwd=folder, stdout=output, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)  # Popen need not wait for it too
        printed = _lines(output)
        if process.returncode:
            last = (_lines(errors) or printed or ["it printed nothing"])[-1]
            raise Failure(f"exit code {process.returncode}: {last}")
    return {WALL: wall, CPU: usage.ru_utime + usage.ru_stime, **_figures(printed)}


def _lines(file: IO[bytes]) -> list[str]:
    file.seek(0)
    return [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]


def _figures(lines: Iterable[str]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for line in lines:
        try:
            values = json.loads(line)
        except ValueError:
            continue
        if isinstance(values, dict) and all(isinstance(v, (int, float)) for v in values.values()):
            figures |= values
    return figures


def _comparisons(ours: _Racer, base: _Racer) -> list[Comparison]:
    figures = dict.fromkeys((*ours.values, *base.values))  # a set that keeps its order
    return [
        Comparison(ours.benchmark.name, figure, ours.spread(figure), base.spread(figure))
        for figure in figures
    ]
