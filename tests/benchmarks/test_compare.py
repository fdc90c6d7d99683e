"""Comparing two commits: statistics, races of tiny packages, what a side does not have."""

import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

from easi3r.config import StoreSettings
from easi3r.store import prepare_dataset, write_clip
from tests.benchmarks.compare.races import Benchmark, Failure, Side, compare
from tests.benchmarks.compare.report import comparisons_table, keep, multiples_table, reasons
from tests.benchmarks.compare.statistics import (
    CPU,
    WALL,
    Comparison,
    Missing,
    Multiple,
    Spread,
    multiples,
)
from tests.store.annotations import make_annotation

SCRIPTS = Path(__file__).parent / "compare" / "scripts"


def side(folder: Path, name: str, source: str) -> Side:
    """A side whose sources are one tiny package."""
    package = folder / name / "tiny"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(source)
    return Side(name, Path(sys.executable), folder / name)


def python(name: str, code: str) -> Benchmark:
    return Benchmark(name, ("python", "-c", code))


def race(benchmark: Benchmark, ours: Side, base: Side, runs: int = 2) -> dict[str, Comparison]:
    comparisons = compare([benchmark], ours, base, Path("clip.mp4"), runs)
    return {one.figure: one for one in comparisons}


def test_ratios_are_ours_over_the_other_commit() -> None:
    one = Comparison("b", WALL, Spread((3.0, 1.0, 2.0)), Spread((2.0, 8.0, 4.0)))
    assert (one.minima_ratio, one.medians_ratio) == (0.5, 0.5)
    assert Comparison("b", CPU, Spread((1.0,)), Spread((0.0,))).minima_ratio is None
    assert Comparison("b", CPU, Spread((1.0,)), Missing("no")).medians_ratio is None


def test_figures_in_units_of_another_benchmark() -> None:
    comparisons = [
        Comparison("torch", WALL, Spread((2.0, 4.0)), Spread((5.0,))),
        Comparison("help", WALL, Spread((6.0, 3.0)), Spread((1.0,))),
        Comparison("torch", CPU, Spread((1.0,)), Spread((1.0,))),
        Comparison("pending", CPU, Spread((4.0,)), Missing("no such command")),
    ]
    assert multiples(comparisons, "torch", {"help": WALL, "pending": CPU}) == [
        Multiple("help", WALL, 1.5, 0.2),
        Multiple("pending", CPU, 4.0, Missing("no such command")),
    ]


def test_a_race_takes_time_and_what_runs_print(tmp_path: Path) -> None:
    quick = side(tmp_path, "ours", "SIZE = 1")
    slow = side(tmp_path, "base", "import time; SIZE = 4; time.sleep(0.5)")
    code = "import json, tiny; print('words'); print(json.dumps({'size': tiny.SIZE}))"
    figures = race(python("tiny", code), quick, slow)
    assert figures.keys() == {WALL, CPU, "size"}
    assert figures["size"].ours == Spread((1, 1))
    assert figures["size"].minima_ratio == 0.25
    assert figures[WALL].base.minimum >= 0.5
    assert figures[WALL].minima_ratio < 1
    assert figures[CPU].base.minimum < 0.5  # sleeping takes none


def test_the_cpu_time_of_children_counts(tmp_path: Path) -> None:
    one = side(tmp_path, "ours", "")
    work = "import time\nwhile time.process_time() < 0.3: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}])"
    assert race(python("child", code), one, one, runs=1)[CPU].ours.minimum >= 0.3


def test_what_the_other_commit_lacks_is_said(tmp_path: Path) -> None:
    ours, base = side(tmp_path, "ours", "new = 1"), side(tmp_path, "0abcdef", "")
    figures = race(python("feature", "import tiny; tiny.new"), ours, base)
    missing = figures[WALL].base
    assert isinstance(missing, Missing)
    assert missing.reason.startswith("exit code 1: AttributeError")
    comparisons = list(figures.values())
    console = Console(record=True, width=200)
    console.print(comparisons_table("title", base.name, comparisons))
    console.print(multiples_table("torch", base.name, [Multiple("b", WALL, 2.0, missing)]))
    assert console.export_text().count("not in 0abcdef") == len(comparisons) + 1
    (line,) = reasons(base.name, comparisons)
    assert line.startswith("feature: not in 0abcdef: exit code 1: AttributeError")


def test_a_figure_that_one_side_does_not_print_is_missing(tmp_path: Path) -> None:
    ours, base = side(tmp_path, "ours", "print('{\"a\": 1}')"), side(tmp_path, "base", "")
    figures = race(python("prints", "import tiny"), ours, base, runs=1)
    assert isinstance(figures["a"].base, Missing)
    assert isinstance(race(python("prints", "import tiny"), base, ours, 1)["a"].ours, Missing)


def test_this_side_must_run_the_benchmark(tmp_path: Path) -> None:
    ours, base = side(tmp_path, "ours", ""), side(tmp_path, "base", "new = 1")
    with pytest.raises(Failure, match="feature: exit code 1: AttributeError"):
        race(python("feature", "import tiny; tiny.new"), ours, base)


def test_runs_of_a_side_share_what_it_prepared(tmp_path: Path) -> None:
    ours, base = side(tmp_path, "ours", "MADE = 3"), side(tmp_path, "base", "MADE = 5")
    made = "import sys, tiny; open(sys.argv[1], 'x').write(f'{{\"made\": {tiny.MADE}}}')"
    read = "import sys; print(open(sys.argv[1]).read()); open(sys.argv[2], 'x')"
    benchmark = Benchmark(
        "prepared",
        ("python", "-c", read, "{folder}/file", "{fresh}/file"),
        prepare=("python", "-c", made, "{folder}/file"),
    )
    made_by = race(benchmark, ours, base)["made"]
    assert (made_by.ours, made_by.base) == (Spread((3, 3)), Spread((5, 5)))


def test_everything_is_kept_as_json(tmp_path: Path) -> None:
    comparisons = [
        Comparison("b", WALL, Spread((2.0,)), Spread((4.0,))),
        Comparison("b", "windows", Spread((2.0,)), Missing("no such thing")),
    ]
    file = tmp_path / "out" / "b.json"
    keep(file, "0abcdef", comparisons, [Multiple("b", WALL, 2.0, Missing("none"))])
    kept = json.loads(file.read_text())
    assert kept["comparisons"][0]["ratio_of_minima"] == 0.5
    assert kept["comparisons"][1]["base"] == {"reason": "no such thing"}
    assert kept["comparisons"][1]["ratio_of_medians"] is None
    assert kept["multiples"][0]["base"] == {"reason": "none"}


def test_windows_are_read_by_either_side(tmp_path: Path) -> None:
    here = Side("ours", Path(sys.executable), Path(__file__).parents[2])
    base = side(tmp_path, "base", "")
    (tmp_path / "base" / "easi3r.py").write_text("")
    url = str(tmp_path / "clips.zarr")
    prepare_dataset(url, "{}")
    write_clip(url, make_annotation(frames=10), StoreSettings())
    script = Benchmark("windows", ("python", "-P", str(SCRIPTS / "windows.py"), url))
    figure = race(script, here, base, runs=1)["ms a window"]
    assert 0 < figure.ours.minimum < 1000
    assert isinstance(figure.base, Missing)
    assert "open_dataset" in figure.base.reason
