"""Planning collections on disk: restarts, changes, duplicates, videos that fail or kill."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import s3fs

from easi3r.config import Settings
from easi3r.errors import SettingsError, StorageUnavailableError, StoreError, WorkerLostError
from easi3r.executor import InProcess
from easi3r.plan import (
    PartSummary,
    Plan,
    PlanWatcher,
    plan_collection,
    plan_ids,
    planner,
    read_plan,
)
from easi3r.plan.groups import VideoGroup
from easi3r.plan.parts import PARTS
from easi3r.store import (
    ResultSet,
    clear_quarantine,
    pack_clip_ids,
    prepare_dataset,
    quarantine_id_of_video,
    read_quarantine,
    result_names,
)
from easi3r.types import Outcome
from easi3r.video import plan_clips, probe
from tests.conftest import REPOSITORY
from tests.plan.videos import unique_video, write_cut_video, write_videos

SETTINGS = Settings.parse(
    {
        "sampling": {"clip_frames": 5},
        "model": {"sha256": "0" * 64},
        "execution": {"attempts": 1},
    }
)
NOTHING = ResultSet(np.empty(0, "S24"))


class Recorder(PlanWatcher):
    """Records the callbacks of planning."""

    def __init__(self) -> None:
        self.videos = 0
        self.parts: list[PartSummary] = []

    def listed(self, videos: int) -> None:
        self.videos = videos

    def part_planned(self, part: PartSummary) -> None:
        self.parts.append(part)


class Counting(InProcess):
    """Counts the videos that are probed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.probed: list[str] = []

        def counted(url: str, *arguments: object) -> object:
            self.probed.append(url)
            return probe(url, *arguments)

        monkeypatch.setattr("easi3r.plan.videos.probe", counted)


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    url = str(tmp_path / "out.zarr")
    prepare_dataset(url, SETTINGS.model_dump_json())
    return url


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of at most four: where the hash alone cuts depends on the folder's name."""
    monkeypatch.setattr("easi3r.plan.groups.MEAN_VIDEOS", 3)
    monkeypatch.setattr("easi3r.plan.groups.MOST_VIDEOS", 4)


def clips_of(plan: Plan, done: ResultSet = NOTHING) -> list:
    return [spec for batch in plan.batches(done, SETTINGS, 4) for spec in batch]


def part_files(dataset: str) -> dict[Path, int]:
    return {path: path.stat().st_ino for path in Path(dataset, PARTS).rglob("*.parquet")}


@pytest.mark.usefixtures("small_groups")
def test_a_plan_holds_what_planning_each_video_gives(tmp_path: Path, dataset: str) -> None:
    urls = write_videos(tmp_path / "videos", 12)
    (tmp_path / "videos/notes.txt").touch()
    watcher = Recorder()
    plan = plan_collection(str(tmp_path / "videos"), dataset, SETTINGS, InProcess(), watcher)
    expected = [
        spec for url in urls for spec in plan_clips(probe(url), SETTINGS.sampling, SETTINGS.video)
    ]
    assert clips_of(plan) == expected
    assert len(watcher.parts) > 1
    assert watcher.videos == plan.counts.videos == 12
    assert plan.counts.clips == len(expected) == 36
    assert plan.counts.frames == sum(map(len, expected))
    assert plan.counts.seconds == pytest.approx(36 * 4 / 25)
    assert (plan.counts.ignored, plan.counts.ignored_files) == ({".txt": 1}, 1)
    assert list(plan.problems()) == []
    assert clips_of(read_plan(dataset, plan.plan_id)) == expected


@pytest.mark.usefixtures("small_groups")
def test_the_clip_ids_of_a_plan_come_once_each(tmp_path: Path, dataset: str) -> None:
    videos = tmp_path / "videos"
    write_videos(videos, 3)
    (videos / "again.mp4").write_bytes(next(videos.iterdir()).read_bytes())
    plan = plan_collection(str(videos), dataset, SETTINGS, InProcess())
    ids = np.concatenate(list(plan.clip_ids()))
    np.testing.assert_array_equal(ids, pack_clip_ids(spec.clip_id for spec in clips_of(plan)))
    assert plan.counts.duplicates > 0
    assert plan_ids(dataset) == (plan.plan_id,)


@pytest.mark.usefixtures("small_groups")
def test_planning_again_probes_nothing_and_a_new_video_one_group(
    tmp_path: Path, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_videos(tmp_path / "videos", 30)
    counting = Counting(monkeypatch)
    first = plan_collection(str(tmp_path / "videos"), dataset, SETTINGS, counting)
    assert len(counting.probed) == 30
    before = part_files(dataset)
    assert len(before) > 5
    again = plan_collection(str(tmp_path / "videos"), dataset, SETTINGS, counting)
    assert again == first
    assert len(counting.probed) == 30
    assert part_files(dataset) == before

    (new,) = write_videos(tmp_path / "videos", 1, first=30)
    more = plan_collection(str(tmp_path / "videos"), dataset, SETTINGS, counting)
    assert more.plan_id != first.plan_id
    assert new in counting.probed[30:]
    assert len(part_files(dataset)) == len(before) + 1
    assert len(clips_of(read_plan(dataset, first.plan_id))) == 90  # the earlier plan still reads
    assert len(clips_of(more)) == 93


@pytest.mark.usefixtures("small_groups")
def test_planning_resumes_after_an_interruption(
    tmp_path: Path, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_videos(tmp_path / "videos", 20)
    counting = Counting(monkeypatch)

    class Interrupted(PlanWatcher):
        def part_planned(self, part: PartSummary) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plan_collection(str(tmp_path / "videos"), dataset, SETTINGS, counting, Interrupted())
    begun = len(counting.probed)
    assert 0 < begun < 20
    plan = plan_collection(str(tmp_path / "videos"), dataset, SETTINGS, counting)
    assert len(counting.probed) == len(set(counting.probed)) == plan.counts.videos == 20


def test_a_changed_video_is_planned_again(tmp_path: Path, dataset: str) -> None:
    (url,) = write_videos(tmp_path / "videos", 1)
    first = plan_collection(url, dataset, SETTINGS, InProcess())
    Path(url).write_bytes(unique_video(7))
    os.utime(url, ns=(5, 5))
    second = plan_collection(url, dataset, SETTINGS, InProcess())
    assert {spec.clip_id for spec in clips_of(first)}.isdisjoint(
        spec.clip_id for spec in clips_of(second)
    )


def test_duplicates_count_once_the_first_wins(tmp_path: Path, dataset: str) -> None:
    folder = tmp_path / "videos"
    urls = write_videos(folder, 3)
    Path(urls[2]).write_bytes(Path(urls[0]).read_bytes())
    manifest = tmp_path / "m.csv"
    manifest.write_text("url\n" + "\n".join([urls[2], urls[1], urls[0], urls[1]]))
    plan = plan_collection(str(manifest), dataset, SETTINGS, InProcess())
    assert (plan.counts.videos, plan.counts.repeated_names) == (3, 1)
    assert (plan.counts.clips, plan.counts.duplicates, plan.counts.frames) == (6, 3, 30)
    assert [spec.video_url for spec in clips_of(plan)] == [urls[2]] * 3 + [urls[1]] * 3
    duplicates = list(plan.duplicates())
    assert [(each.video_url, each.reason) for each in duplicates] == [(urls[0], "duplicate")] * 3
    assert {each.subject for each in duplicates} == {s.clip_id for s in clips_of(plan)[:3]}
    assert plan.state(NOTHING, NOTHING, SETTINGS).pending == 6


def test_only_what_is_neither_committed_nor_quarantined_is_pending(
    tmp_path: Path, dataset: str
) -> None:
    write_videos(tmp_path / "videos", 4)
    plan = plan_collection(str(tmp_path / "videos"), dataset, SETTINGS, InProcess())
    specs = clips_of(plan)
    names = result_names(pack_clip_ids(spec.clip_id for spec in specs), "0" * 64, SETTINGS.digest)
    committed, quarantined = ResultSet(np.sort(names[:5])), ResultSet(np.sort(names[4:7]))
    assert clips_of(plan, committed | quarantined) == specs[7:]
    state = plan.state(committed, quarantined, SETTINGS)
    assert (state.clips, state.committed, state.quarantined, state.pending) == (12, 5, 2, 5)
    assert state.pending_frames == sum(len(spec) for spec in specs[7:])
    assert plan.sample(committed | quarantined, SETTINGS, 3) == (specs[7], specs[9], specs[11])
    assert plan.sample(committed | quarantined, SETTINGS, 99) == tuple(specs[7:])
    other = Settings.parse({"sampling": {"clip_frames": 5}, "model": {"sha256": "1" * 64}})
    assert plan.state(committed, quarantined, other).pending == 12


def test_a_plan_is_not_read_with_other_sampling(tmp_path: Path, dataset: str) -> None:
    (url,) = write_videos(tmp_path / "videos", 1)
    plan = plan_collection(url, dataset, SETTINGS, InProcess())
    other = Settings.parse({"sampling": {"clip_frames": 4}, "model": {"sha256": "0" * 64}})
    with pytest.raises(SettingsError, match="Plan again"):
        next(plan.batches(NOTHING, other, 1))
    with pytest.raises(SettingsError, match="Pin the weights"):
        next(plan.batches(NOTHING, Settings.parse({"sampling": {"clip_frames": 5}}), 1))


def test_a_bad_video_is_quarantined_once_and_tried_again_when_requeued(
    tmp_path: Path, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "videos"
    urls = write_videos(folder, 2)
    bad = folder / "bad.mp4"
    bad.touch()
    counting = Counting(monkeypatch)
    for _ in range(2):
        plan = plan_collection(str(folder), dataset, SETTINGS, counting)
    assert counting.probed.count(str(bad)) == 1
    (problem,) = plan.problems()
    assert (problem.outcome, problem.reason) == (Outcome.QUARANTINED, "empty_file")
    assert plan.counts.quarantined_videos == 1
    (record,) = read_quarantine(dataset)
    assert record.id == problem.subject == quarantine_id_of_video(str(bad))

    clear_quarantine(dataset, record.id)  # what requeue does
    plan = plan_collection(str(folder), dataset, SETTINGS, counting)
    assert counting.probed == [*urls, str(bad), str(bad)]
    assert plan.counts.quarantined_videos == len(read_quarantine(dataset)) == 1

    bad.write_bytes(unique_video(9))
    plan = plan_collection(str(folder), dataset, SETTINGS, counting)
    assert (plan.counts.quarantined_videos, plan.counts.clips) == (0, 9)
    assert read_quarantine(dataset) == ()


def test_a_transient_failure_is_retried_alone(
    tmp_path: Path, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = write_videos(tmp_path / "videos", 3)
    counting = Counting(monkeypatch)

    with monkeypatch.context() as broken:

        def unavailable(url: str, *arguments: object) -> object:
            if url == urls[1]:
                raise StorageUnavailableError(url, "timed out", "Run again")
            return probe(url, *arguments)

        broken.setattr("easi3r.plan.videos.probe", unavailable)
        plan = plan_collection(str(tmp_path / "videos"), dataset, SETTINGS, counting)
    assert (plan.counts.failed_videos, plan.counts.clips) == (1, 6)
    assert [report.reason for report in plan.problems()] == ["storage_unavailable"]
    plan = plan_collection(str(tmp_path / "videos"), dataset, SETTINGS, counting)
    assert counting.probed == [urls[1]]
    assert (plan.counts.failed_videos, plan.counts.clips) == (0, 9)
    assert [spec.video_url for spec in clips_of(plan)[::3]] == urls


def test_a_video_that_kills_its_worker_is_quarantined(tmp_path: Path, dataset: str) -> None:
    urls = write_videos(tmp_path / "videos", 4)

    class Deadly(InProcess):
        """Loses the worker under one of the videos, as a crash in a decoder would."""

        def map(
            self, function: Callable, items: Iterable
        ) -> Iterator[tuple[object, object | WorkerLostError]]:
            for item in items:
                held = [v.url for v in item.videos] if isinstance(item, VideoGroup) else [item.url]
                if urls[2] in held:
                    yield item, WorkerLostError("a task", "killed its worker", "Look at its log")
                else:
                    yield item, function(item)

    plan = plan_collection(str(tmp_path / "videos"), dataset, SETTINGS, Deadly())
    assert (plan.counts.clips, plan.counts.quarantined_videos) == (9, 1)
    (record,) = read_quarantine(dataset)
    assert (record.video_url, record.reason) == (urls[2], "worker_lost")
    # The part is there: nobody meets the video again.
    assert plan_collection(str(tmp_path / "videos"), dataset, SETTINGS, InProcess()) == plan


def test_two_planners_at_once_agree(tmp_path: Path, dataset: str) -> None:
    write_videos(tmp_path / "videos", 3)

    class Racing(InProcess):
        """Another planner writes the same part between this one's look and its write."""

        def map(
            self, function: Callable, items: Iterable[VideoGroup]
        ) -> Iterator[tuple[VideoGroup, object]]:
            for item in items:
                yield item, raced(item, function)

    def raced(item: VideoGroup, function: Callable) -> PartSummary:
        part = planner._Part.open(item, dataset, SETTINGS)
        theirs = function(item)
        plans = [planner.plan_video(video, dataset, SETTINGS) for video in part.due]
        assert part.completed(iter(plans)) == theirs
        return theirs

    plan = plan_collection(str(tmp_path / "videos"), dataset, SETTINGS, Racing())
    assert plan == plan_collection(str(tmp_path / "videos"), dataset, SETTINGS, InProcess())


def test_shots_too_short_are_reported(tmp_path: Path, dataset: str) -> None:
    video = write_cut_video(tmp_path / "cut.mp4", (9, 2, 6))
    chosen = Settings.parse({**SETTINGS.model_dump(), "shots": {"short_shots": "report"}})
    plan = plan_collection(str(video), dataset, chosen, InProcess())
    (problem,) = plan.problems()
    assert (problem.outcome, problem.reason) == (Outcome.SKIPPED, "short_shot")
    assert "frames 9..10" in (problem.message or "")
    assert plan.counts.left_out_shots == 1
    specs = [spec for batch in plan.batches(NOTHING, chosen, 4) for spec in batch]
    assert {frame for spec in specs for frame in spec.frame_index} == {*range(9), *range(11, 17)}


def test_lost_and_broken_parts_are_named(tmp_path: Path, dataset: str) -> None:
    (url,) = write_videos(tmp_path / "videos", 1)
    plan = plan_collection(url, dataset, SETTINGS, InProcess())
    (path,) = part_files(dataset)
    path.write_bytes(b"torn")
    with pytest.raises(StoreError, match=path.name):
        clips_of(read_plan(dataset, plan.plan_id))
    with pytest.raises(StoreError, match=path.name):
        plan_collection(url, dataset, SETTINGS, InProcess())
    path.unlink()
    with pytest.raises(StoreError, match="this part of the plan is gone"):
        clips_of(read_plan(dataset, plan.plan_id))
    with pytest.raises(StoreError, match="no such plan"):
        read_plan(dataset, "0" * 16)


def test_a_bucket_is_planned_as_a_folder_is(tmp_path: Path, bucket: str) -> None:
    filesystem = s3fs.S3FileSystem()
    for number in range(2):
        filesystem.pipe(f"{bucket}/videos/{number}.mp4", unique_video(number))
    dataset = f"s3://{bucket}/out.zarr"
    prepare_dataset(dataset, SETTINGS.model_dump_json())
    plan = plan_collection(f"s3://{bucket}/videos", dataset, SETTINGS, InProcess())
    assert len(clips_of(plan)) == plan.counts.clips == 6
    assert plan_collection(f"s3://{bucket}/videos", dataset, SETTINGS, InProcess()) == plan


def test_a_name_that_cannot_be_stored_stops_nobody(tmp_path: Path, dataset: str) -> None:
    write_videos(tmp_path / "videos", 1)
    (tmp_path / "videos" / os.fsdecode(b"\xff.mp4")).write_bytes(unique_video(1))
    plan = plan_collection(str(tmp_path / "videos"), dataset, SETTINGS, InProcess())
    assert (plan.counts.clips, plan.counts.quarantined_videos) == (3, 1)
    (problem,) = plan.problems()
    assert problem.reason == "unreadable_url"
    assert problem.video_url.endswith(r"\udcff.mp4")


KILLED = """
import os, signal, sys
from easi3r.config import Settings
from easi3r.executor import InProcess
from easi3r.plan import PlanWatcher, groups, plan_collection

groups.MEAN_VIDEOS, groups.MOST_VIDEOS = 3, 4

class Suicide(PlanWatcher):
    parts = 0
    def part_planned(self, part):
        self.parts += 1
        if self.parts == 2:
            os.kill(os.getpid(), signal.SIGKILL)

plan_collection(*sys.argv[1:3], Settings.model_validate_json(sys.argv[3]), InProcess(), Suicide())
"""


@pytest.mark.usefixtures("small_groups")
def test_after_a_kill_the_plan_is_that_of_an_undisturbed_run(
    tmp_path: Path, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = str(tmp_path / "videos")
    write_videos(tmp_path / "videos", 12)
    command = [sys.executable, "-c", KILLED, source, dataset, SETTINGS.model_dump_json()]
    ended = subprocess.run(command, cwd=REPOSITORY, check=False)
    assert ended.returncode == -signal.SIGKILL
    parts_before = part_files(dataset)
    assert len(parts_before) == 2
    assert not list(Path(dataset, "plans").glob("*.json"))
    counting = Counting(monkeypatch)
    plan = plan_collection(source, dataset, SETTINGS, counting)
    assert 0 < len(counting.probed) < 12
    assert parts_before.items() <= part_files(dataset).items()
    undisturbed = str(tmp_path / "other.zarr")
    prepare_dataset(undisturbed, SETTINGS.model_dump_json())
    other = plan_collection(source, undisturbed, SETTINGS, InProcess())
    assert other.record == plan.record
    assert clips_of(other) == clips_of(plan)
