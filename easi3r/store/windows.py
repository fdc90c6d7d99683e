"""Reading few frames of many clips, fast: what training on a dataset does.

`Dataset` opens a clip for looking at it, in milliseconds and with labels; `ClipWindows` caches the
small arrays and chunk indexes of clips, and reads only the chunks of a window. For torch:
`easi3r.store.torch_windows`.
"""

import functools
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32

from easi3r.errors import NotADatasetError, SettingsError
from easi3r.geometry import fill_world_planes
from easi3r.store.chunks import (
    DOCUMENT,
    DamagedChunkError,
    Layout,
    UnknownLayoutError,
    decode_chunk,
    decode_frames,
    decode_index,
    parse_layout,
    span,
)
from easi3r.store.commits import CommitRecord, StoredObject, corrupt
from easi3r.store.failures import reading
from easi3r.store.files import Files, files_at
from easi3r.store.read import Dataset
from easi3r.store.schema import VARIABLES
from easi3r.store.window import Window

PER_FRAME = frozenset(variable.name for variable in VARIABLES if variable.dims[0] == "time")
OPTIONAL = frozenset(variable.name for variable in VARIABLES if variable.optional)
_PINHOLE = frozenset({"depth", "intrinsics", "camera_to_world"})
_CACHED_LAYOUTS = 1024


@dataclass(frozen=True)
class _Document:
    """A `zarr.json`; equal by its content, which clips of one shape share."""

    sha256: str
    stored: StoredObject = field(compare=False)
    record: CommitRecord = field(compare=False)


@dataclass(frozen=True)
class _Range:
    """Bytes [start, stop) of one object of a clip."""

    name: str
    start: int
    stop: int


@dataclass(frozen=True)
class _Clip:
    """Cached parts of a clip; `small` and `indexes` are filled on demand.

    Attributes:
        objects: by name.
        small: values of arrays that are a single chunk.
        indexes: (offset, length) of each chunk of the other arrays.
    """

    record: CommitRecord
    objects: dict[str, StoredObject]
    small: dict[str, np.ndarray] = field(default_factory=dict)
    indexes: dict[str, np.ndarray] = field(default_factory=dict)


class ClipWindows:
    """Reads windows of frames of a dataset's clips.

    Of each clip it reads the result that was the newest when it first read that clip.
    May be used by many threads. Pickles: a copy in another process has read nothing yet and
    connects to storage by itself.

    Args:
        clips_kept: number of clips whose small arrays and chunk indexes are cached, a few KB each;
            the least recently used are dropped.
    """

    def __init__(self, dataset: Dataset, clips_kept: int = 1024) -> None:
        self._dataset = dataset
        self._clips_kept = clips_kept
        self._clip = functools.lru_cache(clips_kept)(self._look_up)
        self._layout = functools.lru_cache(_CACHED_LAYOUTS)(self._read_layout)

    def __reduce__(self) -> tuple[type["ClipWindows"], tuple[Dataset, int]]:
        return ClipWindows, (self._dataset, self._clips_kept)

    def read(
        self,
        clip_id: str,
        start: int,
        stop: int,
        variables: Iterable[str] = ("dynamic_mask", "camera_to_world", "point_map"),
    ) -> Window:
        """Frames [start, stop) of a clip.

        Every CRC-32C is checked, as by plain zarr, and nothing missing reads as fill values.

        Args:
            variables: names of array attributes of `Window`; only what they take is read.

        Raises:
            ClipNotFoundError: no such clip.
            SettingsError: no such frames, or no such variable, or the clip lacks an optional one.
            CorruptClipError: an object is missing or damaged.
            NotADatasetError: an array is laid out as this reader does not know.
            StorageUnavailableError: a transient failure.
        """
        requested = dict.fromkeys(variables)  # each once, in order
        clip = self._clip(clip_id)
        _check(clip, start, stop, requested)
        pinhole = _PINHOLE if "point_map" in requested else frozenset()
        files = files_at(self._dataset.url)
        layouts = {
            name: self._layout(self._document(files, clip, name))
            for name in sorted(requested.keys() - {"point_map"} | pinhole)
        }
        _read_heads(files, clip, layouts)
        values = _read_frames(files, clip, layouts, start, stop)
        if pinhole:
            values["point_map"] = _point_map(**{name: values[name] for name in pinhole})
        return Window(clip_id, start, {name: values[name] for name in requested})

    def _look_up(self, clip_id: str) -> _Clip:
        record = self._dataset.record(clip_id)
        return _Clip(record, {stored.name: stored for stored in record.objects})

    def _document(self, files: Files, clip: _Clip, variable: str) -> _Document:
        stored = _object(files, clip, f"{variable}/{DOCUMENT}")
        return _Document(stored.sha256, stored, clip.record)

    def _read_layout(self, document: _Document) -> Layout:
        files, record, name = files_at(self._dataset.url), document.record, document.stored.name
        (data,) = _fetch(files, record, [_Range(name, 0, document.stored.size)])
        if hashlib.sha256(data).hexdigest() != document.sha256:
            raise corrupt(files, record, f"{name} differs from its recorded SHA-256")
        try:
            return parse_layout(data)
        except UnknownLayoutError as error:
            subject = files.locate(f"{record.path}/{name}")
            remedy = "Read it with `easi3r.open_dataset` or zarr"
            raise NotADatasetError(subject, f"an unknown layout: {error}", remedy) from error


def _check(clip: _Clip, start: int, stop: int, requested: Iterable[str]) -> None:
    record = clip.record
    if not 0 <= start < stop <= record.frames:
        subject = f"frames [{start}, {stop}) of clip {record.clip_id}"
        raise SettingsError(subject, "are not in the clip", f"It has frames [0, {record.frames})")
    if unknown := set(requested) - PER_FRAME:
        remedy = f"Choose from {', '.join(sorted(PER_FRAME))}"
        raise SettingsError("variables", f"no such one: {', '.join(sorted(unknown))}", remedy)
    for name in OPTIONAL & set(requested):
        if f"{name}/{DOCUMENT}" not in clip.objects:
            problem = f"clip {record.clip_id} has no {name}"
            raise SettingsError("variables", problem, "Ask for it only of clips that have it")


def _object(files: Files, clip: _Clip, name: str) -> StoredObject:
    if name not in clip.objects:
        raise corrupt(files, clip.record, f"its commit record lacks {name}")
    return clip.objects[name]


def _fetch(files: Files, record: CommitRecord, ranges: Sequence[_Range]) -> list[bytes]:
    """The bytes of each range, in one concurrent request where the storage can."""
    paths = [f"{record.path}/{part.name}" for part in ranges]
    results = files.fs.cat_ranges(
        [files.absolute(path) for path in paths],
        [part.start for part in ranges],
        [part.stop for part in ranges],
    )
    for part, path, result in zip(ranges, paths, results, strict=True):
        if isinstance(result, Exception):
            try:
                with reading(files.locate(path)):
                    raise result
            except FileNotFoundError as error:
                raise corrupt(files, record, f"{part.name} is missing") from error
    return results


def _read_heads(files: Files, clip: _Clip, layouts: Mapping[str, Layout]) -> None:
    """Fill the caches of a `_Clip` for these arrays: one round trip for all that is missing."""
    unread = [name for name in layouts if name not in clip.small and name not in clip.indexes]
    ranges = []
    for name in unread:
        path = f"{name}/{layouts[name].object_name}"
        size = _object(files, clip, path).size
        start = size - layouts[name].index_bytes if layouts[name].frames_per_chunk else 0
        ranges.append(_Range(path, start, size))
    for name, data in zip(unread, _fetch(files, clip.record, ranges), strict=True):
        layout = layouts[name]
        with _naming_clip(files, clip.record, name):
            if layout.frames_per_chunk:
                clip.indexes[name] = decode_index(layout, data)
            else:
                clip.small[name] = decode_chunk(layout, data)


def _read_frames(
    files: Files, clip: _Clip, layouts: Mapping[str, Layout], start: int, stop: int
) -> dict[str, np.ndarray]:
    """Frames [start, stop) of each array: one round trip for all."""
    values = {name: clip.small[name][start:stop].copy() for name in layouts if name in clip.small}
    chunked = [name for name in layouts if name not in values]
    ranges = [
        _Range(
            f"{name}/{layouts[name].object_name}",
            *span(layouts[name], clip.indexes[name], start, stop),
        )
        for name in chunked
    ]
    for name, data in zip(chunked, _fetch(files, clip.record, ranges), strict=True):
        with _naming_clip(files, clip.record, name):
            values[name] = decode_frames(layouts[name], clip.indexes[name], data, start, stop)
    return values


@contextmanager
def _naming_clip(files: Files, record: CommitRecord, variable: str) -> Iterator[None]:
    try:
        yield
    except DamagedChunkError as error:
        raise corrupt(files, record, f"{variable}: {error}") from error


def _point_map(
    depth: np.ndarray, intrinsics: np.ndarray, camera_to_world: np.ndarray
) -> Float32[np.ndarray, "frames height width 3"]:
    frames, height, width = depth.shape
    planes = np.empty((frames, 3, height, width), np.float32)
    fill_world_planes(planes, depth, intrinsics, camera_to_world)
    return planes.transpose(0, 2, 3, 1)
