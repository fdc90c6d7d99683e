"""Contents of a dataset, read without any code of `easi3r.store`, which is under test."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import fsspec
from fsspec import AbstractFileSystem

METADATA = "zarr.json"


@dataclass(frozen=True)
class Contents:
    """A dataset, by the names of its results.

    Attributes:
        objects: of each committed result, SHA-256 of every object that its record names.
        torn: what is wrong with committed results, in words.
        quarantined: reason by id of the record.
    """

    objects: Mapping[str, Mapping[str, str]]
    torn: tuple[str, ...]
    quarantined: Mapping[str, str]

    @property
    def committed(self) -> frozenset[str]:
        """Names of the committed results."""
        return frozenset(self.objects)

    def reasons_of(self, clip_ids: Iterable[str]) -> dict[str, str]:
        """Why these clips are quarantined, those that are."""
        reasons = {name.partition(".")[0]: reason for name, reason in self.quarantined.items()}
        return {clip_id: reasons[clip_id] for clip_id in clip_ids if clip_id in reasons}

    def without(self, clip_ids: Iterable[str], actual: "Contents") -> "Contents":
        """The same, but some clips as they are in `actual`, if there: either end is a true one."""
        gone = frozenset(clip_ids)

        def theirs(names: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
            own = {n: value for n, value in ours.items() if n.partition(".")[0] not in gone}
            return own | {n: value for n, value in names.items() if n.partition(".")[0] in gone}

        return Contents(
            theirs(actual.objects, self.objects),
            self.torn,
            theirs(actual.quarantined, self.quarantined),
        )


@dataclass(frozen=True)
class Verdict:
    """Damage of a fault to the clips, after the next run; each entry says which and how.

    Attributes:
        lost: planned and neither committed nor quarantined, or quarantined although sound.
        twice: more than one result of one clip, or a result that is committed and quarantined.
        torn: differs from its record, or from the result of an undisturbed run.
        recomputed: computed by the next run although it was committed before.
    """

    lost: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()
    torn: tuple[str, ...] = ()
    recomputed: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """True where nothing of the kind happened."""
        return not (self.lost or self.twice or self.torn or self.recomputed)


def read_contents(url: str, **storage: Any) -> Contents:
    """Every result and quarantine record; every object is read and compared with its record.

    Args:
        storage: how fsspec reaches the storage, such as an endpoint.
    """
    fs, root = fsspec.url_to_fs(url, use_listings_cache=False, **storage)
    objects, torn = {}, []
    for path, record in _records(fs, f"{root}/commits").items():
        name = path.rpartition("/")[2].removesuffix(".json")
        if name in objects:
            torn.append(f"{name}: two records")
        problems, objects[name] = _check(fs, root, record)
        torn += [f"{name}: {problem}" for problem in problems]
    records = _records(fs, f"{root}/quarantine")
    reasons = {record["id"]: record["reason"] for record in records.values()}
    return Contents(objects, tuple(torn), reasons)


def _records(fs: AbstractFileSystem, folder: str) -> dict[str, dict[str, Any]]:
    paths = [path for path in fs.find(folder) if path.endswith(".json")]
    return {path: json.loads(fs.cat_file(path)) for path in paths}


def _check(
    fs: AbstractFileSystem, root: str, record: dict[str, Any]
) -> tuple[list[str], dict[str, str]]:
    problems, digests = [], {}
    for stored in record["objects"]:
        name = stored["name"]
        try:
            data = fs.cat_file(f"{root}/{record['path']}/{name}")
        except FileNotFoundError:
            problems.append(f"{name} is missing")
            continue
        digests[name] = hashlib.sha256(data).hexdigest()
        if digests[name] != stored["sha256"]:
            problems.append(f"{name} differs from its record ({len(data)} bytes)")
    return problems, digests


def judge(
    undisturbed: Contents, before: Contents, after: Contents, recomputed: Counter[str]
) -> Verdict:
    """Compare a dataset after a fault and another run with an undisturbed one.

    Args:
        undisturbed: what the collection gives when nothing happens.
        before, after: before and after the run that followed the fault.
        recomputed: inferences of that run, by clip id.
    """
    finished = after.committed | after.quarantined.keys()
    planned = undisturbed.committed | undisturbed.quarantined.keys()
    lost = [f"{name}: neither committed nor quarantined" for name in planned - finished]
    unjust = after.quarantined.keys() - undisturbed.quarantined.keys()
    lost += [f"{name}: quarantined ({after.quarantined[name]})" for name in unjust]
    lost += [f"{name}: no longer there" for name in before.committed - after.committed]
    clips = Counter(name.partition(".")[0] for name in after.committed)
    twice = [f"{clip}: {count} results" for clip, count in clips.items() if count > 1]
    twice += [f"{name}: quarantined too" for name in after.committed & after.quarantined.keys()]
    torn = [*before.torn, *after.torn]
    for name in after.committed & undisturbed.committed:
        if _arrays(after.objects[name]) != _arrays(undisturbed.objects[name]):
            torn.append(f"{name}: not what an undisturbed run gives")
    again = [name for name in before.committed if recomputed[name.partition(".")[0]]]
    return Verdict(tuple(lost), tuple(twice), tuple(torn), tuple(again))


def _arrays(objects: Mapping[str, str]) -> dict[str, str]:
    """All but the attributes of the clip, which tell how long its stages took this time."""
    return {name: sha256 for name, sha256 in objects.items() if name != METADATA}
