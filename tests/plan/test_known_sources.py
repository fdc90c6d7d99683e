"""Which files of what a user knows belong to which video, and when a plan is made anew for them."""

from pathlib import Path

import pytest

from easi3r.errors import UnreadableURLError
from easi3r.knowledge import KnownInputs
from easi3r.plan.groups import group_videos, with_storable_names
from easi3r.plan.known_sources import require_paths, with_known, with_known_versions
from easi3r.video import SourceVideo


@pytest.fixture
def poses(tmp_path: Path) -> Path:
    """A folder with a trajectory for `a/b` and a folder of poses for `c`."""
    folder = tmp_path / "poses"
    for path in (folder / "a/b.txt", folder / "c/000000.pose.txt"):
        path.parent.mkdir(parents=True)
        path.touch()
    return folder


def poses_of(urls: list[str], source: str, known: KnownInputs) -> list[str | None]:
    videos = with_known(map(SourceVideo, urls), source, known)
    return [None if video.known is None else video.known.poses for video in videos]


def test_one_video_has_the_path_itself(poses: Path) -> None:
    known = KnownInputs(poses=str(poses))
    assert poses_of(["/v/a.mp4"], "/v/a.mp4", known) == [str(poses)]


@pytest.mark.parametrize("source", ["/v", "/v/", "/v/**/*.mp4", "/v/list.csv"])
def test_many_videos_have_the_entries_that_are_called_as_they_are(poses: Path, source: str) -> None:
    urls = ["/v/a/b.mp4", "/v/c.mkv", "/v/x/y.mp4"]
    expected = [f"{poses}/{name}" for name in ("a/b.txt", "c", "x/y")]
    assert poses_of(urls, source, KnownInputs(poses=f"{poses}/")) == expected


def test_videos_that_a_manifest_names_elsewhere_have_entries_of_their_name(poses: Path) -> None:
    known = KnownInputs(poses=str(poses))
    assert poses_of(["s3://b/x/c.mp4"], "/v/list.csv", known) == [f"{poses}/c"]


def test_a_file_of_intrinsics_holds_for_every_video(poses: Path, tmp_path: Path) -> None:
    lens = tmp_path / "lens.json"
    lens.touch()
    known = KnownInputs(intrinsics=str(lens), poses=str(poses), metric=True)
    (video,) = with_known([SourceVideo("/v/c.mp4")], "/v", known)
    assert video.known == KnownInputs(str(lens), f"{poses}/c", metric=True)


def test_rows_of_a_manifest_come_first(poses: Path) -> None:
    own = KnownInputs(poses="/own.txt", motion_masks="/masks")
    video = SourceVideo("/v/c.mp4", known=own)
    (first,) = with_known([video], "/v/list.csv", KnownInputs(poses=str(poses), metric=True))
    assert first.known == own
    assert list(with_known([video], "/v/list.csv", None)) == [video]


def test_paths_that_are_not_there_are_refused_before_a_run(tmp_path: Path) -> None:
    require_paths(None)
    require_paths(KnownInputs(poses=str(tmp_path)))
    with pytest.raises(UnreadableURLError, match=r"no\.txt"):
        require_paths(KnownInputs(intrinsics=str(tmp_path / "no.txt")))


def test_a_part_is_named_by_what_is_known_and_by_the_files_content(tmp_path: Path) -> None:
    file, folder = tmp_path / "poses.txt", tmp_path / "masks"
    file.write_text("1")
    folder.mkdir()
    plain = SourceVideo("/v/a.mp4", 1000, "v")

    def name(known: KnownInputs | None) -> str:
        video = SourceVideo("/v/a.mp4", 1000, "v", known)
        (group,) = group_videos(with_known_versions([video]))
        return group.part_name("p")

    names = [name(None), name(KnownInputs(poses=str(file)))]
    names.append(name(KnownInputs(poses=str(file), metric=True)))
    file.write_text("12")
    names.append(name(KnownInputs(poses=str(file))))
    names.append(name(KnownInputs(motion_masks=str(folder))))
    (folder / "0.png").write_text("1")
    names.append(name(KnownInputs(motion_masks=str(folder))))
    names.append(name(KnownInputs(motion_masks="/no/such/folder")))
    assert len(set(names)) == len(names)
    assert names[0] == next(group_videos([plain])).part_name("p")


def test_names_that_are_no_text_are_storable() -> None:
    video = SourceVideo("/v/a\udcff.mp4", known=KnownInputs(poses="/p/\udcff.txt"))
    (stored,) = with_storable_names([video])
    assert stored.known == KnownInputs(poses="/p/\\udcff.txt")
