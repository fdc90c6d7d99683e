"""Quarantine records: a permanent failure with its reason and count; clearing."""

import pickle

import pytest
from pydantic import ValidationError

from easi3r.errors import EmptyFileError, StoreError
from easi3r.store import (
    QuarantineRecord,
    clear_quarantine,
    open_dataset,
    quarantine,
    quarantine_id_of_video,
    quarantine_record,
    read_quarantine,
)
from easi3r.store.files import files_at

VIDEO = "s3://videos/empty file.mp4"


def failure(error: Exception, record_id: str | None = None) -> QuarantineRecord:
    try:
        raise error
    except Exception as caught:
        return quarantine_record(record_id or quarantine_id_of_video(VIDEO), VIDEO, caught)


def test_a_record_says_what_failed_why_where_and_what_to_do(dataset_url: str) -> None:
    record = failure(EmptyFileError(VIDEO, "the file holds no bytes", "Upload it again"))
    assert quarantine(dataset_url, record) == record
    (stored,) = read_quarantine(dataset_url)
    assert stored == record == pickle.loads(pickle.dumps(stored))
    assert stored.id.startswith("video-")
    assert (stored.reason, stored.error_class) == ("empty_file", "EmptyFileError")
    assert VIDEO in stored.message
    assert stored.remedy == "Upload it again"
    assert "in failure" in stored.traceback
    assert {"python", "easi3r", "torch", "host", "device"} <= set(stored.environment)
    assert open_dataset(dataset_url).quarantined == (stored,)


def test_recording_again_counts_and_keeps_the_latest_reason(dataset_url: str) -> None:
    first = failure(EmptyFileError(VIDEO, "the file holds no bytes", "Upload it again"))
    last = failure(RuntimeError("poison"))
    for record in (first, first, last):
        quarantine(dataset_url, record)
    (stored,) = read_quarantine(dataset_url)
    assert stored.count == 3
    assert (stored.first_time, stored.last_time) == (first.first_time, last.last_time)
    assert (stored.reason, stored.message) == ("unexpected", "poison")


def test_clearing_forgets_one_record_and_may_be_repeated(dataset_url: str) -> None:
    for record_id in ("a" * 32, "b" * 32):
        quarantine(dataset_url, failure(RuntimeError("poison"), record_id))
    clear_quarantine(dataset_url, "a" * 32)
    clear_quarantine(dataset_url, "a" * 32)
    assert [record.id for record in read_quarantine(dataset_url)] == ["b" * 32]


def test_a_record_that_is_not_one_is_an_error_that_names_it(dataset_url: str) -> None:
    files_at(dataset_url).put("quarantine/odd.json", b"{}")
    with pytest.raises(StoreError, match=r"quarantine/odd\.json"):
        read_quarantine(dataset_url)


def test_an_id_cannot_leave_its_folder() -> None:
    with pytest.raises(ValidationError):
        failure(RuntimeError("poison"), "../../zarr")
