"""One number computed here beside the reference's, and the table of them all."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table


@dataclass(frozen=True)
class Comparison:
    """One array (or figure) of one reference file against ours.

    Attributes:
        file: name of the reference file, e.g. `forward_dpt.npz`.
        array: name of the array in it.
        error: what is compared, smaller is better.
        bound: the largest error that passes.
        passed: whether it does.
        note: what `error` measures where it is not the error relative to the array's spread.
    """

    file: str
    array: str
    error: float
    bound: float
    passed: bool
    note: str = ""


def compare_at_most(
    file: str, array: str, error: float, bound: float, note: str = ""
) -> Comparison:
    """A figure that passes when it is at most `bound`; NaN never passes."""
    return Comparison(file, array, error, bound, passed=bool(error <= bound), note=note)


def compare_arrays(
    file: str, array: str, ours: np.ndarray, reference: np.ndarray, bound: float = 1e-3
) -> Comparison:
    """The largest absolute error relative to the reference array's standard deviation."""
    if ours.shape != reference.shape:
        note = f"shape {ours.shape} instead of {reference.shape}"
        return Comparison(file, array, float("inf"), bound, passed=False, note=note)
    reference = reference.astype(np.float64)
    difference = np.abs(ours.astype(np.float64) - reference).max()
    if difference == 0:
        return Comparison(file, array, 0.0, bound, passed=True)
    spread = reference.std()
    error = float(difference / spread) if spread > 0 else float("inf")
    return compare_at_most(file, array, error, bound)


def print_table(comparisons: Iterable[Comparison]) -> None:
    """One row per comparison, failures marked."""
    table = Table("file", "array", "error", "bound", "", "note")
    for row in comparisons:
        verdict = "[green]ok" if row.passed else "[bold red]FAIL"
        figures = (f"{row.error:.3g}", f"{row.bound:.4g}")
        table.add_row(row.file, row.array, *figures, verdict, escape(row.note))
    Console(width=140).print(table)
