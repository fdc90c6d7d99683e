"""One writer wins, a killed one leaves nothing to see, and damage does not pass for data."""

import errno
import multiprocessing
import signal
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from easi3r.config import StoreSettings
from easi3r.errors import (
    CorruptClipError,
    DestinationFullError,
    StorageUnavailableError,
    UnwritableDestinationError,
)
from easi3r.store import (
    Written,
    committed_results,
    is_committed,
    open_dataset,
    prepare_dataset,
    result_id,
    result_name,
    write_clip,
)
from easi3r.store.commits import make_record
from easi3r.store.files import files_at
from easi3r.store.write import commit
from tests.conftest import REPOSITORY
from tests.store.annotations import make_annotation
from tests.store.faulty import failing

SETTINGS = StoreSettings(frames_per_chunk=2)
OBJECTS = 21


@pytest.fixture
def faulty_url() -> str:
    url = f"faulty://{uuid.uuid4().hex}/clips.zarr"
    prepare_dataset(url, "{}")
    return url


def attempts(url: str) -> set[str]:
    """Attempts of which at least one object is in storage, seen by listing."""
    return {path.split("/")[2] for path in files_at(url).sizes("clips")}


def write_when_all_are_ready(url: str, barrier: threading.Barrier) -> Written:
    annotation = make_annotation()
    barrier.wait(timeout=60)
    return write_clip(url, annotation, SETTINGS)


def assert_one_winner(url: str, written: list[Written]) -> None:
    assert sum(one.created for one in written) == 1
    assert all(one.record == written[0].record for one in written)
    assert attempts(url) == {written[0].record.path.split("/")[-1]}
    dataset = open_dataset(url)
    assert len(dataset.results) == 1
    dataset.verify_clip(make_annotation().spec.clip_id)


def test_of_threads_that_write_the_same_result_one_creates_it(local_url: str) -> None:
    barrier = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(write_when_all_are_ready, local_url, barrier) for _ in range(4)]
        assert_one_winner(local_url, [future.result() for future in futures])


def test_of_processes_that_write_the_same_result_one_creates_it(local_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(2) as pool:
        barrier = manager.Barrier(2)
        written = pool.starmap(write_when_all_are_ready, [(local_url, barrier)] * 2, chunksize=1)
    assert_one_winner(local_url, written)


def test_the_second_writer_gets_the_record_of_the_first(dataset_url: str) -> None:
    annotation = make_annotation()
    first = write_clip(dataset_url, annotation, SETTINGS)
    second = write_clip(dataset_url, annotation, SETTINGS)
    assert first.created
    assert not second.created
    assert_one_winner(dataset_url, [first, second])


def test_commits_are_listed_without_reading_records(dataset_url: str) -> None:
    annotation = make_annotation()
    clip_id, name = annotation.spec.clip_id, result_id(annotation.spec.clip_id, "a" * 64, "b" * 64)
    assert committed_results(dataset_url) == frozenset()
    assert not is_committed(dataset_url, clip_id, name)
    record = write_clip(dataset_url, annotation, SETTINGS).record
    assert record.result_id == name
    assert is_committed(dataset_url, clip_id, name)
    assert not is_committed(dataset_url, clip_id, "0" * 64)
    assert committed_results(dataset_url) == {result_name(clip_id, name)} == {record.name}


@pytest.mark.parametrize(
    ("event", "count", "committed"),
    [
        ("os.rename", 1, False),  # before the first object has its name
        ("os.rename", OBJECTS // 2, False),
        ("os.link", 1, False),  # everything verified, the commit record not there yet
        ("os.remove", OBJECTS + 1, True),  # the record is there, its temporary name too
    ],
)
def test_a_killed_writer_leaves_a_whole_clip_or_nothing_to_see(
    local_url: str, event: str, count: int, committed: bool
) -> None:
    script = f"""
import os, signal, sys
from easi3r.config import StoreSettings
from easi3r.store import write_clip
from tests.store.annotations import make_annotation

left = {count}
def kill_myself(event, arguments):
    global left
    if event == {event!r} and {local_url!r} in str(arguments):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

annotation = make_annotation()
sys.addaudithook(kill_myself)
write_clip({local_url!r}, annotation, StoreSettings(frames_per_chunk=2))
"""
    killed = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=False)
    assert killed.returncode == -signal.SIGKILL

    clip_id = make_annotation().spec.clip_id
    assert list(open_dataset(local_url)) == ([clip_id] if committed else [])
    assert len(committed_results(local_url)) == committed
    written = write_clip(local_url, make_annotation(), SETTINGS)
    assert written.created is not committed
    assert list(open_dataset(local_url)) == [clip_id]
    open_dataset(local_url).verify_clip(clip_id)


def test_an_uncommitted_attempt_is_invisible(dataset_url: str) -> None:
    record = write_clip(dataset_url, make_annotation(), SETTINGS).record
    files_at(dataset_url).delete(record.commit_path)
    assert attempts(dataset_url)
    assert list(open_dataset(dataset_url)) == []
    assert committed_results(dataset_url) == frozenset()


def test_a_byte_that_changes_on_the_way_is_noticed_before_the_commit(faulty_url: str) -> None:
    def flip(path: str, data: bytes, mode: str) -> bytes:
        if "depth/c/" not in path:
            return data
        middle = len(data) // 2
        return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]

    with failing(flip), pytest.raises(CorruptClipError, match=r"depth/c/0/0/0 .* SHA-256"):
        write_clip(faulty_url, make_annotation(), SETTINGS)
    assert attempts(faulty_url) == set()
    assert committed_results(faulty_url) == frozenset()


def test_a_byte_that_changes_later_is_noticed_by_every_reader(local_url: str) -> None:
    record = write_clip(local_url, make_annotation(), SETTINGS).record
    shard = Path(local_url, record.path, "depth/c/0/0/0")
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data)
    dataset = open_dataset(local_url)
    with pytest.raises(CorruptClipError, match=r"depth/c/0/0/0 .* SHA-256"):
        dataset.verify_clip(record.clip_id)
    with pytest.raises(ValueError, match="checksum"):
        dataset[record.clip_id].depth.load()


@pytest.mark.parametrize("lost", ["deleted", "truncated"])
def test_a_lost_object_is_an_error_and_not_zeros(local_url: str, lost: str) -> None:
    record = write_clip(local_url, make_annotation(), SETTINGS).record
    shard = Path(local_url, record.path, "dynamic_mask/c/0/0/0")
    if lost == "deleted":
        shard.unlink()
    else:
        shard.write_bytes(shard.read_bytes()[:-7])
    with pytest.raises(CorruptClipError, match="dynamic_mask/c/0/0/0 has"):
        open_dataset(local_url)[record.clip_id]


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), DestinationFullError),
        (PermissionError(errno.EACCES, "Access Denied"), UnwritableDestinationError),
        (OSError(errno.EBUSY, "Please reduce your request rate"), StorageUnavailableError),
        (TimeoutError("read timed out"), StorageUnavailableError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_a_failure_midway_is_typed_and_leaves_nothing(
    faulty_url: str, raised: BaseException, expected: type[BaseException]
) -> None:
    def fail(path: str, data: bytes, mode: str) -> bytes:
        if "intrinsics/c/" in path:
            raise raised
        return data

    with failing(fail), pytest.raises(expected):
        write_clip(faulty_url, make_annotation(), SETTINGS)
    assert attempts(faulty_url) == set()
    assert write_clip(faulty_url, make_annotation(), SETTINGS).created


def test_a_commit_whose_answer_was_lost_is_a_commit(faulty_url: str) -> None:
    with failing(answer_lost_at="/commits/"):
        written = write_clip(faulty_url, make_annotation(), SETTINGS)
    assert written.created
    open_dataset(faulty_url).verify_clip(written.record.clip_id)


def test_a_commit_sent_twice_by_the_driver_is_a_commit(dataset_url: str) -> None:
    written = write_clip(dataset_url, make_annotation(), SETTINGS)
    assert commit(files_at(dataset_url), written.record) == written
    open_dataset(dataset_url).verify_clip(written.record.clip_id)


def test_a_refused_commit_leaves_nothing(faulty_url: str) -> None:
    def refuse(path: str, data: bytes, mode: str) -> bytes:
        if "/commits/" in path:
            raise PermissionError(errno.EACCES, "Access Denied")
        return data

    with failing(refuse), pytest.raises(UnwritableDestinationError, match="write access"):
        write_clip(faulty_url, make_annotation(), SETTINGS)
    assert attempts(faulty_url) == set()


def test_after_an_unclear_commit_the_attempt_stays(faulty_url: str) -> None:
    def time_out(path: str, data: bytes, mode: str) -> bytes:
        if "/commits/" in path:
            raise TimeoutError("connect timed out")
        return data

    with failing(time_out), pytest.raises(StorageUnavailableError):
        write_clip(faulty_url, make_annotation(), SETTINGS)
    assert len(attempts(faulty_url)) == 1
    assert list(open_dataset(faulty_url)) == []


def test_a_record_lists_every_object_of_its_attempt(dataset_url: str) -> None:
    annotation = make_annotation()
    record = write_clip(dataset_url, annotation, SETTINGS).record
    sizes = files_at(dataset_url).sizes(record.path)
    assert sizes == {stored.name: stored.size for stored in record.objects}
    assert len(record.objects) == OBJECTS
    assert record.bytes == sum(sizes.values())
    again = make_record(annotation, record.path, {})
    changed = {"objects": record.objects, "committed_at": record.committed_at}
    assert again.model_copy(update=changed).model_dump(exclude={"quality"}) == record.model_dump(
        exclude={"quality"}
    )
