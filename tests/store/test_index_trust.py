"""Trust in a dataset: written with a clip, found by query, judged anew without computing."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq

from easi3r.config import StoreSettings
from easi3r.store import (
    inspect,
    open_dataset,
    query,
    rebuild_index,
    update_index,
    update_trust,
    write_clip,
)
from easi3r.store.files import files_at
from easi3r.store.trust_counts import TrustCounts
from easi3r.types import Trust
from tests.store.annotations import make_annotation

SETTINGS = StoreSettings(frames_per_chunk=2)


def write(url: str, seed: int, trust: Trust | None, **figures: float) -> str:
    annotation = replace(make_annotation(3, 16, 16, seed=seed), trust=trust)
    annotation.reconstruction.quality.update(figures)
    return write_clip(url, annotation, SETTINGS).record.clip_id


def test_trust_is_in_attributes_record_and_index(dataset_url: str) -> None:
    good = write(dataset_url, 0, Trust(0.9, (), 2))
    bad = write(dataset_url, 1, Trust(0.05, ("no texture", "no parallax"), 2))
    without = write(dataset_url, 2, None)
    update_index(dataset_url)
    dataset = open_dataset(dataset_url)
    assert dataset[bad].attrs["trust"] == {
        "value": 0.05,
        "reasons": ["no texture", "no parallax"],
        "calibration": 2,
    }
    assert dataset[without].attrs["trust"] is None
    record = dataset.record(bad)
    assert (record.trust, record.trust_reasons, record.trust_calibration) == (
        0.05,
        ("no texture", "no parallax"),
        2,
    )
    assert query(dataset_url, "trust > 0.7", ("clip_id",))["clip_id"].to_pylist() == [good]
    listed = query(dataset_url, "list_contains(trust_reasons, 'no texture')", ("clip_id",))
    assert listed["clip_id"].to_pylist() == [bad]
    assert "trust        median 0.05, 50% below 0.3" in str(inspect(dataset_url))


def test_a_newer_calibration_reaches_the_index_alone(dataset_url: str) -> None:
    clip = write(dataset_url, 0, Trust(0.9, (), 1), parallax_deg=0.5)
    other = write(dataset_url, 1, Trust(0.8, (), 1))

    def assess(figures: Mapping[str, float | None], sha256: str) -> Trust | None:
        assert sha256 == "a" * 64
        figure = figures.get("parallax_deg")
        return None if figure is None else Trust(figure / 2, ("no parallax",), 2)

    update = update_trust(dataset_url, assess)
    assert str(update) == "trust of 1 of 2 results changed"
    rows = {row["clip_id"]: row for row in query(dataset_url).to_pylist()}
    assert (rows[clip]["trust"], rows[clip]["trust_calibration"]) == (0.25, 2)
    assert rows[clip]["trust_reasons"] == ["no parallax"]
    assert rows[other]["trust"] == 0.8
    assert update_trust(dataset_url, assess).changed == 0
    assert update_index(dataset_url).parts_written == 0
    rebuild_index(dataset_url)
    assert query(dataset_url, f"clip_id = '{clip}'")["trust"].to_pylist() == [0.9]


def test_records_and_parts_without_trust_are_read(dataset_url: str) -> None:
    clip = write(dataset_url, 0, None)
    files = files_at(dataset_url)
    path = open_dataset(dataset_url).record(clip).commit_path
    old = json.loads(files.get(path))
    for name in ("trust", "trust_reasons", "trust_calibration"):
        del old[name]
    files.put(path, json.dumps(old).encode())
    assert open_dataset(dataset_url).record(clip).trust is None
    update_index(dataset_url)

    part = f"index/{clip[:2]}.parquet"
    table = pq.read_table(pa.BufferReader(files.get(part)))
    table = table.drop_columns(["trust", "trust_reasons", "trust_calibration"])
    metadata = {**table.schema.metadata, b"easi3r.index": b"1"}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), sink)
    files.put(part, sink.getvalue().to_pybytes())
    assert update_index(dataset_url).parts_written == 0
    assert len(query(dataset_url, "trust > 0.7")) == 0
    assert inspect(dataset_url).trust.median is None


def test_a_summary_needs_no_list_of_clips() -> None:
    counts = TrustCounts()
    assert str(counts) == ""
    for value in (0.1, 0.294, 0.62, 0.8, 0.9):
        counts.add(value)
    assert counts.median == 0.62
    assert counts.low_share == 0.4
    assert str(counts) == "median 0.62, 40% below 0.3"
