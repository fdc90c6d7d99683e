"""What a supervisor runs: duplicates, poison clips, resumption, and the sum of it all."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import easi3r
from easi3r.collection import (
    InProcess,
    RunSummary,
    Watcher,
    absolute_location,
    annotate_clips,
    annotate_collection,
    in_groups,
    plan_collection,
)
from easi3r.config import Settings
from easi3r.errors import UnreadableURLError, WorkerLostError
from easi3r.store import prepare_dataset
from easi3r.types import ClipReport, ClipSpec, Outcome
from tests.scenes import write_scenes

SETTINGS = Settings.parse({"video": {"long_side_px": 96}, "alignment": {"max_steps": 10}})


class Poisoned(InProcess):
    """Loses the worker of every batch that holds the poison clip, as a crash in C code would."""

    def __init__(self, poison: str) -> None:
        self.poison = poison
        self.batches: list[int] = []

    def map(
        self, function: Callable, items: Sequence[tuple[ClipSpec, ...]]
    ) -> Iterator[tuple[tuple[ClipSpec, ...], tuple[ClipReport, ...] | WorkerLostError]]:
        for batch in items:
            self.batches.append(len(batch))
            if any(spec.clip_id == self.poison for spec in batch):
                yield batch, WorkerLostError("batch", "killed its worker", "Look at the log")
            else:
                yield batch, function(batch)


def test_a_collection_with_every_kind_of_input(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    (scene,) = write_scenes(videos, count=1)
    shutil.copy(scene, videos / "twin.mp4")
    (videos / "empty.mp4").touch()
    (videos / "notes.txt").write_text("not a video")
    seen: list[str] = []

    class Recorder(Watcher):
        def listed(self, listing: object) -> None:
            seen.append(f"ignored {dict(listing.ignored)}")

        def settled(self, report: ClipReport) -> None:
            seen.append(report.outcome)

    dataset = str(tmp_path / "out.zarr")
    summary = annotate_collection(str(videos), dataset, SETTINGS, watcher=Recorder())
    assert not summary.succeeded
    assert summary.counts == {
        Outcome.COMMITTED: 1,
        Outcome.SKIPPED: 1,
        Outcome.QUARANTINED: 1,
        Outcome.FAILED: 0,
    }
    reasons = {Path(report.video_url).name: report.reason for report in summary.reports}
    assert reasons == {"scene-0.mp4": None, "twin.mp4": "duplicate", "empty.mp4": "empty_file"}
    assert seen[0].startswith("ignored {")
    assert "'.txt': 1" in seen[0]
    assert seen[1:] == [Outcome.COMMITTED]


def test_a_mended_video_leaves_the_quarantine(tmp_path: Path) -> None:
    (scene,) = write_scenes(tmp_path / "made", count=1)
    video = tmp_path / "videos" / "late.mp4"
    video.parent.mkdir()
    video.touch()
    dataset = str(tmp_path / "out.zarr")
    annotate_collection(str(video.parent), dataset, SETTINGS)
    annotate_collection(str(video.parent), dataset, SETTINGS)
    (record,) = easi3r.open_dataset(dataset).quarantined
    assert record.count == 2
    shutil.copy(scene, video)
    assert annotate_collection(str(video.parent), dataset, SETTINGS).succeeded
    assert easi3r.open_dataset(dataset).quarantined == ()


def test_a_failure_that_a_duplicate_shares_stays_in_the_quarantine(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    (scene,) = write_scenes(videos, count=1)
    shutil.copy(scene, videos / "twin.mp4")
    dataset = str(tmp_path / "out.zarr")

    class Vandal(Watcher):
        """Empties the video once it is planned."""

        def planned(self, plan: object) -> None:
            scene.write_bytes(b"")

    summary = annotate_collection(str(videos), dataset, SETTINGS, watcher=Vandal())
    assert summary.counts[Outcome.QUARANTINED] == 1
    (record,) = easi3r.open_dataset(dataset).quarantined
    assert record.reason == "changed_video"


@pytest.mark.parametrize(
    ("given", "absolute"),
    [
        ("s3://bucket/a", "s3://bucket/a"),
        ("zip://a.mp4::/b.zip", "zip://a.mp4::/b.zip"),
        ("/a/../b", "/b"),
        ("videos/", os.path.join(os.getcwd(), "videos/")),
        ("a.mp4", os.path.join(os.getcwd(), "a.mp4")),
    ],
)
def test_locations_mean_the_same_in_every_process(given: str, absolute: str) -> None:
    assert absolute_location(given) == absolute


def test_a_mistyped_source_leaves_no_dataset_behind(tmp_path: Path) -> None:
    with pytest.raises(UnreadableURLError):
        annotate_collection(str(tmp_path / "typo"), str(tmp_path / "out.zarr"), SETTINGS)
    assert not (tmp_path / "out.zarr").exists()


def test_the_clip_that_kills_workers_is_found_and_quarantined(tmp_path: Path) -> None:
    urls = [str(path) for path in write_scenes(tmp_path / "videos", count=4)]
    dataset = str(tmp_path / "out.zarr")
    prepare_dataset(dataset, SETTINGS.model_dump_json())
    plan = plan_collection(urls, dataset, SETTINGS, InProcess())
    poison = plan.specs[2].clip_id
    executor = Poisoned(poison)
    reports = list(annotate_clips(plan.specs, dataset, SETTINGS, executor))
    outcome = {report.subject: report.outcome for report in reports}
    assert len(reports) == len(outcome) == 4
    assert outcome.pop(poison) is Outcome.QUARANTINED
    assert set(outcome.values()) == {Outcome.COMMITTED}
    assert executor.batches == [4, 1, 1, 1, 1, 1]
    (record,) = easi3r.open_dataset(dataset).quarantined
    assert (record.id, record.reason) == (poison, "worker_lost")


def test_a_source_that_does_not_exist_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(UnreadableURLError, match="nowhere"):
        annotate_collection(str(tmp_path / "nowhere"), str(tmp_path / "out.zarr"), SETTINGS)


def test_groups_keep_order_and_lose_nothing() -> None:
    assert in_groups(range(5), 2) == [(0, 1), (2, 3), (4,)]
    assert in_groups((), 2) == []


def test_a_summary_in_words() -> None:
    reports = (
        ClipReport("a", "a.mp4", Outcome.COMMITTED, frames=24),
        ClipReport("b", "b.mp4", Outcome.QUARANTINED, "empty_file"),
    )
    summary = RunSummary(reports, 61.2)
    assert str(summary) == ("1 committed, 0 skipped, 1 quarantined, 0 failed; 24 frames in 0:01:01")
    assert not summary.succeeded
    assert RunSummary(reports[:1], 1.0).succeeded
