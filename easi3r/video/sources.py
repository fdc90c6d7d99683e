"""Collections: which videos a folder, a glob, a file or a manifest names."""

import os
import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from easi3r.errors import SourceError, UnreadableURLError
from easi3r.video.manifest import is_manifest, read_manifest
from easi3r.video.media_types import is_audio_or_video
from easi3r.video.storage import locate, storage_errors


@dataclass(frozen=True)
class Listing(Sequence[str]):
    """The URLs of a collection's videos.

    Attributes:
        urls: in the order of their paths, or of the manifest.
        ignored: how many files of a folder are no videos by their name, by suffix (".txt").
    """

    urls: tuple[str, ...]
    ignored: Mapping[str, int] = field(default_factory=dict)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...

    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        return self.urls[index]

    def __len__(self) -> int:
        return len(self.urls)


def list_videos(source: str) -> Listing:
    """The videos that a source names, on any fsspec URL.

    - A manifest (`.csv`, `.jsonl`, `.ndjson`, `.parquet`): its column `url`, in its order; relative
      URLs are relative to the manifest's folder.
    - A file: itself, whatever its name.
    - A folder: the files in it, at any depth, whose names are those of video or audio (an audio
      file among videos is for `probe` to refuse, by name); the others are counted in `ignored`.
      On HTTP a folder is a URL that ends with a slash.
    - A glob: every file that matches. A name that exists is never taken for a glob.

    Raises:
        UnreadableURLError: no such file or folder, or no permission, anywhere in the folder.
        SourceError: nothing in it, or a malformed manifest.
        StorageUnavailableError: storage failed in passing.
    """
    filesystem, path = locate(source)
    with storage_errors(source):
        filesystem.invalidate_cache()
    try:
        with storage_errors(source):
            kind = filesystem.info(path)["type"]
    except UnreadableURLError:
        if not any(character in path for character in "*?["):
            raise
        return _of_glob(filesystem, path, source)
    if kind == "directory" or source.endswith("/"):
        return _of_folder(filesystem, path, source)
    return Listing(read_manifest(source)) if is_manifest(source) else Listing((source,))


def _of_folder(filesystem: AbstractFileSystem, path: str, source: str) -> Listing:
    with storage_errors(source):
        if isinstance(filesystem, LocalFileSystem):
            paths = sorted(_walk_local(path))
        else:
            found = filesystem.find(path, detail=True)
            paths = sorted(name for name, info in found.items() if info["type"] == "file")
    videos = [name for name in paths if is_audio_or_video(name)]
    ignored = Counter(posixpath.splitext(name)[1].lower() for name in set(paths) - set(videos))
    if not videos:
        counts = ", ".join(f"{number} {suffix}" for suffix, number in sorted(ignored.items()))
        raise SourceError(
            source,
            f"the folder holds no video ({counts or 'it is empty'})",
            "Give a folder with videos, or list files with unusual names in a manifest",
        )
    return Listing(_urls(filesystem, videos, source), dict(sorted(ignored.items())))


def _of_glob(filesystem: AbstractFileSystem, path: str, source: str) -> Listing:
    with storage_errors(source):
        matches = filesystem.glob(path, detail=True)
    files = sorted(name for name, info in matches.items() if info["type"] != "directory")
    if not files:
        raise SourceError(source, "no file matches", "Check the pattern; ** crosses folders")
    return Listing(_urls(filesystem, files, source))


def _walk_local(folder: str) -> Iterator[str]:
    """Files at any depth, through links too, each folder once.

    fsspec's own walk leaves out folders that it may not read, without a word.
    """

    def refuse(error: OSError) -> None:
        raise error

    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:  # a link to a folder above, or to one already read
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        yield from (posixpath.join(parent, name) for name in files)


def _urls(filesystem: AbstractFileSystem, paths: Sequence[str], source: str) -> tuple[str, ...]:
    """Paths of a filesystem as URLs of the kind that the source is."""
    if "://" not in source:
        return tuple(paths)
    _, chain, rest = source.partition("::")  # zip://*.mp4::s3://bucket/videos.zip
    return tuple(f"{filesystem.unstrip_protocol(path)}{chain}{rest}" for path in paths)
