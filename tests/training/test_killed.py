"""A killed and resumed training run gives the same curves and weights as an undisturbed one."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import torch

from easi3r.training.trainer import STATE_FILE
from easi3r.training.training_run import FIGURES_FILE, LOG_FILE
from easi3r.training.training_settings import TrainingSettings


def start(settings: TrainingSettings, folder: Path) -> subprocess.Popen[str]:
    """`python -m easi3r.training`: logs and figures every 9 steps, a checkpoint every 8."""
    chosen = settings.model_dump_json(exclude={"seed", "steps"})
    options = {"out": folder, "settings": chosen, "seed": settings.seed, "steps": settings.steps}
    options |= {"validate-every": 9, "save-every": 8, "held-out-scenes": 4, "device": "cpu"}
    words = (word for name, value in options.items() for word in (f"--{name}", str(value)))
    return subprocess.Popen(
        [sys.executable, "-m", "easi3r.training", *words],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


def train(settings: TrainingSettings, folder: Path) -> None:
    with start(settings, folder) as process:
        output, _ = process.communicate()
    assert process.returncode == 0, output


def train_until(line_start: str, settings: TrainingSettings, folder: Path) -> None:
    """Kill the process with SIGKILL as soon as it prints a line that starts so."""
    with start(settings, folder) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(line_start):
                process.kill()
                break
    assert process.returncode == -signal.SIGKILL


def rows(path: Path) -> list[dict[str, str]]:
    """Of a log, without the time each step took."""
    with path.open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def saved(folder: Path) -> dict:
    return torch.load(folder / STATE_FILE, weights_only=True)


def test_a_killed_and_resumed_run_equals_an_undisturbed_one(
    tiny: TrainingSettings, tmp_path: Path
) -> None:
    settings = tiny.model_copy(update={"steps": 18})
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(settings, whole)

    train_until("held out", settings, killed)
    assert saved(killed)["steps_done"] == 8
    for name in (LOG_FILE, FIGURES_FILE):
        assert [row["step"] for row in rows(killed / name)] == ["9"], "written and not yet saved"
    train(settings, killed)

    for name in (LOG_FILE, FIGURES_FILE):
        assert [row["step"] for row in rows(whole / name)] == ["9", "18"]
        assert rows(killed / name) == rows(whole / name)
    for part in ("network", "average", "reader"):
        expected, actual = saved(whole)[part], saved(killed)[part]
        for tensor in expected:
            assert torch.equal(actual[tensor], expected[tensor]), f"{part} {tensor}"
