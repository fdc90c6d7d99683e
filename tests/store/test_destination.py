"""Where a dataset may lie: what is refused, and what the error says."""

import errno
import json
import os
import uuid
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from easi3r.errors import (
    Easi3RError,
    NotADatasetError,
    StorageUnavailableError,
    UnreadableURLError,
    UnwritableDestinationError,
)
from easi3r.store import inspect, open_dataset, prepare_dataset
from easi3r.store.failures import reading, writing
from easi3r.store.files import files_at
from tests.servers import free_port
from tests.store import faulty


def test_preparing_twice_keeps_the_first_root_and_no_probe(url: str) -> None:
    prepare_dataset(url, '{"run": 1}')
    prepare_dataset(url, '{"run": 2}')
    dataset = open_dataset(url)
    assert dataset.attributes["settings"] == {"run": 1}
    assert dataset.attributes["schema_version"] == 1
    assert inspect(url).clips == len(dataset) == 0


def test_a_folder_of_other_files_becomes_no_dataset(url: str) -> None:
    files = files_at(url)
    files.put("notes/readme.txt", b"mine")
    with pytest.raises(NotADatasetError, match=r"holds other things \(notes\).*empty folder"):
        prepare_dataset(url, "{}")
    assert list(files.sizes("")) == ["notes/readme.txt"]
    files.delete("notes/readme.txt")
    files.delete_folder("notes")
    prepare_dataset(url, "{}")
    assert len(open_dataset(url)) == 0


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    for url in (str(file), f"{file}/below", f"file://{file}/deeper/still"):
        with pytest.raises(UnwritableDestinationError, match=r"Not a directory|is a file"):
            prepare_dataset(url, "{}")
    assert file.read_text() == "not a folder"


def test_a_file_system_that_takes_no_files_is_refused() -> None:
    with pytest.raises(UnwritableDestinationError, match="/proc/self/dataset"):
        prepare_dataset("/proc/self/dataset", "{}")


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnwritableDestinationError, match=r"bucket does not exist.*Create"):
        prepare_dataset("s3://no-such-bucket/clips.zarr", "{}")


def test_storage_that_overwrites_on_a_create_only_write_is_refused() -> None:
    url = f"{faulty.CarelessFileSystem.protocol}://{uuid.uuid4().hex}/clips.zarr"
    with pytest.raises(UnwritableDestinationError, match="create-only"):
        prepare_dataset(url, "{}")
    with pytest.raises(NotADatasetError):
        open_dataset(url)


@pytest.mark.parametrize("url", ["gopher://host/clips", "s4://bucket/clips"])
def test_an_unknown_protocol_is_an_unreadable_url(url: str) -> None:
    with pytest.raises(UnreadableURLError, match="Protocol not known"):
        prepare_dataset(url, "{}")
    with pytest.raises(UnreadableURLError, match="Protocol not known"):
        open_dataset(url)


def test_a_server_that_is_down_is_a_transient_failure() -> None:
    with pytest.raises(StorageUnavailableError, match="Run again"):
        open_dataset(f"http://127.0.0.1:{free_port()}/clips.zarr")


def test_where_nothing_lies_there_is_no_dataset(url: str) -> None:
    with pytest.raises(NotADatasetError, match="no dataset lies there"):
        open_dataset(url)


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ('{"attributes": {"format": "easi3r", "schema_version": 2}}', "schema version 2"),
        ('{"attributes": {"format": "easi3r"}}', "schema version None"),
        ('{"attributes": {"title": "another project"}}', "not an easi3r dataset"),
        ('{"zarr_format": 3, "node_type": "group"}', "not an easi3r dataset"),
        ("not json", "not Zarr metadata"),
        ("[]", "not Zarr metadata"),
    ],
)
def test_another_schema_is_neither_read_nor_written(
    tmp_path: Path, metadata: str, problem: str
) -> None:
    (tmp_path / "zarr.json").write_text(metadata)
    for use in (open_dataset, lambda url: prepare_dataset(url, "{}")):
        with pytest.raises(NotADatasetError, match=problem):
            use(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["zarr.json"]


def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "commits").mkdir()
    (tmp_path / "commits" / "listed").write_text("four")
    files = files_at(str(tmp_path))
    assert files.sizes("absent") == {}
    assert files.sizes("commits") == {"listed": 4}
    # Root may list anything, but no one a path of more than 4096 bytes.
    parent = os.open(tmp_path / "commits", os.O_RDONLY)
    for _ in range(20):
        os.mkdir("x" * 250, dir_fd=parent)
        child = os.open("x" * 250, os.O_RDONLY, dir_fd=parent)
        os.close(parent)
        parent = child
    os.close(parent)
    with pytest.raises(UnreadableURLError, match="File name too long"):
        files.sizes("commits")
    files.delete_folder("commits")
    assert files.sizes("commits") == {}


def test_the_root_is_a_plain_zarr_group(local_url: str) -> None:
    root = json.loads(Path(local_url, "zarr.json").read_text())
    assert (root["zarr_format"], root["node_type"]) == (3, "group")


NO_ANSWER = EndpointConnectionError(endpoint_url="http://10.0.0.1")


@pytest.mark.parametrize(
    ("raised", "on_write", "on_read"),
    [
        (NO_ANSWER, StorageUnavailableError, StorageUnavailableError),
        (ConnectionResetError(), StorageUnavailableError, StorageUnavailableError),
        (OSError(errno.EREMOTEIO, "500"), StorageUnavailableError, StorageUnavailableError),
        (NoCredentialsError(), UnwritableDestinationError, UnreadableURLError),
        (PermissionError("403"), UnwritableDestinationError, UnreadableURLError),
        (OSError(errno.EROFS, "read-only"), UnwritableDestinationError, UnreadableURLError),
        (FileNotFoundError("no bucket"), UnwritableDestinationError, FileNotFoundError),
        (NotADirectoryError(), UnwritableDestinationError, FileNotFoundError),
        (FileExistsError(), FileExistsError, UnreadableURLError),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_what_drivers_raise_becomes_typed(
    raised: Exception, on_write: type[Exception], on_read: type[Exception]
) -> None:
    with pytest.raises(on_write) as caught, writing("s3://bucket/clips"):
        raise raised
    if isinstance(caught.value, Easi3RError):
        assert caught.value.subject == "s3://bucket/clips"
        assert caught.value.__cause__ is raised
    with pytest.raises(on_read), reading("s3://bucket/clips"):
        raise raised


def test_a_bug_is_not_taken_for_a_storage_failure() -> None:
    with pytest.raises(ZeroDivisionError), writing("s3://bucket/clips"):
        raise ZeroDivisionError


def test_a_precondition_that_failed_means_the_object_exists_whatever_the_server_adds() -> None:
    answer = {"Error": {"Code": "PreconditionFailed", "Message": "no Condition is named"}}
    error = OSError(errno.EINVAL, "PreconditionFailed")
    error.__cause__ = ClientError(answer, "PutObject")
    with pytest.raises(FileExistsError), writing("s3://bucket/clips"):
        raise error
