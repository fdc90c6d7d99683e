"""Comparisons as tables, and as JSON under `out/compare/`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from tests.benchmarks.compare.statistics import Comparison, Missing, Multiple, Spread


def comparisons_table(title: str, base: str, comparisons: Sequence[Comparison]) -> Table:
    """Minimum and median of both sides and the ratios, a row each figure."""
    table = Table(title=title)
    table.add_column("benchmark", no_wrap=True)
    table.add_column("figure")
    for column in ("ours, minimum", "median", f"{base}, minimum", "median"):
        table.add_column(column, justify="right")
    for column in ("ratio of minima", "of medians"):
        table.add_column(column, justify="right")
    for one in comparisons:
        sides = (*_cells(one.ours, "ours"), *_cells(one.base, base))
        ratios = (_number(one.minima_ratio), _number(one.medians_ratio))
        table.add_row(one.benchmark, one.figure, *sides, *ratios)
    return table


def multiples_table(unit: str, base: str, multiples: Sequence[Multiple]) -> Table:
    """Figures in units of a benchmark, of both sides."""
    table = Table(title=f"in units of `{unit}`, by minima")
    for column in ("benchmark", "figure", "ours", base):
        table.add_column(column, justify="right" if column in ("ours", base) else "left")
    for one in multiples:
        cells = [
            f"not in {name}" if isinstance(side, Missing) else _number(side)
            for side, name in ((one.ours, "ours"), (one.base, base))
        ]
        table.add_row(one.benchmark, one.figure, *cells)
    return table


def reasons(base: str, comparisons: Sequence[Comparison]) -> list[str]:
    """Why figures are missing, a line each benchmark and side."""
    lines = [
        f"{one.benchmark}: not in {name}: {side.reason}"
        for one in comparisons
        for name, side in (("ours", one.ours), (base, one.base))
        if isinstance(side, Missing)
    ]
    return list(dict.fromkeys(lines))


def keep(
    file: Path, base: str, comparisons: Sequence[Comparison], multiples: Sequence[Multiple]
) -> None:
    """Write everything as JSON: the values of every run, the ratios, the reasons."""
    rows = [
        {
            **asdict(one),
            "ratio_of_minima": one.minima_ratio,
            "ratio_of_medians": one.medians_ratio,
        }
        for one in comparisons
    ]
    values = {"base": base, "comparisons": rows, "multiples": [asdict(one) for one in multiples]}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(values, indent=2))


def _cells(side: Spread | Missing, name: str) -> tuple[str, str]:
    if isinstance(side, Missing):
        return f"not in {name}", ""
    return _number(side.minimum), _number(side.median)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
