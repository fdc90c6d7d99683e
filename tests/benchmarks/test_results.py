"""The tables of benchmarks: goals are compared, and stored results read back the same."""

from pathlib import Path

import pytest

from tests.benchmarks.results import Row, read, report


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (Row("share", 0.36, goal=0.37), True),
        (Row("share", 0.38, goal=0.37), False),
        (Row("ratio", 2.5, goal=2.5, must=">="), True),
        (Row("ratio", 2.4, goal=2.5, must=">="), False),
        (Row("seconds", 3.0, "s"), None),
    ],
)
def test_a_goal_is_a_bound(row: Row, met: bool | None) -> None:
    assert row.met is met


def test_a_report_reads_back_and_says_what_is_missed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (Row("ratio", 2.0, goal=2.5, must=">="), Row("time", 3.25, "s"))
    report("network", rows, tmp_path)
    assert "missed" in capsys.readouterr().out
    (results,) = read(tmp_path)
    assert (results.name, results.rows) == ("network", rows)
