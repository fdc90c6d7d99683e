"""`python -m tests.benchmarks.compare --base REVISION --what NAME [--runs N]`."""

import argparse
import tempfile
from pathlib import Path

from rich.console import Console

from tests.benchmarks.compare.catalogue import GROUPS, IN_UNITS, UNIT, benchmarks_of, render_clip
from tests.benchmarks.compare.races import Failure, compare
from tests.benchmarks.compare.report import comparisons_table, keep, multiples_table, reasons
from tests.benchmarks.compare.statistics import multiples
from tests.benchmarks.compare.worktree import FOLDER, other_commit, working_tree
from tests.benchmarks.results import machine


def main() -> None:
    """Run the race, print its tables and keep them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True, help="the commit to compare with")
    parser.add_argument("--what", required=True, help="a benchmark, or `startup`")
    parser.add_argument("--runs", type=int, help="of each side")
    arguments = parser.parse_args()
    benchmarks = benchmarks_of(arguments.what)
    base = other_commit(arguments.base)
    with tempfile.TemporaryDirectory() as folder:
        clip = render_clip(Path(folder))
        try:
            comparisons = compare(benchmarks, working_tree(), base, clip, arguments.runs)
        except Failure as failure:
            raise SystemExit(f"ours: {failure}") from None
    console = Console()
    title = f"{arguments.what}: the working tree against {base.name}; {machine()}"
    console.print(comparisons_table(title, base.name, comparisons))
    in_units = []
    if arguments.what in GROUPS:
        in_units = multiples(comparisons, UNIT, IN_UNITS)
        console.print(multiples_table(UNIT, base.name, in_units))
    for line in reasons(base.name, comparisons):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    keep(FOLDER / f"{arguments.what}-{base.name}.json", base.name, comparisons, in_units)


if __name__ == "__main__":
    main()
