"""What version 1 of the method left is read, and continued where nothing of it changed.

`fixtures/make_method_1.py` tells how it was made: by commit 7eeadf8, the last one of version 1.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import easi3r
from easi3r.cli.app import app
from easi3r.executor import InProcess
from easi3r.run.collection import annotate_collection, plan_run, prepare
from easi3r.run.pending import Backlog
from easi3r.run.run import Run
from easi3r.store import audit
from easi3r.types import Outcome
from tests.engines import INFERENCE_LOG, NullEngine, inferences, null_settings

PLACE, MTIME = Path("/tmp/easi3r-method-1"), 1_700_000_000  # as in make_method_1.py
FIXTURE = Path(__file__).parent / "fixtures" / "method_1"


@pytest.fixture
def place() -> Iterator[Path]:
    """The fixture where it was made: plans hold absolute paths, sizes and times of files."""
    with Path(f"{PLACE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one process of tests at a time
        shutil.rmtree(PLACE, ignore_errors=True)
        shutil.copytree(FIXTURE, PLACE)
        for video in (PLACE / "videos").iterdir():
            os.utime(video, (MTIME, MTIME))
        yield PLACE
        shutil.rmtree(PLACE)


def test_a_run_without_the_flow_term_continues_with_nothing_computed_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, log = place / "continued.zarr", place / "inferences.log"
    monkeypatch.setenv(INFERENCE_LOG, str(log))
    settings = null_settings(alignment={"flow_weight": 0})
    (plan,) = (dataset / "plans").glob("*.json")
    parts = {path: path.stat().st_mtime_ns for path in dataset.glob("plans/parts/*/*")}
    assert len(easi3r.open_dataset(str(dataset))) == 2
    run = Run.of(str(place / "videos"), str(dataset), settings, NullEngine)
    record = annotate_collection(run)
    assert record.plan_id == plan.stem
    assert {path: path.stat().st_mtime_ns for path in parts} == parts
    assert [record.clips[outcome] for outcome in Outcome] == [1, 2, 2, 0]
    assert record.reasons == {"quarantined_earlier": 1, "empty_file": 1}
    assert inferences(log).total() == 1
    assert audit(str(dataset)).clean


def test_a_dataset_of_default_settings_is_read_and_all_its_clips_are_pending(place: Path) -> None:
    url = str(place / "defaults.zarr")
    dataset = easi3r.open_dataset(url)
    (clip_id,) = dataset
    dataset.verify_clip(clip_id)
    assert dataset[clip_id].point_map.shape == (12, 40, 64, 3)
    assert audit(url).clean
    settings = easi3r.Settings.parse({"video": {"long_side_px": 64}})
    run = prepare(Run.of(str(place / "videos"), url, settings), InProcess())
    state = Backlog.read(plan_run(run, InProcess()), run).state()
    assert (state.clips, state.committed, state.pending) == (1, 0, 1)


def test_plan_says_why_results_of_method_1_are_outdated(place: Path) -> None:
    arguments = ["plan", str(place / "videos"), str(place / "defaults.zarr"), "--long-side", "64"]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 1, done.output  # a video of the fixture is broken
    answer = json.loads(done.stdout)
    assert answer["state"]["pending"] == 1
    assert "method version 1, now 2" in json.dumps(answer)
    assert "nano" in json.dumps(answer)
