"""Cutting a listing into groups of videos, each planned by one worker and stored in one part.

Where a group ends depends on the videos near its end, not on how many came before: a video added
to a collection changes one group, and the parts of all others are still good.
"""

import hashlib
import pickle
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import IO

from easi3r.errors import StorageUnavailableError, UnreadableURLError
from easi3r.types import digest
from easi3r.video import SourceVideo, describe

MEAN_VIDEOS = 256  # of a group whose videos are small
MOST_VIDEOS = 1024
MOST_BYTES = 256 * 2**20  # a minute or two of decoding
UNKNOWN_BYTES = 2**20  # what a video counts for whose size is not known
_THREADS = 16
_AT_ONCE = 256


@dataclass(frozen=True)
class VideoGroup:
    """Some consecutive videos of a source; `number` is the place of the group in its order."""

    number: int
    videos: tuple[SourceVideo, ...]

    def part_name(self, planning_digest: str) -> str:
        """32 hex digits: hash of the videos (URL, size, version) and of what planning reads.

        What is known of them takes part where something is.
        """
        return digest([planning_digest, [*map(_identity, self.videos)]])[:32]


def _identity(video: SourceVideo) -> list[object]:
    identity: list[object] = [video.url, video.size_bytes, video.version]
    if not video.known:
        return identity
    return [*identity, asdict(video.known), video.known_version]


def group_videos(videos: Iterable[SourceVideo]) -> Iterator[VideoGroup]:
    """Consecutive groups: cut after about every 256th URL by its hash, and where one gets large."""
    number, size_bytes = 0, 0
    group: list[SourceVideo] = []
    for video in videos:
        group.append(video)
        size_bytes += UNKNOWN_BYTES if video.size_bytes is None else video.size_bytes
        full = len(group) >= MOST_VIDEOS or size_bytes >= MOST_BYTES
        if full or _ends_a_group(video.url):
            yield VideoGroup(number, tuple(group))
            number, size_bytes, group = number + 1, 0, []
    if group:
        yield VideoGroup(number, tuple(group))


def _ends_a_group(url: str) -> bool:
    key = hashlib.blake2b(url.encode(), digest_size=8).digest()
    return int.from_bytes(key) % MEAN_VIDEOS == 0


def with_storable_names(videos: Iterable[SourceVideo]) -> Iterator[SourceVideo]:
    """The same videos; bytes of a name that are no UTF-8 become `\\udcff`, which no file is called.

    Neither Parquet nor JSON can hold such a name. Probing does not find it and says so, by name;
    so does reading what is known of a video.
    """
    for video in videos:
        known = None if video.known is None else video.known.with_paths(_storable)
        yield replace(video, url=_storable(video.url), known=known)


def _storable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def with_versions(videos: Iterable[SourceVideo]) -> Iterator[SourceVideo]:
    """The same videos with size and version, looked up in storage where the listing lacks both.

    16 at once. A URL that does not answer stays without: probing reports its fault.
    """
    videos = iter(videos)
    with ThreadPoolExecutor(_THREADS) as pool:
        while some := list(islice(videos, _AT_ONCE)):
            yield from pool.map(_with_version, some)


def _with_version(video: SourceVideo) -> SourceVideo:
    if video.size_bytes is not None or video.version is not None:
        return video
    try:
        file = describe(video.url)
    except (UnreadableURLError, StorageUnavailableError):
        return video
    return replace(video, size_bytes=file.size_bytes, version=file.version)


@dataclass(frozen=True)
class SpooledGroups:
    """Groups on this machine's disk, so that their number is known before the first is planned."""

    groups: int
    videos: int
    file: IO[bytes]

    def __iter__(self) -> Iterator[VideoGroup]:
        self.file.seek(0)
        for _ in range(self.groups):
            yield pickle.load(self.file)


@contextmanager
def spooled(groups: Iterable[VideoGroup]) -> Iterator[SpooledGroups]:
    """All groups, taken now and spooled to a temporary file until the block ends."""
    with tempfile.TemporaryFile(prefix="easi3r-plan-") as file:
        count = videos = 0
        for group in groups:
            pickle.dump(group, file, pickle.HIGHEST_PROTOCOL)
            count, videos = count + 1, videos + len(group.videos)
        yield SpooledGroups(count, videos, file)
