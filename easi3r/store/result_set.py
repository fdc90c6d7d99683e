"""Which results are committed or quarantined, 24 bytes each, for datasets of 10^6 clips and more.

A result's name (`result_name`) packs into 24 bytes: 16 of the clip id, 8 of the result id. Packed
values are numpy byte strings (`S16`, `S24`) of full width, which sort and compare as the bytes do;
take their hex by the functions here, since numpy drops trailing zero bytes of single items.
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from easi3r.store.files import Files, files_at
from easi3r.store.schema import COMMITS, PREFIX, QUARANTINE, SCHEMA_VERSION, recorded_result
from easi3r.store.threads import in_threads

_CLIP_ID_BYTES = 16
_NAME_BYTES = 24
_CLIP_ID = f"S{_CLIP_ID_BYTES}"
_NAME = f"S{_NAME_BYTES}"


@dataclass(frozen=True)
class ResultSet:
    """Names of results, packed.

    Attributes:
        names: `S24`, ascending, each once.
    """

    names: np.ndarray

    def __post_init__(self) -> None:
        if self.names.dtype != np.dtype(_NAME) or self.names.ndim != 1:
            raise ValueError(f"names are {self.names.dtype} of shape {self.names.shape}, not S24")

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        """The names as `result_name` writes them, ascending."""
        text = self.names.tobytes().hex()
        step, split = 2 * _NAME_BYTES, 2 * _CLIP_ID_BYTES
        for start in range(0, len(text), step):
            yield f"{text[start : start + split]}.{text[start + split : start + step]}"

    def __contains__(self, name: object) -> bool:
        """Whether one name, as `result_name` writes it, is here."""
        return isinstance(name, str) and bool(self.contains(pack_names([name]))[0])

    def __or__(self, other: "ResultSet") -> "ResultSet":
        return ResultSet(np.union1d(self.names, other.names))

    def __and__(self, other: "ResultSet") -> "ResultSet":
        return ResultSet(self.names[other.contains(self.names)])

    def contains(self, names: np.ndarray) -> np.ndarray:
        """For each of some packed names (`result_names`) whether it is here: bool, same length."""
        return self._begins_with(_words(names, _NAME_BYTES))

    def contains_clips(self, clip_ids: np.ndarray) -> np.ndarray:
        """For each of some packed clip ids whether any result of it is here: bool, same length."""
        return self._begins_with(_words(clip_ids, _CLIP_ID_BYTES))

    def of_clips(self, clip_ids: np.ndarray) -> "ResultSet":
        """Every result of some packed clip ids: a loop over these, not over the set."""
        wanted = _words(clip_ids, _CLIP_ID_BYTES)
        words = _words(self.names, _NAME_BYTES)[:, : wanted.shape[1]]
        places = [np.empty(0, int)]
        for clip, first, beyond in zip(wanted, *self._ranges(wanted), strict=True):
            places.append(first + np.flatnonzero((words[first:beyond] == clip).all(axis=1)))
        return ResultSet(self.names[np.unique(np.concatenate(places))])

    def _ranges(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The place of the first name that has the first word of each wanted one, and the end."""
        keys = _keys(wanted)
        first = np.searchsorted(self._sorted_keys, keys, "left")
        return first, np.searchsorted(self._sorted_keys, keys, "right")

    def _begins_with(self, wanted: np.ndarray) -> np.ndarray:
        is_here = np.zeros(len(wanted), bool)
        if not len(self):
            return is_here
        words = _words(self.names, _NAME_BYTES)[:, : wanted.shape[1]]
        first, beyond = self._ranges(wanted)
        for step in range(int((beyond - first).max(initial=0))):  # results of one clip: a few
            place = np.minimum(first + step, len(self) - 1)
            is_here |= (words[place] == wanted).all(axis=1)
        return is_here

    @cached_property
    def _sorted_keys(self) -> np.ndarray:
        return _keys(_words(self.names, _NAME_BYTES))


def _words(packed: np.ndarray, width: int) -> np.ndarray:
    """Packed values of `width` bytes as rows of 8-byte words."""
    return np.ascontiguousarray(packed).view(np.uint64).reshape(-1, width // 8)


def _keys(words: np.ndarray) -> np.ndarray:
    """First words as numbers, in the order of the bytes: numpy searches strings slowly."""
    return words[:, 0].byteswap() if sys.byteorder == "little" else words[:, 0]


def pack_clip_ids(clip_ids: Iterable[str]) -> np.ndarray:
    """Clip ids (32 hex digits each) as `S16`, in their order."""
    return np.frombuffer(bytes.fromhex("".join(clip_ids)), _CLIP_ID)


def unpack_clip_ids(clip_ids: np.ndarray) -> list[str]:
    """Packed clip ids as 32 hex digits each."""
    text, step = clip_ids.tobytes().hex(), 2 * _CLIP_ID_BYTES
    return [text[start : start + step] for start in range(0, len(text), step)]


def pack_names(names: Iterable[str]) -> np.ndarray:
    """Names as `result_name` writes them as `S24`, in their order."""
    return np.frombuffer(bytes.fromhex("".join(names).replace(".", "")), _NAME)


def result_names(clip_ids: np.ndarray, weights_sha256: str, settings_digest: str) -> np.ndarray:
    """`result_name` of many packed clip ids, packed: `S24`, in their order.

    One SHA-256 a clip, about a microsecond.
    """
    tail = json.dumps([weights_sha256, settings_digest, SCHEMA_VERSION], separators=(",", ":"))
    end = f'",{tail[1:]}'.encode()  # what `digest` hashes is '["<clip id>","<weights>", ...]'
    sha256, short = hashlib.sha256, _NAME_BYTES - _CLIP_ID_BYTES
    text, step = clip_ids.tobytes().hex().encode(), 2 * _CLIP_ID_BYTES
    results = b"".join(
        sha256(b'["' + text[start : start + step] + end).digest()[:short]
        for start in range(0, len(text), step)
    )
    packed = np.empty((len(clip_ids), _NAME_BYTES), np.uint8)
    packed[:, :_CLIP_ID_BYTES] = np.frombuffer(clip_ids.tobytes(), np.uint8).reshape(
        -1, _CLIP_ID_BYTES
    )
    packed[:, _CLIP_ID_BYTES:] = np.frombuffer(results, np.uint8).reshape(-1, short)
    return packed.reshape(-1).view(_NAME)


def committed_set(url: str) -> ResultSet:
    """Every committed result, from listings of names alone, 256 parts of the dataset in turn.

    Raises:
        StorageUnavailableError, UnreadableURLError: storage did not answer.
    """
    files = files_at(url)
    parts = in_threads(partial(committed_names_of, files), commit_prefixes(files))
    return ResultSet(np.concatenate([np.empty(0, _NAME), *parts]))


def quarantined_set(url: str) -> ResultSet:
    """Every quarantined result, from one listing.

    Records of videos, and those of earlier versions that name a clip but no result, are not in it.

    Raises:
        StorageUnavailableError, UnreadableURLError: storage did not answer.
    """
    return ResultSet(_packed(files_at(url).names(QUARANTINE)))


def commit_prefixes(files: Files) -> list[str]:
    """First two hex digits of committed clips, ascending: one folder of records each."""
    return sorted(name for name in files.names(COMMITS) if PREFIX.fullmatch(name))


def committed_names_of(files: Files, prefix: str) -> np.ndarray:
    """Packed names of the commit records in one folder, ascending."""
    return _packed(files.names(f"{COMMITS}/{prefix}"))


def _packed(file_names: Iterable[str]) -> np.ndarray:
    return np.unique(pack_names(filter(None, map(recorded_result, file_names))))
