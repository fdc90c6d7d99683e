"""Groups of videos: nothing lost, cut by content."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.plan.groups import MOST_BYTES, MOST_VIDEOS, group_videos, spooled, with_versions
from easi3r.video import SourceVideo


def a_source(count: int, size_bytes: int | None = 1000) -> list[SourceVideo]:
    return [SourceVideo(f"/videos/{n:06}.mp4", size_bytes, "v") for n in range(count)]


@given(st.integers(0, 4000), st.sampled_from([None, 1000, MOST_BYTES // 7, 2 * MOST_BYTES]))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_groups_keep_order_and_lose_nothing(count: int, size_bytes: int | None) -> None:
    videos = a_source(count, size_bytes)
    groups = list(group_videos(videos))
    assert [video for group in groups for video in group.videos] == videos
    assert [group.number for group in groups] == list(range(len(groups)))
    for group in groups:
        assert 0 < len(group.videos) <= MOST_VIDEOS
        assert sum(video.size_bytes or 0 for video in group.videos[:-1]) < MOST_BYTES


@given(st.integers(0, 2999))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_one_video_more_changes_one_or_two_groups(place: int) -> None:
    videos = a_source(3000)
    before = {group.part_name("p") for group in group_videos(videos)}
    videos.insert(place, SourceVideo(f"{videos[place].url}-more.mp4", 1000, "v"))
    after = {group.part_name("p") for group in group_videos(videos)}
    assert 1 <= len(after - before) <= 2


def test_a_part_is_named_by_all_that_planning_depends_on() -> None:
    videos = a_source(1)
    names = {
        next(group_videos(each)).part_name(planning)
        for each, planning in [
            (videos, "p"),
            (videos, "q"),
            (a_source(1, 1001), "p"),
            ([SourceVideo(videos[0].url, 1000, "w")], "p"),
            ([SourceVideo("/videos/b.mp4", 1000, "v")], "p"),
        ]
    }
    assert len(names) == 5


def test_groups_are_spooled_to_disk() -> None:
    videos = a_source(2000)
    with spooled(group_videos(videos)) as groups:
        assert groups.videos == 2000
        for _ in range(2):
            assert [video for group in groups for video in group.videos] == videos


def test_versions_are_looked_up_only_where_they_are_missing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"abc")
    known, unknown, lost = a_source(1)[0], SourceVideo(str(path)), SourceVideo("/no/such.mp4")
    described = list(with_versions([known, unknown, lost]))
    assert (described[0], described[2]) == (known, lost)
    assert (described[1].url, described[1].size_bytes) == (str(path), 3)
    assert described[1].version is not None
