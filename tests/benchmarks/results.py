"""Results of benchmarks: a table of each, stored as JSON, and a summary of all.

A benchmark ends with `report(name, rows)`. `python -m tests.benchmarks.results` prints the summary
of what the benchmarks left under `out/bench`; `make bench` runs them all and ends with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from easi3r.evaluation import speed as bench
from easi3r.pipeline import select_device

FOLDER = Path(__file__).parents[2] / "out" / "bench"


@dataclass(frozen=True)
class Row:
    """One figure of a benchmark.

    Attributes:
        figure: what was measured, in words; `a over b` for a ratio.
        value: in `unit`.
        unit: "" for a ratio.
        goal: bound on the value; None for a figure that is only reported.
        must: whether the value must be at most the goal or at least the goal.
    """

    figure: str
    value: float
    unit: str = ""
    goal: float | None = None
    must: Literal["<=", ">="] = "<="

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        return self.value <= self.goal if self.must == "<=" else self.value >= self.goal


@dataclass(frozen=True)
class Results:
    """Everything that one benchmark reported.

    Attributes:
        name: of the benchmark, `X` of `python -m tests.benchmarks.X`.
        machine: where it ran.
    """

    name: str
    machine: str
    rows: tuple[Row, ...]


def report(name: str, rows: Sequence[Row], folder: Path = FOLDER) -> None:
    """Print a benchmark's table and keep it as `folder/name.json`."""
    results = Results(name, machine(), tuple(rows))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_bytes(
        TypeAdapter(Results).dump_json(results, indent=2, exclude_none=True)
    )
    Console().print(_table(f"{name}; {results.machine}", [results]))


def read(folder: Path = FOLDER) -> list[Results]:
    """Results of the benchmarks in a folder, in the order in which they ended."""
    files = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return [TypeAdapter(Results).validate_json(path.read_bytes()) for path in files]


def machine() -> str:
    """The machine in words, as `easi3r bench` tells it."""
    return bench.machine(select_device("auto"))


def _table(title: str, several: Sequence[Results]) -> Table:
    table = Table(title=title)
    table.add_column("figure")
    for column in ("value", "unit", "goal"):
        table.add_column(column, justify="left" if column == "unit" else "right")
    for results in several:
        if len(several) > 1:
            table.add_row(f"[bold]{results.name}[/bold]")
        for row in results.rows:
            table.add_row(row.figure, f"{row.value:.4g}", row.unit, _goal(row))
    return table


def _goal(row: Row) -> str:
    if row.goal is None:
        return ""
    colour, word = ("green", "met") if row.met else ("red", "missed")
    return f"{row.must} {row.goal:.4g} [{colour}]{word}[/{colour}]"


def main() -> None:
    """Print the summary."""
    everything = read()
    if not everything:
        raise SystemExit(f"{FOLDER}: no benchmark has run; `make bench` runs them all")
    Console().print(_table(f"all benchmarks; {everything[0].machine}", everything))


if __name__ == "__main__":
    main()
