"""The index says what the commit records say, whatever came between, and anyone can read it."""

import logging
import uuid
from datetime import UTC
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import easi3r
from easi3r.config import StoreSettings
from easi3r.errors import NotADatasetError, SettingsError, StoreError
from easi3r.store import (
    Kind,
    audit,
    inspect,
    open_dataset,
    open_index,
    prepare_dataset,
    query,
    rebuild_index,
    update_index,
    write_clip,
)
from easi3r.store.files import Files, files_at
from easi3r.store.index import COLUMNS
from tests.store.annotations import make_annotation

SETTINGS = StoreSettings(frames_per_chunk=2)


def write(url: str, seed: int = 0, weights: str = "a", **figures: float) -> str:
    """Commit a small clip; the name of its result."""
    annotation = make_annotation(2 + seed, 16, 16, seed=seed, weights_sha256=weights * 64)
    annotation.reconstruction.quality.update(figures)
    return write_clip(url, annotation, SETTINGS).record.name


def test_a_row_says_what_the_record_says(dataset_url: str) -> None:
    write(dataset_url, seed=1, median_reprojection_px=0.5)
    update = update_index(dataset_url)
    assert (update.results, update.parts, update.parts_written, update.unreadable) == (1, 1, 1, 0)
    (record,) = open_dataset(dataset_url).results
    (row,) = query(dataset_url).to_pylist()
    for name in ("clip_id", "result_id", "video_url", "frames", "weights_licence", "bytes", "path"):
        assert row[name] == getattr(record, name)
    assert row["committed_at"].astimezone(UTC) == record.committed_at
    assert row["newest"] is True
    assert row["degraded"] == []
    assert row["median_reprojection_px"] == 0.5
    assert row["mean_focal_px"] is None
    assert list(row) == COLUMNS.names


def test_an_update_reads_only_the_new_records(
    dataset_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(dataset_url, seed=1)
    update_index(dataset_url)
    new = write(dataset_url, seed=1, weights="c")
    read: list[str] = []
    get_all = Files.get_all

    def recorded(self: Files, paths: list[str]) -> dict[str, bytes]:
        read.extend(paths)
        return get_all(self, read[-len(paths) :])

    monkeypatch.setattr(Files, "get_all", recorded)
    assert update_index(dataset_url).parts_written == 1
    assert read == [f"commits/{new[:2]}/{new}.json"]
    assert update_index(dataset_url).parts_written == 0
    rows = query(dataset_url, columns=("weights_sha256", "newest")).to_pylist()
    newest = {row["weights_sha256"][0]: row["newest"] for row in rows}
    assert newest == {"a": False, "c": True}


def test_results_that_are_gone_lose_their_rows(dataset_url: str) -> None:
    for seed in range(3):
        write(dataset_url, seed)
    write(dataset_url, 0, weights="c")
    update_index(dataset_url)
    files = files_at(dataset_url)
    newest, *_ = sorted(open_dataset(dataset_url).results, key=lambda r: r.committed_at)[::-1]
    (alone,) = (r for r in open_dataset(dataset_url).results if r.frames == 3)
    for record in (newest, alone):
        files.delete(record.commit_path)
        files.delete_folder(record.path)
    assert audit(dataset_url).counts == {Kind.STALE_INDEX: 2}
    assert update_index(dataset_url).results == 2
    assert query(dataset_url, "newest").num_rows == 2
    assert audit(dataset_url).clean


def test_figures_of_some_clips_alone_have_a_column(dataset_url: str) -> None:
    write(dataset_url, 0)
    write(dataset_url, 1, wobble=3.0, frames=7.0)
    update_index(dataset_url)
    rows = query(dataset_url, "wobble > 2", ("frames", "wobble", "quality_frames"))
    assert rows.to_pylist() == [{"frames": 3, "wobble": 3.0, "quality_frames": 7.0}]
    assert query(dataset_url, "wobble is null").num_rows == 1


@pytest.mark.parametrize("damage", ["torn", "of another version", "lost"])
def test_a_damaged_part_is_reported_and_rebuilt(
    local_url: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    prefixes = {write(local_url, seed)[:2] for seed in range(3)}
    update_index(local_url)
    before = query(local_url)
    part = Path(local_url, "index", f"{min(prefixes)}.parquet")
    if damage == "torn":
        part.write_bytes(part.read_bytes()[:-9])
    elif damage == "of another version":
        table = pq.read_table(part)
        pq.write_table(table.replace_schema_metadata({"easi3r.index": "0"}), part)
    else:
        part.unlink()
    assert audit(local_url).counts == {Kind.STALE_INDEX: 1}
    assert update_index(local_url).parts_written == 1
    assert query(local_url).equals(before)
    assert rebuild_index(local_url).parts_written == len(prefixes)
    assert query(local_url).equals(before)
    assert ("no Parquet file" in caplog.text) == (damage == "torn")


def test_an_unreadable_record_has_no_row_and_is_counted(
    local_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    write(local_url, 0)
    files_at(local_url).put(f"commits/00/{'0' * 32}.{'1' * 16}.json", b"torn")
    with caplog.at_level(logging.WARNING):
        update = update_index(local_url)
    assert (update.results, update.unreadable) == (1, 1)
    assert f"{'0' * 32}.{'1' * 16}.json" in caplog.text


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.integers(0, 2), st.sampled_from("ac")),
        st.tuples(st.just("remove"), st.integers(0, 2), st.sampled_from("ac")),
        st.tuples(st.just("update"), st.just(0), st.just("")),
        st.tuples(st.just("tear"), st.integers(0, 2), st.just("")),
    ),
    max_size=8,
)


@settings(max_examples=10, deadline=None)
@given(ACTS)
def test_an_updated_index_is_a_rebuilt_one(acts: list[tuple[str, int, str]]) -> None:
    url = f"memory://{uuid.uuid4().hex}/clips.zarr"
    prepare_dataset(url, "{}")
    files = files_at(url)
    for act, seed, weights in acts:
        if act == "commit":
            write(url, seed, weights)
        elif act == "remove":
            for record in open_dataset(url).results:
                if record.frames == 2 + seed and record.weights_sha256[0] == weights:
                    files.delete(record.commit_path)
        elif act == "update":
            update_index(url)
        else:
            for name in files.names("index")[seed:]:
                files.put(f"index/{name}", b"PAR1")
    update_index(url)
    updated = {name: files.get(f"index/{name}") for name in files.names("index")}
    rebuild_index(url)
    assert {name: files.get(f"index/{name}") for name in files.names("index")} == updated
    rows = query(url).to_pylist() if updated else []
    assert sorted(row["path"] for row in rows) == sorted(r.path for r in open_dataset(url).results)
    newest = sorted(row["path"] for row in rows if row["newest"])
    assert newest == sorted(record.path for record in open_dataset(url).clips)


def test_inspect_is_the_same_with_and_without_an_index(dataset_url: str) -> None:
    for seed in range(3):
        write(dataset_url, seed)
    without = inspect(dataset_url)
    update_index(dataset_url)
    assert inspect(dataset_url) == without
    write(dataset_url, 0, weights="c")
    assert inspect(dataset_url).results == 4


def test_other_libraries_read_the_index(local_url: str) -> None:
    for seed in range(3):
        write(local_url, seed)
    update_index(local_url)
    folder = f"{local_url}/index"
    assert len(pd.read_parquet(folder)) == 3
    assert pads.dataset(folder).to_table(filter=pads.field("frames") > 2).num_rows == 2
    question = f"SELECT sum(frames) FROM '{folder}/*.parquet' WHERE newest"
    assert duckdb.connect().execute(question).fetchall() == [(9,)]


def test_a_query_in_two_lines(dataset_url: str) -> None:
    for seed in range(3):
        write(dataset_url, seed)
    update_index(dataset_url)
    rows = easi3r.query(dataset_url, "frames >= 3 and final_objective < 1")
    assert isinstance(rows, pa.Table)
    assert sorted(rows["frames"].to_pylist()) == [3, 4]
    assert query(dataset_url, limit=1).num_rows == 1
    assert query(dataset_url, columns=("sum(frames) AS total",)).to_pylist() == [{"total": 9}]
    assert set(open_index(dataset_url).schema.names) == set(COLUMNS.names)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("wobble < 3", '"wobble" not found'),
        ("frames <", "syntax error"),
        ("clip_id in (select file from glob('/etc/*'))", "disabled"),
    ],
)
def test_an_invalid_query_is_an_error_of_one_line(
    local_url: str, expression: str, problem: str
) -> None:
    write(local_url)
    update_index(local_url)
    with pytest.raises(SettingsError, match=problem) as caught:
        query(local_url, expression)
    assert "\n" not in str(caught.value)
    assert "median_reprojection_px" in str(caught.value)


def test_without_an_index_or_a_dataset_the_remedy_is_named(url: str) -> None:
    with pytest.raises(NotADatasetError):
        query(url)
    prepare_dataset(url, "{}")
    with pytest.raises(StoreError, match=r"no index.*easi3r index"):
        query(url)
    assert update_index(url).results == 0
