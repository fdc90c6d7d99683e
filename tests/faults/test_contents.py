"""The comparison of datasets itself: each kind of damage is detected, and no other."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.contents import Contents, judge, read_contents

A, B, C = (f"{digit * 32}.{digit * 16}" for digit in "abc")
UNDISTURBED = Contents(
    objects={A: {"depth/c/0": "1", "zarr.json": "2"}, B: {"depth/c/0": "3"}},
    torn=(),
    quarantined={C: "oom"},
)
NOTHING = Contents({}, (), {})


def test_an_undisturbed_dataset_is_sound() -> None:
    assert judge(UNDISTURBED, NOTHING, UNDISTURBED, Counter()).sound
    retimed = {**UNDISTURBED.objects, A: {"depth/c/0": "1", "zarr.json": "other seconds"}}
    assert judge(UNDISTURBED, NOTHING, replace(UNDISTURBED, objects=retimed), Counter()).sound


def test_a_clip_that_is_nowhere_is_lost() -> None:
    after = replace(UNDISTURBED, objects={A: UNDISTURBED.objects[A]})
    assert judge(UNDISTURBED, NOTHING, after, Counter()).lost == (
        f"{B}: neither committed nor quarantined",
    )
    assert len(judge(UNDISTURBED, UNDISTURBED, after, Counter()).lost) == 2  # and it was there


def test_a_sound_clip_in_quarantine_is_lost() -> None:
    after = Contents({A: UNDISTURBED.objects[A]}, (), {B: "storage_unavailable", C: "oom"})
    (lost,) = judge(UNDISTURBED, NOTHING, after, Counter()).lost
    assert lost == f"{B}: quarantined (storage_unavailable)"


def test_two_results_of_one_clip_are_seen() -> None:
    other = f"{A.partition('.')[0]}.{'f' * 16}"
    after = replace(UNDISTURBED, objects={**UNDISTURBED.objects, other: {}})
    assert judge(UNDISTURBED, NOTHING, after, Counter()).twice == (f"{'a' * 32}: 2 results",)
    both = replace(UNDISTURBED, quarantined={C: "oom", A: "oom"})
    assert f"{A}: quarantined too" in judge(UNDISTURBED, NOTHING, both, Counter()).twice


def test_other_values_are_torn() -> None:
    after = replace(UNDISTURBED, objects={**UNDISTURBED.objects, B: {"depth/c/0": "4"}})
    assert len(judge(UNDISTURBED, NOTHING, after, Counter()).torn) == 1
    assert judge(UNDISTURBED, replace(NOTHING, torn=("x",)), UNDISTURBED, Counter()).torn == ("x",)


def test_an_inference_after_the_commit_is_seen() -> None:
    again = Counter([A.partition(".")[0]])
    assert judge(UNDISTURBED, UNDISTURBED, UNDISTURBED, again).recomputed == (A,)
    assert judge(UNDISTURBED, NOTHING, UNDISTURBED, again).sound


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_objects_are_compared_with_their_record(tmp_path: Path, damage: str) -> None:
    attempt = tmp_path / "clips" / "aa" / "attempt"
    attempt.mkdir(parents=True)
    commits = tmp_path / "commits" / "aa"
    commits.mkdir(parents=True)
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of b"abc"
    record = {"path": "clips/aa/attempt", "objects": [{"name": "x", "sha256": sha256}]}
    (commits / f"{A}.json").write_text(json.dumps(record))
    (attempt / "x").write_bytes(b"abc")
    assert read_contents(str(tmp_path)).torn == ()
    assert read_contents(str(tmp_path)).committed == {A}
    if damage == "missing":
        (attempt / "x").unlink()
    else:
        (attempt / "x").write_bytes(b"ab")
    (torn,) = read_contents(str(tmp_path)).torn
    assert torn.startswith(f"{A}: x ")
