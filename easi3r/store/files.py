"""Objects under one URL, read and written whole: the storage access of `easi3r.store`.

Endpoints and credentials come from the environment (`AWS_ENDPOINT_URL`, `AWS_PROFILE`,
`FSSPEC_S3_...`, `~/.config/fsspec`), never from arguments: plain zarr and xarray then open the
same URL, and no secret travels in a task graph.
"""

import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import zarr.storage
from fsspec import AbstractFileSystem, url_to_fs
from fsspec.implementations.local import LocalFileSystem
from zarr.abc.store import Store

from easi3r.errors import UnreadableURLError, UnwritableDestinationError
from easi3r.store.failures import reading, writing
from easi3r.store.threads import in_threads

_PARTIAL = ".partial"
_WHOLE = 0  # from byte 0 on: without a start s3fs requests the length of each object first


@dataclass(frozen=True)
class Files:
    """Objects of a dataset, named by their path below `url`.

    Every method raises only typed errors, and `FileNotFoundError` or `FileExistsError` where it
    says so.
    """

    url: str
    fs: AbstractFileSystem
    root: str

    def locate(self, path: str) -> str:
        """The URL of an object, for messages."""
        return f"{self.url.rstrip('/')}/{path}"

    def absolute(self, path: str) -> str:
        """The path of an object as its file system knows it."""
        return f"{self.root.rstrip('/')}/{path}" if path else self.root

    def put(self, path: str, data: bytes) -> None:
        """Write an object, whole, over what was there."""
        with writing(self.locate(path)):
            self.fs.pipe_file(self.absolute(path), data)

    def put_all(self, objects: Mapping[str, bytes]) -> None:
        """Write many objects, at once where the storage can."""
        with writing(self.url):
            self.fs.pipe({self.absolute(path): data for path, data in objects.items()})

    def put_new(self, path: str, data: bytes) -> None:
        """Write an object only if there is none of that name: of many writers one succeeds.

        Raises:
            FileExistsError: there is one already.
            UnwritableDestinationError: also where the storage knows no such write.
        """
        if not self.fs.async_impl and type(self.fs).pipe_file is AbstractFileSystem.pipe_file:
            protocol = type(self.fs).__name__
            problem = f"{protocol} has no atomic create-only writes, which commits need"
            remedy = "Use a local disk or an S3 bucket"
            raise UnwritableDestinationError(self.locate(path), problem, remedy)
        with writing(self.locate(path)):
            self.fs.pipe_file(self.absolute(path), data, mode="create")

    def get(self, path: str) -> bytes:
        """The bytes of an object.

        Raises:
            FileNotFoundError: there is none.
        """
        with reading(self.locate(path)):
            return self.fs.cat_file(self.absolute(path), start=_WHOLE)

    def get_all(self, paths: Iterable[str]) -> dict[str, bytes]:
        """The bytes of many objects, in the order of `paths`; absent ones are left out."""
        names = list(paths)
        contents = {}
        results = self.fs.cat_ranges([self.absolute(name) for name in names], _WHOLE, None)
        for name, result in zip(names, results, strict=True):
            if isinstance(result, FileNotFoundError):
                continue
            with reading(self.locate(name)):
                if isinstance(result, Exception):
                    raise result
            contents[name] = result
        return contents

    def exists(self, path: str) -> bool:
        """Whether an object is there; a failure of storage is an error, never False."""
        try:
            with reading(self.locate(path)):
                self.fs.info(self.absolute(path))  # fs.exists() takes any error for a no
        except FileNotFoundError:
            return False
        return True

    def sizes(self, folder: str) -> dict[str, int]:
        """Bytes of every object below a folder, by its path below that folder."""
        with reading(self.locate(folder)):
            objects = self._find(self.absolute(folder))
        return {path: size for path, size in sorted(objects.items()) if not path.endswith(_PARTIAL)}

    def _find(self, top: str) -> dict[str, int]:
        try:
            infos = self.fs.find(top, detail=True)
        except FileNotFoundError:
            return {}
        start = len(self.fs._strip_protocol(top))
        return {path[start:].lstrip("/"): int(info["size"]) for path, info in infos.items()}

    def names(self, folder: str) -> list[str]:
        """Names directly in a folder, of objects and of folders; reads no other metadata.

        Temporary files of writers are left out. An absent folder is an empty one.
        """
        with reading(self.locate(folder)):
            try:
                names = self._names(self.absolute(folder))
            except FileNotFoundError:
                return []
        return [name for name in names if not name.endswith(_PARTIAL)]

    def leftovers(self, outside: str) -> Iterator[str]:
        """Paths of temporary files: of a writer at work, or of one that was killed.

        Storage that takes objects whole has none.

        Args:
            outside: a folder not to look into.
        """
        return iter(())

    def age_seconds(self, path: str) -> float | None:
        """Time since anything at or below a path was written; None where nothing is.

        Compares this machine's clock with that of the storage: wrong by their difference.
        """
        with reading(self.locate(path)):
            times = self._times(self.absolute(path))
        return time.time() - max(times) if times else None

    def _times(self, top: str) -> list[float]:
        try:
            infos = self.fs.find(top, detail=True)
        except FileNotFoundError:
            return []
        return [
            (info.get("LastModified") or self.fs.modified(name)).timestamp()
            for name, info in infos.items()
            if info["type"] == "file"  # an emptied folder may list itself
        ]

    def _names(self, folder: str) -> list[str]:
        names = [str(path).rpartition("/")[2] for path in self.fs.ls(folder, detail=False)]
        return [name for name in names if name]  # some servers list the folder itself, as "folder/"

    def delete(self, path: str) -> None:
        """Delete one object, if it is there."""
        with writing(self.locate(path)):
            try:
                self.fs.rm_file(self.absolute(path))
            except FileNotFoundError:
                return

    def delete_folder(self, folder: str) -> None:
        """Delete every object below a folder."""
        for name in self.sizes(folder):
            self.delete(f"{folder}/{name}")

    def zarr_store(self, folder: str) -> Store:
        """A read-only Zarr store rooted at a folder; pickles, and connects when first read."""
        return zarr.storage.FsspecStore.from_url(self.locate(folder), read_only=True)


class LocalFiles(Files):
    """Files on a local disk, each whole or absent however the writer ends.

    The bytes are flushed to the disk before the name appears, so no name stands for torn bytes.
    """

    @contextmanager
    def _written(self, path: str, data: bytes) -> Iterator[tuple[Path, Path]]:
        """(temporary file, not flushed, final path), on one disk."""
        final = Path(self.absolute(path))
        temporary = final.with_name(f"{final.name}.{uuid.uuid4().hex}{_PARTIAL}")
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, "is a file", str(final.parent)) from error
        try:
            temporary.write_bytes(data)
            yield temporary, final
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def _complete(self, path: str, data: bytes) -> Iterator[tuple[Path, Path]]:
        """(complete temporary file, final path), on one disk."""
        with self._written(path, data) as (temporary, final):
            _flush(temporary)
            yield temporary, final

    def put(self, path: str, data: bytes) -> None:
        with writing(self.locate(path)), self._complete(path, data) as (temporary, final):
            os.replace(temporary, final)

    def put_all(self, objects: Mapping[str, bytes]) -> None:
        with writing(self.url), ExitStack() as files:
            pairs = [files.enter_context(self._written(*item)) for item in objects.items()]
            # Flushed at once, they share what the disk does for each: its journal's commit.
            list(in_threads(_flush, (temporary for temporary, _ in pairs)))
            for temporary, final in pairs:
                os.replace(temporary, final)

    def put_new(self, path: str, data: bytes) -> None:
        with writing(self.locate(path)), self._complete(path, data) as (temporary, final):
            os.link(temporary, final)  # fails if the name exists, unlike a rename

    def _find(self, top: str) -> dict[str, int]:
        sizes = {}
        for folder, _, names in os.walk(top, onerror=_raise_unless_it_vanished):
            for name in names:
                path = os.path.join(folder, name)
                with suppress(FileNotFoundError):  # deleted since it was listed
                    sizes[os.path.relpath(path, top)] = os.stat(path).st_size
        return sizes

    def _names(self, folder: str) -> list[str]:
        return os.listdir(folder)

    def leftovers(self, outside: str) -> Iterator[str]:
        with reading(self.url):
            for folder, folders, names in os.walk(self.root, onerror=_raise_unless_it_vanished):
                below = os.path.relpath(folder, self.root)
                if below == os.curdir and outside in folders:
                    folders.remove(outside)
                for name in names:
                    if name.endswith(_PARTIAL):
                        yield os.path.normpath(os.path.join(below, name))

    def _times(self, top: str) -> list[float]:
        """Of folders and temporary files too: an attempt begins with them."""
        paths = [top]
        walk = os.walk(top, onerror=_raise_unless_it_vanished) if os.path.isdir(top) else ()
        for folder, folders, names in walk:
            paths += [os.path.join(folder, name) for name in (*folders, *names)]
        times = []
        for path in paths:
            with suppress(FileNotFoundError):  # deleted since it was listed
                times.append(os.lstat(path).st_mtime)
        return times

    def delete_folder(self, folder: str) -> None:
        with writing(self.locate(folder)):
            try:
                shutil.rmtree(self.absolute(folder))
            except FileNotFoundError:
                return

    def zarr_store(self, folder: str) -> Store:
        return zarr.storage.LocalStore(self.absolute(folder), read_only=True)


def _flush(path: Path) -> None:
    """Wait until the bytes of a file are on the disk."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _raise_unless_it_vanished(error: OSError) -> None:
    """The default (and fsspec's) leaves out what it cannot list: commits would seem missing."""
    if not isinstance(error, FileNotFoundError):
        raise error


def files_at(url: str) -> Files:
    """The objects under a path or fsspec URL; touches nothing yet.

    Raises:
        UnreadableURLError: no driver knows the URL.
    """
    if "://" not in url:  # a path, which may hold "::": fsspec would take it for chained URLs
        local = LocalFileSystem()
        return LocalFiles(url, local, str(local._strip_protocol(url)))
    try:
        fs, root = url_to_fs(url, use_listings_cache=False)
    except (ValueError, ImportError) as error:
        remedy = "Give a path, or a URL of a protocol that fsspec knows, such as s3://bucket/name"
        raise UnreadableURLError(url, f"no driver opens it ({error})", remedy) from error
    return (LocalFiles if isinstance(fs, LocalFileSystem) else Files)(url, fs, root)
