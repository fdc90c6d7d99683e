"""Listing, looking up and summarising."""

import subprocess
import sys
from pathlib import Path

import pytest

from easi3r.config import StoreSettings
from easi3r.errors import ClipNotFoundError, CorruptClipError
from easi3r.store import (
    inspect,
    open_dataset,
    prepare_dataset,
    quarantine,
    quarantine_record,
    write_clip,
)
from easi3r.store.files import files_at
from tests.store.annotations import make_annotation

SETTINGS = StoreSettings()


def test_clips_are_listed_by_video_and_place_in_it(dataset_url: str) -> None:
    places = [("b.mp4", 0), ("a.mp4", 40), ("a.mp4", 0)]
    for seed, (video_url, start) in enumerate(places):
        annotation = make_annotation(video_url=video_url, owned_start=start, seed=seed)
        write_clip(dataset_url, annotation, SETTINGS)
    dataset = open_dataset(dataset_url)
    assert [(clip.video_url, clip.owned_start) for clip in dataset.clips] == sorted(places)
    assert len(dataset) == 3
    assert all(clip_id in dataset for clip_id in dataset)
    assert "0" * 32 not in dataset


def test_a_listing_says_what_a_clip_is_without_opening_it(dataset_url: str) -> None:
    annotation = make_annotation(stream_break="broken at frame 40")
    write_clip(dataset_url, annotation, SETTINGS)
    (clip,) = open_dataset(dataset_url).clips
    assert (clip.clip_id, clip.frames, clip.height, clip.width) == (
        annotation.spec.clip_id,
        5,
        16,
        32,
    )
    assert (clip.owned_start, clip.owned_stop) == (30, 40)
    assert (clip.start_seconds, clip.stop_seconds) == tuple(annotation.pts_seconds[[0, -1]])
    assert clip.stream_break == "broken at frame 40"
    assert clip.weights_licence == "Apache-2.0"
    assert clip.quality == {"final_objective": 0.1, "median_reprojection_px": None}


def test_an_unknown_clip_is_named_with_its_nearest(dataset_url: str) -> None:
    with pytest.raises(ClipNotFoundError, match=r"among 0 committed ones"):
        open_dataset(dataset_url)["0" * 32]
    record = write_clip(dataset_url, make_annotation(), SETTINGS).record
    dataset = open_dataset(dataset_url)
    wrong = record.clip_id[:-1] + "x"
    with pytest.raises(ClipNotFoundError, match=f"{wrong}.*among 1 .*{record.clip_id}"):
        dataset[wrong]
    with pytest.raises(ClipNotFoundError, match=f"result 123 .*{record.result_id}"):
        dataset.open_clip(record.clip_id, "123")


def test_a_torn_commit_record_is_an_error_that_names_it(dataset_url: str) -> None:
    record = write_clip(dataset_url, make_annotation(), SETTINGS).record
    files_at(dataset_url).put(record.commit_path, b'{"clip_id": ')
    with pytest.raises(CorruptClipError, match=record.commit_path):
        _ = open_dataset(dataset_url).clips


def test_a_folder_with_glob_signs_in_its_name_is_a_folder(tmp_path: Path) -> None:
    url = str(tmp_path / "clips [v1] *.zarr")
    prepare_dataset(url, "{}")
    record = write_clip(url, make_annotation(), SETTINGS).record
    assert open_dataset(url)[record.clip_id].sizes["time"] == 5


def test_inspect_counts_what_there_is(dataset_url: str) -> None:
    write_clip(dataset_url, make_annotation(), SETTINGS)
    write_clip(dataset_url, make_annotation(weights_sha256="c" * 64), SETTINGS)
    write_clip(dataset_url, make_annotation(frames=3, seed=1, scale="metric"), SETTINGS)
    quarantine(dataset_url, quarantine_record("d" * 32, "x.mp4", RuntimeError("poison")))
    summary = inspect(dataset_url)
    assert (summary.videos, summary.clips, summary.results, summary.frames) == (2, 2, 3, 8)
    assert summary.bytes == sum(record.bytes for record in open_dataset(dataset_url).results)
    assert summary.weights == {"nano cccccccccccc": 1, "nano aaaaaaaaaaaa": 1}
    assert summary.scales == {"arbitrary": 1, "metric": 1}
    assert summary.licences == {"Apache-2.0": 2}
    assert summary.quarantined == {"unexpected": 1}
    assert "2 of 2 videos, 8 frames" in str(summary)
    assert "unexpected (1)" in str(summary)


def test_inspecting_loads_neither_torch_nor_s3(local_url: str) -> None:
    code = f"""
import sys
from easi3r.store import inspect
print(inspect({local_url!r}))
sys.exit(bool({{"torch", "s3fs", "botocore"}} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
