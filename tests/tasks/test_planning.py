"""Planning on real Dask workers: the plan of one process, made by several."""

from pathlib import Path

import pytest

from easi3r.executor import InProcess
from easi3r.plan import plan_collection
from easi3r.store import prepare_dataset, read_quarantine
from tasks.cluster import LocalDask, open_executor
from tests.plan.test_planner import SETTINGS, Recorder, clips_of
from tests.plan.videos import write_videos


def test_dask_workers_make_the_plan_that_one_process_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("easi3r.plan.groups.MEAN_VIDEOS", 3)
    monkeypatch.setattr("easi3r.plan.groups.MOST_VIDEOS", 4)
    source = str(tmp_path / "videos")
    write_videos(tmp_path / "videos", 12)
    (tmp_path / "videos" / "empty.mp4").touch()
    datasets = [str(tmp_path / name) for name in ("dask.zarr", "here.zarr")]
    for dataset in datasets:
        prepare_dataset(dataset, SETTINGS.model_dump_json())
    watcher = Recorder()
    with open_executor(LocalDask(workers=2)) as executor:
        there = plan_collection(source, datasets[0], SETTINGS, executor, watcher)
    here = plan_collection(source, datasets[1], SETTINGS, InProcess())
    assert there.record == here.record
    assert clips_of(there) == clips_of(here)
    assert len(watcher.parts) == len(there.record.parts) > 1
    assert [record.reason for record in read_quarantine(datasets[0])] == ["empty_file"]
