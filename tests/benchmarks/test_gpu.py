"""The script for a GPU runs through, on the CPU at a small size: every step, no figure judged."""

import os
import subprocess
import sys

from tests.benchmarks.results import read
from tests.conftest import REPOSITORY


def test_the_gpu_benchmark_runs_on_a_cpu() -> None:
    chosen = {"DEVICE": "cpu", "SIZE": "small", "PYTHON": sys.executable, "GOLDEN": "0"}
    script = REPOSITORY / "tests" / "benchmarks" / "gpu.sh"
    run = subprocess.run(
        [script], env=os.environ | chosen, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "comparison with the reference numbers left out" in run.stdout
    (results,) = [one for one in read() if one.name == "gpu"]
    values = {row.figure: row.value for row in results.rows}
    assert all(value >= 0 for value in values.values())
    assert 0 < values["measured peak over projected"] <= 1
