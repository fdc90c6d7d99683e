"""Which files of what a user knows belong to which video of a source.

The user names one path an input, for a source of any number of videos. A row of a manifest that
names files of its own takes those instead.
"""

import posixpath
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from itertools import takewhile

from easi3r.errors import StorageUnavailableError, UnreadableURLError
from easi3r.knowledge import KnownInputs
from easi3r.types import digest
from easi3r.video import SourceVideo
from easi3r.video.listing import describe, files_below
from easi3r.video.storage import locate, storage_errors

_WILDCARDS = frozenset("*?[")


def with_known(
    videos: Iterable[SourceVideo], source: str, known: KnownInputs | None
) -> Iterator[SourceVideo]:
    """The same videos with the inputs that `known` holds for each of them.

    - The source is one video: the path itself.
    - Else the path is a folder, and a video's input is the entry called as the video is below the
      source's folder, without its suffix: `a/b.mp4` has `PATH/a/b` (a folder, as 7-Scenes or masks)
      or `PATH/a/b.txt`, whatever the suffix. A video without such an entry gets the path where it
      would lie, so that reading it says what is missing.
    - Intrinsics that are a file hold for every video.

    Args:
        source: of the videos; absolute.

    Raises:
        UnreadableURLError, StorageUnavailableError: a path of `known` is not there, or not now.
    """
    if not known:
        yield from videos
        return
    shared = known.intrinsics is not None and not _is_folder(known.intrinsics)
    stems = cache(_stems)  # a folder of the source's videos has one folder of each input
    for video in videos:
        files = {}
        for name in known.names:
            path = getattr(known, name)
            if video.url != source and not (shared and name == "intrinsics"):
                path = _entry(path, _below(video.url, source), stems)
            files[name] = path
        own = video.known or KnownInputs()
        files |= {name: getattr(own, name) for name in own.names}
        metric = known.metric if own.poses is None else own.metric
        yield replace(video, known=KnownInputs(**files, metric=metric))


def require_paths(known: KnownInputs | None) -> None:
    """Check that the paths are there, before a run begins.

    Raises:
        UnreadableURLError, StorageUnavailableError: one is not, or not now.
    """
    for name in known.names if known else ():
        _is_folder(getattr(known, name))


def _is_folder(path: str) -> bool:
    filesystem, inside = locate(path)
    with storage_errors(path):
        filesystem.invalidate_cache()
        return bool(filesystem.info(inside)["type"] == "directory")


def _entry(folder: str, video: str, stems: Callable[[str], dict[str, str]]) -> str:
    """The entry of a folder that is called as a video at this relative path."""
    stem = posixpath.splitext(video)[0]
    above, _, last = f"{folder.rstrip('/')}/{stem}".rpartition("/")
    return f"{above}/{stems(above).get(last, last)}"


def _stems(folder: str) -> dict[str, str]:
    """Names of a folder's entries, by the names without suffix; none where there is no folder."""
    filesystem, inside = locate(folder)
    try:
        with storage_errors(folder):
            entries = filesystem.ls(inside, detail=True)
    except UnreadableURLError:
        return {}
    stems: dict[str, str] = {}
    for entry in sorted(entries, key=lambda entry: str(entry["name"])):
        name = posixpath.basename(entry["name"].rstrip("/"))
        stem = name if entry["type"] == "directory" else posixpath.splitext(name)[0]
        stems.setdefault(stem, name)
    return stems


def _below(url: str, source: str) -> str:
    """The path of a video below the folder of its source; its name alone where it lies elsewhere.

    The folder of a glob ends before the first wildcard; a manifest's is the one that it lies in.
    """
    folder = f"{source.rstrip('/')}/"
    if not url.startswith(folder):
        fixed = takewhile(lambda part: not _WILDCARDS & set(part), source.split("/")[:-1])
        folder = "".join(f"{part}/" for part in fixed)
    return url.removeprefix(folder) if url.startswith(folder) else posixpath.basename(url)


def with_known_versions(videos: Iterable[SourceVideo]) -> Iterator[SourceVideo]:
    """The same videos with a version of the files of what is known of them.

    One that does not answer has none: reading it reports its fault.
    """
    version = cache(_version)  # many videos may share one file of intrinsics
    for video in videos:
        if not video.known:
            yield video
            continue
        versions = [version(getattr(video.known, name)) for name in video.known.names]
        yield replace(video, known_version=digest(versions))


def _version(path: str) -> list[list[object]] | None:
    """Path, size and version of a file, or of every file below a folder."""
    try:
        if not _is_folder(path):
            file = describe(path)
            return [["", file.size_bytes, file.version]]
        filesystem, inside = locate(path)
        with storage_errors(path):
            files = files_below(filesystem, inside)
            return [[file.path, file.size_bytes, file.version] for file in files]
    except (UnreadableURLError, StorageUnavailableError):
        return None
