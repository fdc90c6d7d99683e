"""What a part holds comes back; what is first of its content."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.errors import StoreError
from easi3r.knowledge import KnownInputs
from easi3r.plan import VideoPlan
from easi3r.plan.parts import (
    NAME_COLUMNS,
    clip_ids,
    clips_only,
    encode_part,
    known_digests,
    pieces_of_part,
    read_part,
    read_summary,
    reports_of,
    specs_of,
    table_of,
)
from easi3r.plan.plan import first_of_each
from easi3r.store import unpack_clip_ids
from easi3r.types import ClipReport, ClipSpec, Outcome

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TIMES = st.floats(0, 1e6, allow_nan=False)


FRAMES = st.sets(st.integers(0, 2**40), min_size=1, max_size=8).map(sorted)
SPECS = st.lists(
    st.tuples(FRAMES, TIMES, st.integers(0, 2**40), st.none() | TEXTS, st.booleans()), max_size=4
)
REPORTS = st.lists(
    st.tuples(TEXTS, st.sampled_from(list(Outcome)[1:]), st.none() | TEXTS, st.none() | TEXTS),
    max_size=2,
)
VIDEOS = st.lists(st.tuples(TEXTS, SPECS, REPORTS), min_size=1, max_size=5)


def a_spec(
    url: str, frames: list[int], start: float, owned: int, broken: str | None, derived: bool
) -> ClipSpec:
    times = tuple(start + place for place in range(len(frames)))
    return ClipSpec(url, "f" * 64, tuple(frames), times, owned, owned + 7, broken, derived)


@given(VIDEOS)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_part_reads_back_as_it_was_encoded(drawn: list) -> None:
    videos = [
        VideoPlan(
            url,
            tuple(a_spec(url, *values) for values in specs),
            tuple(ClipReport(subject, url, *values) for subject, *values in reports),
        )
        for url, specs, reports in drawn
    ]
    data, summary = encode_part("name", [table_of(video) for video in videos])
    table = read_part(data)
    expected = [spec for video in videos for spec in video.specs]
    assert list(specs_of(clips_only(table))) == expected
    assert unpack_clip_ids(clip_ids(table)) == [spec.clip_id for spec in expected]
    assert list(reports_of(table)) == [report for video in videos for report in video.reports]
    assert read_summary("part", data) == summary
    assert (summary.videos, summary.clips) == (len(videos), len(expected))
    assert summary.frames == sum(map(len, expected))


def test_what_is_known_comes_back_and_parts_without_it_are_read() -> None:
    known = KnownInputs("lens.json", "poses", True, None, "d" * 64)
    specs = tuple(a_spec("a.mp4", [n, n + 1], 0.0, n, None, False) for n in range(3))
    specs = (specs[0], replace(specs[1], known=known), specs[2])
    report = ClipReport("video", "b.mp4", Outcome.FAILED)
    videos = [VideoPlan("b.mp4", (), (report,)), VideoPlan("a.mp4", specs)]
    table = read_part(encode_part("name", [table_of(video) for video in videos])[0])
    assert list(specs_of(clips_only(table))) == list(specs)
    assert known_digests(table) == [None, "d" * 64, None]
    (piece,) = pieces_of_part(encode_part("name", [table])[0], NAME_COLUMNS)
    assert known_digests(piece) == [None, "d" * 64, None]

    earlier = [table_of(video).drop_columns("known") for video in videos]
    data, _ = encode_part("name", earlier)
    assert [spec.known for spec in specs_of(clips_only(read_part(data)))] == [None] * 3
    (piece,) = pieces_of_part(data, NAME_COLUMNS)
    assert known_digests(piece) == [None] * 3
    assert list(reports_of(read_part(data))) == [report]


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1 and more bytes that are no footer PAR1"])
def test_an_object_that_is_no_part_is_refused(data: bytes) -> None:
    with pytest.raises(StoreError, match="no part of a plan of schema 1"):
        read_summary("part", data)


def test_a_part_of_another_schema_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = encode_part("name", [table_of(VideoPlan("a.mp4", ()))])
    monkeypatch.setattr("easi3r.plan.parts.PART_SCHEMA_VERSION", 2)
    with pytest.raises(StoreError, match=r"of schema 2 .schema version 1"):
        read_summary("part", data)


@given(st.lists(st.integers(0, 6), max_size=40))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_first_of_each_content(values: list[int]) -> None:
    packed = np.array([value.to_bytes(16) for value in values], "S16")
    first = [value not in values[:place] for place, value in enumerate(values)]
    assert first_of_each(packed).tolist() == first
