"""Files below a folder of any filesystem, in the order of their paths, without holding them all."""

import os
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from easi3r.video.storage import locate, storage_errors

# Names of what changes with a file's content, by filesystem; the surest first.
_VERSION_KEYS = ("ETag", "etag", "md5Hash", "CRC", "mtime", "LastModified", "updated")


@dataclass(frozen=True)
class ListedFile:
    """One file, and what its listing says without opening it.

    Attributes:
        size_bytes: None where the filesystem does not say.
        version: an entity tag or modification time; None where the filesystem has neither.
    """

    path: str
    size_bytes: int | None
    version: str | None


def listed_file(info: Mapping[str, Any]) -> ListedFile:
    """A file as fsspec describes it."""
    size = info.get("size")
    versions = (info[key] for key in _VERSION_KEYS if info.get(key) is not None)
    version = next((str(value) for value in versions), None)
    return ListedFile(info["name"], None if size is None else int(size), version)


def describe(url: str) -> ListedFile:
    """Size and version of one file, as `files_below` would give them.

    Raises:
        UnreadableURLError, StorageUnavailableError: storage does not answer, or not now.
    """
    filesystem, path = locate(url)
    with storage_errors(url):
        if isinstance(filesystem, LocalFileSystem):
            return _local_file(path, os.stat(path))
        filesystem.invalidate_cache(path)  # a cached listing may be out of date
        return listed_file(filesystem.info(path))


def files_below(filesystem: AbstractFileSystem, folder: str) -> Iterator[ListedFile]:
    """Files at any depth, ascending by path; raises what the filesystem raises."""
    if isinstance(filesystem, LocalFileSystem):
        return _local_files(folder, set())
    if _is_s3(filesystem):
        return _s3_files(filesystem, folder)
    return _walked_files(filesystem, folder)


def _local_files(folder: str, seen: set[str]) -> Iterator[ListedFile]:
    """Through links too, each folder once: a link may lead to a folder above.

    fsspec's own walk leaves out folders that it may not read, without a word.
    """
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    with os.scandir(folder) as entries:
        listed = sorted(
            entries, key=lambda entry: f"{entry.name}/" if entry.is_dir() else entry.name
        )
    for entry in listed:
        path = posixpath.join(folder, entry.name)
        if entry.is_dir():
            yield from _local_files(path, seen)
        else:
            try:
                yield _local_file(path, entry.stat())
            except FileNotFoundError:  # a link to nowhere: probing says so, by name
                yield ListedFile(path, None, None)


def _local_file(path: str, status: os.stat_result) -> ListedFile:
    return ListedFile(path, status.st_size, str(status.st_mtime_ns))


def _is_s3(filesystem: AbstractFileSystem) -> bool:
    """By its protocol: importing s3fs takes as long as all the rest of a listing."""
    protocol = filesystem.protocol
    return "s3" in ((protocol,) if isinstance(protocol, str) else protocol)


def _s3_files(filesystem: AbstractFileSystem, folder: str) -> Iterator[ListedFile]:
    """One page of 1000 objects at a time; s3fs' own `find` holds a dictionary of each."""
    bucket, key, _ = filesystem.split_path(folder)
    request = {"Bucket": bucket, "Prefix": f"{key.rstrip('/')}/" if key else ""}
    while True:
        page = filesystem.call_s3("list_objects_v2", **request)
        for info in page.get("Contents", ()):
            if not info["Key"].endswith("/"):  # made by consoles to stand for empty folders
                path = f"{bucket}/{info['Key']}"
                yield ListedFile(path, int(info["Size"]), info["ETag"])
        if not page.get("IsTruncated"):
            return
        request["ContinuationToken"] = page["NextContinuationToken"]


def _walked_files(filesystem: AbstractFileSystem, folder: str) -> Iterator[ListedFile]:
    entries = filesystem.ls(folder, detail=True)
    for info in sorted(entries, key=_path_in_order):
        if info["type"] == "directory":
            yield from _walked_files(filesystem, info["name"])
        elif info["type"] == "file":
            yield listed_file(info)


def _path_in_order(info: Mapping[str, Any]) -> str:
    """Sorts a folder where the paths below it would stand."""
    name = info["name"].rstrip("/")
    return f"{name}/" if info["type"] == "directory" else name
