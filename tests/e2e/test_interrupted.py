"""`easi3r annotate` killed midway, and run again."""

import signal
import subprocess
import time
from pathlib import Path

import easi3r as library
from easi3r.run.run_record import RunRecord
from easi3r.types import Outcome
from tests.e2e.commands import BIN, easi3r, environment
from tests.scenes import write_scenes


def commits(dataset: Path) -> dict[Path, int]:
    """Commit records with the time each was written."""
    return {path: path.stat().st_mtime_ns for path in dataset.glob("commits/*/*.json")}


def test_an_interrupted_run_says_so_and_keeps_its_record(tmp_path: Path) -> None:
    write_scenes(tmp_path / "videos", count=3, frames=8)
    dataset = tmp_path / "out.zarr"
    command = [BIN / "easi3r", "annotate", tmp_path / "videos", dataset]
    out = subprocess.PIPE
    with subprocess.Popen(command, env=environment(), stdout=out, text=True) as process:
        assert process.stdout is not None
        assert any("1/3 clips done" in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 130, rest
    assert "Ctrl-C again" in rest
    assert "the same command goes on" in rest
    (record,) = dataset.glob("runs/*.json")
    left = RunRecord.model_validate_json(record.read_text())
    assert left.finished is None
    assert 1 <= left.clips[Outcome.COMMITTED] <= len(commits(dataset)) < 3


def test_a_killed_run_is_finished_by_the_next(tmp_path: Path) -> None:
    write_scenes(tmp_path / "videos", count=3, frames=8)
    dataset = tmp_path / "out.zarr"
    command = [BIN / "easi3r", "annotate", tmp_path / "videos", dataset]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not commits(dataset) and time.monotonic() < deadline:
        assert process.poll() is None, "the run ended before its first commit"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL

    before = commits(dataset)
    assert 1 <= len(before) < 3, "not killed midway"
    assert len(library.open_dataset(str(dataset))) == len(before)

    again = easi3r("annotate", tmp_path / "videos", dataset)
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"{3 - len(before)} committed, {len(before)} skipped" in again.stdout
    after = commits(dataset)
    assert len(after) == 3
    assert before.items() <= after.items(), "a committed clip was written again"
    assert len(library.open_dataset(str(dataset))) == 3
