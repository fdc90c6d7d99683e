"""What a worker runs: every input ends as a commit, a quarantine record or a report of failure."""

import shutil
from pathlib import Path

import pytest

import easi3r
from easi3r.config import Settings
from easi3r.errors import (
    CheckpointError,
    NotADatasetError,
    NotAVideoError,
    UnwritableDestinationError,
)
from easi3r.plan import plan_video
from easi3r.run.engine import load_engine
from easi3r.run.run import Run
from easi3r.run.worker import annotate_batch
from easi3r.store import prepare_dataset, result_id, result_name
from easi3r.types import Outcome
from easi3r.video import SourceVideo
from tests.scenes import write_scenes

SETTINGS = Settings.parse({"video": {"long_side_px": 96}, "alignment": {"max_steps": 10}})


def run(dataset: str, settings: Settings) -> Run:
    return Run("videos", dataset, settings)


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    url = str(tmp_path / "out.zarr")
    prepare_dataset(url, SETTINGS.model_dump_json())
    return url


def test_a_clip_is_committed_once(tmp_path: Path, dataset: str) -> None:
    (video,) = write_scenes(tmp_path, count=1)
    plan = plan_video(SourceVideo(str(video)), dataset, SETTINGS)
    (first,) = annotate_batch(plan.specs, run(dataset, SETTINGS))
    (second,) = annotate_batch(plan.specs, run(dataset, SETTINGS))
    assert (first.outcome, second.outcome) == (Outcome.COMMITTED, Outcome.SKIPPED)
    assert first.frames == 6
    assert first.bytes_written > 0
    assert list(easi3r.open_dataset(dataset)) == [plan.specs[0].clip_id]


def test_a_changed_setting_is_another_result(tmp_path: Path, dataset: str) -> None:
    (video,) = write_scenes(tmp_path, count=1)
    other = SETTINGS.model_copy(
        update={"alignment": SETTINGS.alignment.model_copy(update={"max_steps": 11})}
    )
    plan = plan_video(SourceVideo(str(video)), dataset, SETTINGS)
    for settings in (SETTINGS, other):
        (report,) = annotate_batch(plan.specs, run(dataset, settings))
        assert report.outcome is Outcome.COMMITTED
    assert len(easi3r.open_dataset(dataset).results) == 2


def test_a_bad_video_is_quarantined_with_its_reason(tmp_path: Path, dataset: str) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video at all" * 100)
    plan = plan_video(SourceVideo(str(bad)), dataset, SETTINGS)
    assert plan.specs == ()
    assert plan.reports[0].outcome is Outcome.QUARANTINED
    (record,) = easi3r.open_dataset(dataset).quarantined
    assert record.reason == NotAVideoError.reason == plan.reports[0].reason
    assert record.video_url == str(bad)
    assert "Traceback" in record.traceback


def test_a_video_that_vanishes_after_planning_is_quarantined(tmp_path: Path, dataset: str) -> None:
    gone, kept = write_scenes(tmp_path, count=2)
    specs = [
        plan_video(SourceVideo(str(video)), dataset, SETTINGS).specs[0] for video in (gone, kept)
    ]
    gone.unlink()
    lost, made = annotate_batch(specs, run(dataset, SETTINGS))
    assert (lost.outcome, lost.reason) == (Outcome.QUARANTINED, "unreadable_url")
    assert made.outcome is Outcome.COMMITTED
    (record,) = easi3r.open_dataset(dataset).quarantined
    result = result_id(specs[0].clip_id, load_engine(SETTINGS).weights_sha256, SETTINGS.digest)
    assert record.id == result_name(specs[0].clip_id, result)


def test_a_video_that_changed_after_planning_is_quarantined(tmp_path: Path, dataset: str) -> None:
    planned, other = write_scenes(tmp_path, count=2)
    plan = plan_video(SourceVideo(str(planned)), dataset, SETTINGS)
    shutil.copy(other, planned)  # the same timestamps, other pixels
    (report,) = annotate_batch(plan.specs, run(dataset, SETTINGS))
    assert (report.outcome, report.reason) == (Outcome.QUARANTINED, "changed_video")


def test_a_dataset_that_is_not_seen_from_here_stops_the_run(tmp_path: Path, dataset: str) -> None:
    (video,) = write_scenes(tmp_path, count=1)
    specs = plan_video(SourceVideo(str(video)), dataset, SETTINGS).specs
    with pytest.raises(NotADatasetError):
        annotate_batch(specs, run(str(tmp_path / "elsewhere.zarr"), SETTINGS))
    assert not (tmp_path / "elsewhere.zarr").exists()


def test_an_error_nobody_foresaw_is_recorded_too(
    tmp_path: Path, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("surprise")

    (video,) = write_scenes(tmp_path, count=1)
    plan = plan_video(SourceVideo(str(video)), dataset, SETTINGS)
    monkeypatch.setattr("easi3r.pipeline.annotate_decoded", broken)
    (report,) = annotate_batch(plan.specs, run(dataset, SETTINGS))
    assert (report.outcome, report.reason) == (Outcome.QUARANTINED, "unexpected")
    (record,) = easi3r.open_dataset(dataset).quarantined
    assert record.error_class == "ZeroDivisionError"


def test_errors_about_the_run_stop_the_run(tmp_path: Path, dataset: str) -> None:
    (video,) = write_scenes(tmp_path, count=1)
    specs = plan_video(SourceVideo(str(video)), dataset, SETTINGS).specs
    wrong = SETTINGS.model_copy(
        update={"model": SETTINGS.model.model_copy(update={"sha256": "0" * 64})}
    )
    with pytest.raises(CheckpointError, match="SHA-256"):
        annotate_batch(specs, run(dataset, wrong))
    clips = Path(dataset) / "clips"
    clips.write_text("a file where the folder of clips would be")
    with pytest.raises(UnwritableDestinationError):
        annotate_batch(specs, run(dataset, SETTINGS))
