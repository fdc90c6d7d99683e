"""Each kind of damage is reported by name, on every kind of storage; a whole dataset is clean."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from easi3r.config import StoreSettings
from easi3r.errors import NotADatasetError
from easi3r.store import (
    CommitRecord,
    Kind,
    audit,
    pack_clip_ids,
    quarantine,
    quarantine_record,
    write_clip,
)
from easi3r.store.commits import make_record
from easi3r.store.encode import clip_arrays, clip_attributes, encode_clip
from easi3r.store.files import Files, files_at
from easi3r.store.schema import attempt_path
from easi3r.types import ClipAnnotation
from tests.store.annotations import make_annotation
from tests.store.fixtures.make_schema_1 import FOLDER

SETTINGS = StoreSettings(frames_per_chunk=2)
DEPTH = "depth/c/0/0/0"


def rename(files: Files, record: CommitRecord, name: str) -> None:
    files.put(f"commits/{name[:2]}/{name}.json", files.get(record.commit_path))
    files.delete(record.commit_path)


def change_record(files: Files, record: CommitRecord, **changes: object) -> None:
    values = json.loads(files.get(record.commit_path)) | changes
    files.put(record.commit_path, json.dumps(values).encode())


def flip(files: Files, path: str) -> None:
    data = files.get(path)
    files.put(path, data[:50] + bytes([data[50] ^ 1]) + data[51:])


Damage = Callable[[Files, CommitRecord], object]
DAMAGES: dict[str, tuple[Kind, str, Damage]] = {
    "torn record": (
        Kind.BAD_RECORD,
        "no commit record",
        lambda files, record: files.put(record.commit_path, b'{"clip_id": '),
    ),
    "changed weights": (
        Kind.BAD_RECORD,
        "result_id is",
        lambda files, record: change_record(files, record, weights_sha256="d" * 64),
    ),
    "record under another clip": (
        Kind.MISPLACED_RECORD,
        "it is the record of",
        lambda files, record: rename(files, record, f"{'0' * 32}.{'1' * 16}"),
    ),
    "record of another clip's attempt": (
        Kind.MISPLACED_RECORD,
        "no attempt at its clip",
        lambda files, record: change_record(files, record, path=f"clips/00/{'0' * 32}/x"),
    ),
    "lost attempt": (
        Kind.MISSING_OBJECT,
        "not there",
        lambda files, record: files.delete_folder(record.path),
    ),
    "lost object": (
        Kind.MISSING_OBJECT,
        "bytes were committed",
        lambda files, record: files.delete(f"{record.path}/{DEPTH}"),
    ),
    "cut object": (
        Kind.WRONG_LENGTH,
        "were committed",
        lambda files, record: files.put(
            f"{record.path}/{DEPTH}", files.get(f"{record.path}/{DEPTH}")[:-3]
        ),
    ),
    "flipped bit": (
        Kind.WRONG_CHECKSUM,
        "SHA-256",
        lambda files, record: flip(files, f"{record.path}/{DEPTH}"),
    ),
    "object added": (
        Kind.UNKNOWN_OBJECT,
        "not among the objects",
        lambda files, record: files.put(f"{record.path}/depth/c/1/0/0", b"more"),
    ),
    "file among the records": (
        Kind.UNKNOWN_OBJECT,
        "no name of this schema",
        lambda files, record: files.put(f"{record.commit_path}.orig", b"copy"),
    ),
    "record in the wrong folder": (
        Kind.UNKNOWN_OBJECT,
        "no name of this schema",
        lambda files, record: files.put(
            f"commits/{(int(record.clip_id[:2], 16) + 1) % 256:02x}/{record.name}.json", b"{}"
        ),
    ),
    "attempt without record": (
        Kind.ORPHAN,
        "no commit record names",
        lambda files, record: files.put(f"clips/{'0' * 2}/{'0' * 32}/{'1' * 32}/zarr.json", b"{}"),
    ),
    "quarantined all the same": (
        Kind.SETTLED_TWICE,
        "committed",
        lambda files, record: quarantine(
            files.url, quarantine_record(record.name, "a.mp4", RuntimeError("poison"))
        ),
    ),
    "torn quarantine record": (
        Kind.BAD_QUARANTINE_RECORD,
        "not a quarantine record",
        lambda files, record: files.put("quarantine/video-1.json", b"{"),
    ),
    "interrupted probe": (
        Kind.LEFTOVER,
        "temporary",
        lambda files, record: files.put(".probe/123", b"probe: may be deleted"),
    ),
}


def test_a_whole_dataset_is_clean(dataset_url: str) -> None:
    records = [
        write_clip(dataset_url, make_annotation(seed=seed), SETTINGS).record for seed in range(3)
    ]
    derived = SETTINGS.model_copy(update={"point_map": "derived"})
    records.append(write_clip(dataset_url, make_annotation(seed=3, scale="metric"), derived).record)
    quarantine(dataset_url, quarantine_record("video-1", "x.mp4", RuntimeError("poison")))
    reported: list[tuple[int, int]] = []
    report = audit(
        dataset_url, older_than_seconds=0.0, progress=lambda *counts: reported.append(counts)
    )
    assert report.findings == ()
    assert report.clean
    assert (report.clips, report.results, report.read_whole, report.quarantined) == (4, 4, 4, 1)
    assert report.bytes_committed == sum(record.bytes for record in records)
    assert reported == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_datasets_of_earlier_versions_are_clean() -> None:
    report = audit(str(FOLDER), older_than_seconds=0.0)
    assert report.findings == ()
    assert report.read_whole == 2


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_kind_of_damage_is_reported(dataset_url: str, damage: str) -> None:
    record = write_clip(dataset_url, make_annotation(), SETTINGS).record
    kind, problem, apply = DAMAGES[damage]
    apply(files_at(dataset_url), record)
    report = audit(dataset_url, older_than_seconds=0.0)
    assert not report.clean
    findings = [finding for finding in report.findings if finding.kind is kind]
    assert len(findings) == report.counts[kind] == 1
    assert problem in findings[0].problem


def commit_unchecked(url: str, objects: dict[str, bytes], annotation: ClipAnnotation) -> None:
    """As `write_clip`, without the checks that would refuse it."""
    files = files_at(url)
    record = make_record(annotation, attempt_path(annotation.spec.clip_id, "0" * 32), objects)
    files.put_all({f"{record.path}/{name}": data for name, data in objects.items()})
    files.put_new(record.commit_path, record.model_dump_json().encode())


def encoded(annotation: ClipAnnotation, **attributes: object) -> dict[str, bytes]:
    arrays = clip_arrays(annotation, SETTINGS)
    return encode_clip(arrays, clip_attributes(annotation, SETTINGS) | attributes, SETTINGS)


def turned(poses: np.ndarray) -> None:
    poses[2, 0] *= -1


WRONG_VALUES: dict[str, Callable[[ClipAnnotation], object]] = {
    "depth has 1 of": lambda a: a.reconstruction.depth.__setitem__((0, 1, 2), np.nan),
    "depth must be positive": lambda a: a.reconstruction.depth.__setitem__((0, 1, 2), -1),
    "confidence must be": lambda a: a.reconstruction.confidence.__setitem__((0, 0, 0), 0.5),
    "dynamic_score must": lambda a: a.dynamic_score.__setitem__((0, 0, 0), 1.5),
    "intrinsics need": lambda a: a.reconstruction.intrinsics.__setitem__((0, 1, 1), -3),
    "time must ascend": lambda a: a.pts_seconds.__setitem__(1, 0.0),
    "frame_index must ascend": lambda a: a.frame_index.__setitem__(1, 7),
    "loss_history has 1 of": lambda a: a.reconstruction.loss_history.__setitem__(0, np.inf),
    "camera_to_world[2] mirrors": lambda a: turned(a.reconstruction.camera_to_world),
    "camera_to_world[1] has an upper left 3x3 that is not orthonormal": (
        lambda a: a.reconstruction.camera_to_world.__setitem__((1, 0, 0), 2)
    ),
    "camera_to_world[3] has the last row": (
        lambda a: a.reconstruction.camera_to_world.__setitem__((3, 3, 0), 1)
    ),
    "camera_to_world[0] is not the identity": lambda a: object.__setattr__(a, "poses_given", False),
}


@pytest.mark.parametrize("problem", WRONG_VALUES)
def test_invalid_values_are_reported(local_url: str, problem: str) -> None:
    annotation = make_annotation()
    # The point map is left out: it would be computed from the wrong values.
    settings = SETTINGS.model_copy(update={"point_map": "derived"})
    WRONG_VALUES[problem](annotation)
    arrays = clip_arrays(annotation, settings)
    objects = encode_clip(arrays, clip_attributes(annotation, settings), settings)
    commit_unchecked(local_url, objects, annotation)
    (finding,) = audit(local_url).findings
    assert finding.kind is Kind.BAD_VALUES
    assert problem in finding.problem


def without(objects: dict[str, bytes], array: str) -> dict[str, bytes]:
    return {name: data for name, data in objects.items() if not name.startswith(f"{array}/")}


def edited(objects: dict[str, bytes], array: str, old: bytes, new: bytes) -> dict[str, bytes]:
    assert old in objects[f"{array}/zarr.json"]
    return objects | {f"{array}/zarr.json": objects[f"{array}/zarr.json"].replace(old, new)}


WRONG_SCHEMA: dict[str, Callable[[dict[str, bytes]], dict[str, bytes]]] = {
    "depth is missing": lambda objects: without(objects, "depth"),
    "point_map is missing": lambda objects: without(objects, "point_map"),
    "depth has units 'feet', not '1'": lambda objects: edited(
        objects, "depth", b'"units": "1"', b'"units": "feet"'
    ),
    "time has dimensions ('tide',)": lambda objects: edited(objects, "time", b'"time"', b'"tide"'),
    "intrinsics is float32, not float64": lambda objects: edited(
        objects, "intrinsics", b'"float64"', b'"float32"'
    ),
    "time has shape (6,), not (5,)": lambda objects: edited(objects, "time", b"    5", b"    6"),
    "zarr cannot read it": lambda objects: edited(objects, "time", b'"crc32c"', b'"crc99"'),
}


@pytest.mark.parametrize("problem", WRONG_SCHEMA)
def test_a_clip_of_another_schema_is_reported(local_url: str, problem: str) -> None:
    annotation = make_annotation()
    commit_unchecked(local_url, WRONG_SCHEMA[problem](encoded(annotation)), annotation)
    findings = audit(local_url).findings
    assert {finding.kind for finding in findings} == {Kind.WRONG_SCHEMA}
    assert any(problem in finding.problem for finding in findings)


def test_a_refined_clip_without_the_mask_before_is_reported(local_url: str) -> None:
    annotation = make_annotation(refined=True)
    commit_unchecked(local_url, without(encoded(annotation), "dynamic_mask_unrefined"), annotation)
    (finding,) = audit(local_url).findings
    assert finding.kind is Kind.WRONG_SCHEMA
    assert "dynamic_mask_unrefined is missing" in finding.problem


def test_attributes_of_another_clip_are_reported(local_url: str) -> None:
    annotation = make_annotation()
    commit_unchecked(local_url, encoded(annotation, clip_id="0" * 32, scale="metric"), annotation)
    problems = [finding.problem for finding in audit(local_url).findings]
    assert any("attribute clip_id" in problem for problem in problems)
    assert any("attribute scale" in problem for problem in problems)


def test_a_young_attempt_is_one_in_progress(local_url: str) -> None:
    files_at(local_url).put(f"clips/00/{'0' * 32}/{'1' * 32}/zarr.json", b"{}")
    report = audit(local_url, older_than_seconds=60.0)
    assert report.clean
    assert report.in_progress == 1


def test_a_sample_reads_some_and_lists_all(local_url: str) -> None:
    records = [
        write_clip(local_url, make_annotation(seed=seed), SETTINGS).record for seed in range(4)
    ]
    for record in records:
        flip(files_at(local_url), f"{record.path}/{DEPTH}")
    report = audit(local_url, sample=3)
    assert (report.results, report.read_whole) == (4, 3)
    assert report.counts == {Kind.WRONG_CHECKSUM: 3}
    assert audit(local_url, sample=0).clean
    assert audit(local_url, sample=9).read_whole == 4


def test_leftovers_of_a_killed_writer_are_reported(local_url: str) -> None:
    record = write_clip(local_url, make_annotation(), SETTINGS).record
    for folder in ("", "plans/parts/ab", f"commits/{record.clip_id[:2]}"):
        Path(local_url, folder).mkdir(exist_ok=True, parents=True)
        Path(local_url, folder, "x.json.1234.partial").touch()
    report = audit(local_url, older_than_seconds=0.0)
    assert report.counts == {Kind.LEFTOVER: 3}
    assert audit(local_url).clean


def test_planned_clips_without_a_result_are_not_done_yet(local_url: str) -> None:
    record = write_clip(local_url, make_annotation(), SETTINGS).record
    poison = quarantine_record(f"{'a' * 32}.{'1' * 16}", "x.mp4", RuntimeError("poison"))
    quarantine(local_url, poison)
    planned = [pack_clip_ids([record.clip_id, "b" * 32]), pack_clip_ids(["a" * 32, "c" * 32])]
    report = audit(local_url, planned={"123": planned, "456": planned[1:], "789": []})
    assert report.clean
    assert report.not_done == {"123": 2, "456": 1, "789": 0}
    assert "2 clips of plan 123 not done; 1 clips of plan 456 not done" in str(report)


def test_a_report_is_json_and_back(local_url: str) -> None:
    files_at(local_url).put("clips/odd", b"")
    report = audit(local_url)
    assert type(report).model_validate_json(report.model_dump_json()) == report
    assert json.loads(report.model_dump_json())["counts"] == {"unknown_object": 1}


def test_auditing_a_missing_dataset_is_an_error(url: str) -> None:
    with pytest.raises(NotADatasetError):
        audit(url)
