"""What a supervisor runs: duplicates, resumption, quarantine, and the record of it all."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import easi3r
from easi3r.config import Settings
from easi3r.errors import DeviceFaultError, RepeatedErrorsError, UnreadableURLError
from easi3r.run.collection import Watcher, annotate_collection
from easi3r.run.ledger import Ledger
from easi3r.run.run import Run
from easi3r.run.run_record import RunRecord
from easi3r.store import clear_quarantine
from easi3r.types import ClipReport, Outcome
from tests.engines import (
    TROUBLED_CLIPS,
    DecodingEngine,
    DeviceFaultEngine,
    NullEngine,
    PermanentErrorEngine,
    UnforeseenErrorEngine,
    null_settings,
)
from tests.scenes import write_scenes

SETTINGS = null_settings()


def counts(record: RunRecord) -> tuple[int, ...]:
    """Committed, skipped, quarantined, failed."""
    return tuple(record.clips[outcome] for outcome in Outcome)


def test_a_collection_with_every_kind_of_input(tmp_path: Path) -> None:
    """The real engine, in this process: the one test here that needs a network."""
    videos = tmp_path / "videos"
    (scene,) = write_scenes(videos, count=1)
    shutil.copy(scene, videos / "twin.mp4")
    (videos / "empty.mp4").touch()
    (videos / "notes.txt").write_text("not a video")
    seen: list[ClipReport] = []

    class Recorder(Watcher):
        def clip_done(self, report: ClipReport, ledger: Ledger) -> None:
            assert ledger.progress.total == 2  # a clip, and a video that gives none
            seen.append(report)

    settings = Settings.parse({"video": {"long_side_px": 96}, "alignment": {"max_steps": 10}})
    dataset = str(tmp_path / "out.zarr")
    record = annotate_collection(Run.of(str(videos), dataset, settings), watcher=Recorder())
    assert not record.succeeded
    assert counts(record) == (1, 0, 1, 0)
    assert record.reasons == {"empty_file": 1}
    assert {report.outcome: Path(report.video_url).name for report in seen} == {
        Outcome.QUARANTINED: "empty.mp4",
        Outcome.COMMITTED: "scene-0.mp4",
    }
    assert len(easi3r.open_dataset(dataset)) == 1

    (videos / "empty.mp4").unlink()
    code = (
        "import sys; from easi3r.config import Settings\n"
        "from easi3r.run.collection import annotate_collection; from easi3r.run.run import Run\n"
        f"settings = Settings.model_validate_json({settings.model_dump_json()!r})\n"
        f"record = annotate_collection(Run.of({str(videos)!r}, {dataset!r}, settings))\n"
        "print(record.clips['skipped'], 'torch' in sys.modules)"
    )
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert again.stdout == "1 False\n"  # nothing pending: the network is never imported


def test_a_record_of_the_run_stays_in_the_dataset(tmp_path: Path) -> None:
    write_scenes(tmp_path / "videos", count=2, frames=3)
    dataset = tmp_path / "out.zarr"
    record = annotate_collection(
        Run.of(str(tmp_path / "videos"), str(dataset), SETTINGS, NullEngine)
    )
    (path,) = (dataset / "runs").iterdir()
    kept = RunRecord.model_validate_json(path.read_text())
    assert kept == record
    assert kept.finished is not None
    assert (kept.planned_clips, kept.frames, kept.workers) == (2, 6, 1)
    assert kept.bytes_written > 0


def test_what_is_committed_is_not_run_again(tmp_path: Path) -> None:
    write_scenes(tmp_path / "videos", count=3, frames=3)
    dataset = str(tmp_path / "out.zarr")
    run = (str(tmp_path / "videos"), dataset, SETTINGS)
    annotate_collection(Run.of(*run, NullEngine))
    again = annotate_collection(Run.of(*run, NullEngine))
    assert counts(again) == (0, 3, 0, 0)
    assert again.frames == 0


def test_what_is_quarantined_waits_until_its_record_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scenes(tmp_path / "videos", count=2, frames=3)
    whole, dataset = str(tmp_path / "whole.zarr"), str(tmp_path / "out.zarr")
    annotate_collection(Run.of(str(tmp_path / "videos"), whole, SETTINGS, NullEngine))
    troubled = next(iter(easi3r.open_dataset(whole)))
    monkeypatch.setenv(TROUBLED_CLIPS, troubled)

    run = (str(tmp_path / "videos"), dataset, SETTINGS)
    assert counts(annotate_collection(Run.of(*run, PermanentErrorEngine))) == (1, 0, 1, 0)
    waiting = annotate_collection(Run.of(*run, NullEngine))
    assert counts(waiting) == (0, 1, 1, 0)
    assert waiting.reasons == {"quarantined_earlier": 1}

    (record,) = easi3r.open_dataset(dataset).quarantined
    clear_quarantine(dataset, record.id)
    assert counts(annotate_collection(Run.of(*run, NullEngine))) == (1, 1, 0, 0)


def test_a_result_both_committed_and_quarantined_leaves_the_quarantine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scenes(tmp_path / "videos", count=1, frames=3)
    good, bad = tmp_path / "good.zarr", tmp_path / "bad.zarr"
    videos = str(tmp_path / "videos")
    annotate_collection(Run.of(videos, str(good), SETTINGS, NullEngine))
    monkeypatch.setenv(TROUBLED_CLIPS, next(iter(easi3r.open_dataset(str(good)))))
    annotate_collection(Run.of(videos, str(bad), SETTINGS, PermanentErrorEngine))
    shutil.copytree(bad / "quarantine", good / "quarantine", dirs_exist_ok=True)
    assert len(easi3r.open_dataset(str(good)).quarantined) == 1

    record = annotate_collection(Run.of(videos, str(good), SETTINGS, NullEngine))
    assert counts(record) == (0, 1, 0, 0)
    assert easi3r.open_dataset(str(good)).quarantined == ()


def test_a_mended_video_leaves_the_quarantine(tmp_path: Path) -> None:
    (scene,) = write_scenes(tmp_path / "made", count=1, frames=3)
    video = tmp_path / "videos" / "late.mp4"
    video.parent.mkdir()
    video.touch()
    dataset = str(tmp_path / "out.zarr")
    annotate_collection(Run.of(str(video.parent), dataset, SETTINGS, NullEngine))
    (record,) = easi3r.open_dataset(dataset).quarantined
    assert record.reason == "empty_file"
    shutil.copy(scene, video)
    run = annotate_collection(Run.of(str(video.parent), dataset, SETTINGS, NullEngine))
    assert run.succeeded
    assert easi3r.open_dataset(dataset).quarantined == ()


def test_a_video_that_changes_after_planning_is_quarantined(tmp_path: Path) -> None:
    (scene,) = write_scenes(tmp_path / "videos", count=1, frames=3)
    dataset = str(tmp_path / "out.zarr")

    class Vandal(Watcher):
        """Empties the video once it is planned."""

        def part_planned(self, part: object) -> None:
            scene.write_bytes(b"")

    run = (str(tmp_path / "videos"), dataset, SETTINGS)
    record = annotate_collection(Run.of(*run, DecodingEngine), watcher=Vandal())
    assert counts(record) == (0, 0, 1, 0)
    assert record.reasons == {"changed_video": 1}


def test_a_fault_of_the_device_stops_a_run_in_this_process_and_blames_no_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scenes(tmp_path / "videos", count=1, frames=12)
    whole, dataset = str(tmp_path / "whole.zarr"), str(tmp_path / "out.zarr")
    videos = str(tmp_path / "videos")
    annotate_collection(Run.of(videos, whole, SETTINGS, NullEngine))
    clips = list(easi3r.open_dataset(whole))
    assert len(clips) == 4
    monkeypatch.setenv(TROUBLED_CLIPS, clips[2])
    with pytest.raises(DeviceFaultError, match=r"cuda:0: the device failed .* Replace it"):
        annotate_collection(Run.of(videos, dataset, SETTINGS, DeviceFaultEngine))
    assert easi3r.open_dataset(dataset).quarantined == ()
    (path,) = Path(dataset, "runs").iterdir()
    record = RunRecord.model_validate_json(path.read_text())
    assert (record.finished, record.reasons) == (None, {})
    again = annotate_collection(Run.of(videos, dataset, SETTINGS, NullEngine))
    assert again.succeeded
    assert again.clips[Outcome.COMMITTED] + again.clips[Outcome.SKIPPED] == 4


def test_a_run_in_which_every_clip_fails_unforeseen_is_stopped_and_quarantines_none(
    tmp_path: Path,
) -> None:
    write_scenes(tmp_path / "videos", count=1, frames=24)
    videos, dataset = str(tmp_path / "videos"), str(tmp_path / "out.zarr")
    settings = null_settings(
        execution={"device": "cpu", "clips_per_batch": 4, "stop_after_unexpected": 3}
    )
    with pytest.raises(RepeatedErrorsError, match=r"4 clips in a row .* the driver is older"):
        annotate_collection(Run.of(videos, dataset, settings, UnforeseenErrorEngine))
    assert easi3r.open_dataset(dataset).quarantined == ()
    (path,) = Path(dataset, "runs").iterdir()
    assert RunRecord.model_validate_json(path.read_text()).reasons == {"unexpected": 4}
    again = annotate_collection(Run.of(videos, dataset, settings, NullEngine))
    assert counts(again) == (8, 0, 0, 0)


def test_a_mistyped_source_leaves_no_dataset_behind(tmp_path: Path) -> None:
    with pytest.raises(UnreadableURLError, match="typo"):
        annotate_collection(
            Run.of(str(tmp_path / "typo"), str(tmp_path / "out.zarr"), SETTINGS, NullEngine)
        )
    assert not (tmp_path / "out.zarr").exists()


def test_local_paths_may_hold_two_colons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fsspec would take them for chained URLs."""
    (scene,) = write_scenes(tmp_path, count=1, frames=3)
    scene.rename(tmp_path / "cam::0.mp4")
    monkeypatch.chdir(tmp_path)
    record = annotate_collection(Run.of("cam::0.mp4", "set::a.zarr", SETTINGS, DecodingEngine))
    assert counts(record) == (1, 0, 0, 0)
    dataset = easi3r.open_dataset(str(tmp_path / "set::a.zarr"))
    (clip_id,) = dataset
    assert dataset[clip_id].depth.load().shape[0] == 3
    assert len(easi3r.query("set::a.zarr", "newest")) == 1
