"""Collections: which videos a folder, a glob, a file or a manifest names."""

import hashlib
import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from fsspec import AbstractFileSystem

from easi3r.errors import SourceError, UnreadableURLError
from easi3r.knowledge import KnownInputs
from easi3r.video.listing import ListedFile, describe, files_below, listed_file
from easi3r.video.manifest import is_manifest, manifest_rows
from easi3r.video.media_types import is_audio_or_video
from easi3r.video.storage import locate, storage_errors


@dataclass(frozen=True)
class SourceVideo:
    """One video of a source.

    Attributes:
        size_bytes, version: as in `ListedFile`; None where the source says nothing about them.
        known: cameras and masks that the user gave for it; None: none.
        known_version: changes with the content of their files; None where nobody looked.
    """

    url: str
    size_bytes: int | None = None
    version: str | None = None
    known: KnownInputs | None = None
    known_version: str | None = None


class SourceScan(Iterator[SourceVideo]):
    """The videos of a source as they are listed, each URL once; see `scan_source`.

    Attributes:
        ignored: how many files of a folder are no videos by their name, by suffix (".txt"); so far.
        repeated: how many rows of a manifest name a URL again; so far.
    """

    def __init__(self, source: str) -> None:
        self.ignored: Counter[str] = Counter()
        self.repeated = 0
        self._videos = self._listed(source)

    def __next__(self) -> SourceVideo:
        return next(self._videos)

    def _listed(self, source: str) -> Iterator[SourceVideo]:
        filesystem, path = locate(source)
        with storage_errors(source):
            filesystem.invalidate_cache()
        try:
            with storage_errors(source):
                kind = filesystem.info(path)["type"]
        except UnreadableURLError:
            if not any(character in path for character in "*?["):
                raise
            yield from self._of_glob(filesystem, path, source)
            return
        if kind == "directory" or source.endswith("/"):
            yield from self._of_folder(filesystem, path, source)
        elif is_manifest(source):
            yield from self._of_manifest(source)
        else:
            file = describe(source)
            yield SourceVideo(source, file.size_bytes, file.version)

    def _of_folder(
        self, filesystem: AbstractFileSystem, path: str, source: str
    ) -> Iterator[SourceVideo]:
        has_video = False
        with storage_errors(source):
            for file in files_below(filesystem, path):
                if is_audio_or_video(file.path):
                    has_video = True
                    yield _video(filesystem, file, source)
                else:
                    self.ignored[posixpath.splitext(file.path)[1].lower()] += 1
        if not has_video:
            ignored = sorted(self.ignored.items())
            counts = ", ".join(f"{number} {suffix}" for suffix, number in ignored)
            raise SourceError(
                source,
                f"the folder holds no video ({counts or 'it is empty'})",
                "Give a folder with videos, or list files with unusual names in a manifest",
            )

    def _of_glob(
        self, filesystem: AbstractFileSystem, path: str, source: str
    ) -> Iterator[SourceVideo]:
        with storage_errors(source):
            matches = filesystem.glob(path, detail=True)
        files = sorted(name for name, info in matches.items() if info["type"] != "directory")
        if not files:
            raise SourceError(source, "no file matches", "Check the pattern; ** crosses folders")
        for name in files:
            yield _video(filesystem, listed_file({**matches[name], "name": name}), source)

    def _of_manifest(self, source: str) -> Iterator[SourceVideo]:
        seen: set[bytes] = set()  # 16 bytes a row, not the URLs
        for row in manifest_rows(source):
            key = hashlib.blake2b(row.url.encode(errors="surrogateescape"), digest_size=16).digest()
            if key in seen:
                self.repeated += 1
                continue
            seen.add(key)
            yield SourceVideo(row.url, known=row.known)


def scan_source(source: str) -> SourceScan:
    """The videos that a source names, on any fsspec URL, one at a time.

    - A manifest (`.csv`, `.jsonl`, `.ndjson`, `.parquet`): its column `url`, in its order; relative
      URLs are relative to the manifest's folder. What else its columns say is told by
      `easi3r.video.manifest.manifest_rows`. Read a piece at a time; a URL that comes again is
      counted in `repeated`.
    - A file: itself, whatever its name.
    - A folder: the files in it, at any depth, in the order of their paths, whose names are those
      of video or audio (an audio file among videos is for `probe` to refuse, by name); the others
      are counted in `ignored`. On S3 one page of the listing is held, elsewhere one folder. On HTTP
      a folder is a URL that ends with a slash.
    - A glob: every file that matches, held whole. A name that exists is never taken for a glob.

    Lazy: nothing is read before the first video is taken, and a fault at the end of a source
    shows at its end.

    Raises:
        UnreadableURLError: no such file or folder, or no permission, anywhere in the folder.
        SourceError: nothing in it, or a malformed manifest.
        StorageUnavailableError: a transient failure of storage.
    """
    return SourceScan(source)


@dataclass(frozen=True)
class Listing(Sequence[str]):
    """The URLs of a collection's videos, held whole.

    Attributes:
        urls: in the order of their paths, or of the manifest; each once.
        ignored, repeated: as in `SourceScan`.
    """

    urls: tuple[str, ...]
    ignored: Mapping[str, int] = field(default_factory=dict)
    repeated: int = 0

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...

    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        return self.urls[index]

    def __len__(self) -> int:
        return len(self.urls)


def list_videos(source: str) -> Listing:
    """All videos of `scan_source`, for collections that fit in memory; raises as it does."""
    scan = scan_source(source)
    urls = tuple(video.url for video in scan)
    return Listing(urls, dict(sorted(scan.ignored.items())), scan.repeated)


def _video(filesystem: AbstractFileSystem, file: ListedFile, source: str) -> SourceVideo:
    """A file of a filesystem, its path as a URL of the kind that the source is."""
    url = file.path
    if "://" in source:
        _, chain, rest = source.partition("::")  # zip://*.mp4::s3://bucket/videos.zip
        url = f"{filesystem.unstrip_protocol(file.path)}{chain}{rest}"
    return SourceVideo(url, file.size_bytes, file.version)
