"""Packed names of results say what the readable ones say."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from easi3r.config import StoreSettings
from easi3r.store import (
    ResultSet,
    committed_results,
    committed_set,
    open_dataset,
    pack_clip_ids,
    quarantine,
    quarantine_record,
    quarantined_set,
    result_id,
    result_name,
    result_names,
    unpack_clip_ids,
    write_clip,
)
from easi3r.store.files import files_at
from easi3r.store.result_set import pack_names
from tests.store.annotations import make_annotation

SETTINGS = StoreSettings()
# Few different bytes, many zeros: what numpy's byte strings could confuse.
CLIP_IDS = st.lists(st.sampled_from(["00", "01", "ff"]), min_size=16, max_size=16).map("".join)
NAMES = st.builds(lambda clip, result: f"{clip}.{result[:16]}", CLIP_IDS, CLIP_IDS)


def as_set(names: list[str]) -> ResultSet:
    return ResultSet(np.unique(pack_names(names)))


@given(st.lists(CLIP_IDS))
def test_packed_clip_ids_come_back(clip_ids: list[str]) -> None:
    assert unpack_clip_ids(pack_clip_ids(clip_ids)) == clip_ids


@given(st.lists(CLIP_IDS), st.text(), st.text())
def test_packed_names_are_those_of_single_results(
    clip_ids: list[str], weights: str, settings: str
) -> None:
    packed = result_names(pack_clip_ids(clip_ids), weights, settings)
    names = [result_name(clip, result_id(clip, weights, settings)) for clip in clip_ids]
    np.testing.assert_array_equal(packed, pack_names(names))


@given(st.lists(NAMES), st.lists(NAMES), st.lists(NAMES))
def test_a_set_of_packed_names_is_the_set_of_names(
    some: list[str], more: list[str], wanted: list[str]
) -> None:
    both = as_set(some) | as_set(more)
    assert list(both) == sorted({*some, *more})
    assert len(both) == len({*some, *more})
    wanted += some
    expected = [name in {*some, *more} for name in wanted]
    assert both.contains(pack_names(wanted)).tolist() == expected
    clips = {name[:32] for name in (*some, *more)}
    wanted_clips = [name[:32] for name in wanted]
    actual = both.contains_clips(pack_clip_ids(wanted_clips))
    assert actual.tolist() == [clip in clips for clip in wanted_clips]
    of_clips = both.of_clips(pack_clip_ids(wanted_clips))
    assert list(of_clips) == [name for name in both if name[:32] in wanted_clips]


def test_names_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match="S16"):
        ResultSet(pack_clip_ids(["0" * 32]))


def test_the_committed_set_lists_every_result(dataset_url: str) -> None:
    assert len(committed_set(dataset_url)) == 0
    for seed in range(6):
        write_clip(dataset_url, make_annotation(seed=seed), SETTINGS)
    write_clip(dataset_url, make_annotation(weights_sha256="c" * 64), SETTINGS)
    files_at(dataset_url).put("commits/ab/notes.txt", b"no record")
    actual = committed_set(dataset_url)
    assert set(actual) == committed_results(dataset_url)
    assert list(actual) == sorted(actual)


@pytest.mark.parametrize("tail", ["", ".json.bak", ".json\n", "0.json", ".txt"])
def test_a_file_named_almost_like_a_record_is_none(local_url: str, tail: str) -> None:
    record = write_clip(local_url, make_annotation(), SETTINGS).record
    data = Path(local_url, record.commit_path).read_bytes()
    stray = result_name(record.clip_id, "d" * 64) + tail
    for folder in (Path(local_url, record.commit_path).parent, Path(local_url, "quarantine")):
        folder.mkdir(exist_ok=True)
        (folder / stray).write_bytes(data)
    assert committed_results(local_url) == {record.name}
    assert list(committed_set(local_url)) == [record.name]
    assert [actual.name for actual in open_dataset(local_url).results] == [record.name]
    assert open_dataset(local_url).record(record.clip_id) == record
    assert len(quarantined_set(local_url)) == 0


def test_only_quarantined_results_are_listed(dataset_url: str) -> None:
    name = f"{'0' * 31}1.{'a' * 16}"
    for record_id in (name, "d" * 32, "video-" + "e" * 32):
        quarantine(dataset_url, quarantine_record(record_id, "x.mp4", RuntimeError("poison")))
    assert list(quarantined_set(dataset_url)) == [name]


def test_listing_a_local_disk_stats_nothing(
    local_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = write_clip(local_url, make_annotation(), SETTINGS).record
    monkeypatch.setattr("os.stat", None)
    monkeypatch.setattr("os.path.getsize", None)
    assert list(committed_set(local_url)) == [record.name]


@pytest.mark.parametrize("results", [10_000])
def test_many_results_cost_24_bytes_each(local_url: str, results: int) -> None:
    clip_ids = sorted(hashlib.md5(str(i).encode()).hexdigest() for i in range(results))
    names = [result_name(clip, result_id(clip, "a" * 64, "b" * 64)) for clip in clip_ids]
    for name in names[::2]:
        place = Path(local_url, "commits", name[:2])
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{name}.json").touch()
    actual = committed_set(local_url)
    assert actual.names.nbytes == 24 * results // 2
    wanted = result_names(pack_clip_ids(clip_ids), "a" * 64, "b" * 64)
    assert actual.contains(wanted).tolist() == [True, False] * (results // 2)
