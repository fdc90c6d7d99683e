"""Garbage collection deletes what killed writers leave, and never what a commit record names."""

import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.config import StoreSettings
from easi3r.store import (
    Collected,
    audit,
    collect_garbage,
    open_dataset,
    prepare_dataset,
    quarantine,
    quarantine_record,
    quarantined_ids,
    write_clip,
)
from easi3r.store.files import files_at
from easi3r.store.schema import attempt_path
from tests.store.annotations import make_annotation

SETTINGS = StoreSettings(frames_per_chunk=2)
NOTHING = Collected(0, 0, 0)


def test_what_a_killed_writer_left_goes_and_what_is_committed_stays(dataset_url: str) -> None:
    committed = write_clip(dataset_url, make_annotation(), SETTINGS).record
    gone = write_clip(dataset_url, make_annotation(seed=1), SETTINGS).record
    files = files_at(dataset_url)
    files.delete(gone.commit_path)
    again = files.get(f"{committed.path}/zarr.json")
    files.put(f"{attempt_path(committed.clip_id, '0' * 32)}/zarr.json", again)
    files.put(".probe/1", b"probe: may be deleted")
    for record_id in (committed.name, gone.name, "video-1"):
        quarantine(dataset_url, quarantine_record(record_id, "x.mp4", RuntimeError("poison")))

    assert collect_garbage(dataset_url) == Collected(0, 0, 1)  # all but that is too young
    assert collect_garbage(dataset_url, older_than_seconds=0.0) == Collected(2, 1, 0)
    assert collect_garbage(dataset_url, older_than_seconds=0.0) == NOTHING
    assert audit(dataset_url, older_than_seconds=0.0).findings == ()
    assert list(open_dataset(dataset_url)) == [committed.clip_id]
    open_dataset(dataset_url).verify_clip(committed.clip_id)
    assert quarantined_ids(dataset_url) == {gone.name, "video-1"}


def test_an_attempt_of_folders_and_partial_files_alone_goes_too(local_url: str) -> None:
    attempt = Path(local_url, attempt_path("a" * 32, "0" * 32))
    (attempt / "depth").mkdir(parents=True)
    (attempt / "zarr.json.123.partial").touch()
    leftover = Path(local_url, "commits", "x.partial")
    leftover.parent.mkdir()
    leftover.touch()
    assert collect_garbage(local_url, older_than_seconds=60.0) == NOTHING
    assert collect_garbage(local_url, older_than_seconds=0.0) == Collected(1, 1, 0)
    assert not attempt.exists()
    assert not leftover.exists()


def test_a_clip_whose_record_cannot_be_read_keeps_its_attempts(local_url: str) -> None:
    record = write_clip(local_url, make_annotation(), SETTINGS).record
    files = files_at(local_url)
    files.put(record.commit_path, b"torn")
    assert collect_garbage(local_url, older_than_seconds=0.0) == NOTHING
    assert files.exists(f"{record.path}/zarr.json")


def test_a_file_named_almost_like_a_record_keeps_no_attempt(local_url: str) -> None:
    record = write_clip(local_url, make_annotation(), SETTINGS).record
    files = files_at(local_url)
    files.put(f"{attempt_path(record.clip_id, '0' * 32)}/zarr.json", b"{}")
    files.put(f"{record.commit_path}.bak", b"torn")
    assert collect_garbage(local_url, older_than_seconds=0.0) == Collected(1, 0, 0)
    open_dataset(local_url).verify_clip(record.clip_id)


def test_an_attempt_that_a_misplaced_record_names_stays(local_url: str) -> None:
    record = write_clip(local_url, make_annotation(), SETTINGS).record
    files = files_at(local_url)
    files.put(f"commits/00/{'0' * 32}.{'0' * 16}.json", files.get(record.commit_path))
    files.delete(record.commit_path)
    assert collect_garbage(local_url, older_than_seconds=0.0) == NOTHING
    open_dataset(local_url).clips  # noqa: B018 - it can still be read
    assert files.exists(f"{record.path}/zarr.json")


def test_an_attempt_committed_while_garbage_is_collected_stays(
    local_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = write_clip(local_url, make_annotation(), SETTINGS).record
    files = files_at(local_url)
    commit = files.get(record.commit_path)
    files.delete(record.commit_path)

    def commit_late(done: int, total: int) -> None:
        files.put(record.commit_path, commit)

    assert collect_garbage(local_url, older_than_seconds=0.0, progress=commit_late) == NOTHING
    open_dataset(local_url).verify_clip(record.clip_id)


ACTS = st.tuples(
    st.integers(0, 3),  # which clip
    st.sampled_from(["a", "c"]),  # by which weights
    st.sampled_from(["commit", "killed", "extra attempt", "quarantine"]),
)


@settings(max_examples=10, deadline=None)
@given(st.lists(ACTS, max_size=8))
def test_whatever_happened_committed_results_survive(acts: list[tuple[int, str, str]]) -> None:
    url = f"memory://{uuid.uuid4().hex}/clips.zarr"
    prepare_dataset(url, "{}")
    files = files_at(url)
    for clip, weights, act in acts:
        annotation = make_annotation(2, 16, 16, seed=clip, weights_sha256=weights * 64)
        written = write_clip(url, annotation, SETTINGS)
        if act == "killed" and written.created:
            files.delete(written.record.commit_path)
        elif act == "extra attempt":
            path = attempt_path(written.record.clip_id, uuid.uuid4().hex)
            files.put(f"{path}/zarr.json", b"{}")
        elif act == "quarantine":
            poison = quarantine_record(written.record.name, "x.mp4", RuntimeError("poison"))
            quarantine(url, poison)
    before = open_dataset(url).results
    collect_garbage(url, older_than_seconds=0.0)
    assert open_dataset(url).results == before
    report = audit(url, older_than_seconds=0.0)
    assert report.findings == ()
    assert report.read_whole == len(before)
