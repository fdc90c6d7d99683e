"""Quarantine records go by reason or id, and only those."""

import pytest

from easi3r.errors import EmptyFileError, OutOfMemoryError, SettingsError
from easi3r.store import (
    choose,
    quarantine,
    quarantine_record,
    quarantine_records,
    quarantined_by_reason,
    quarantined_ids,
    requeue,
)
from easi3r.store.files import files_at

CLIP = "a" * 32
IDS = (f"{CLIP}.{'1' * 16}", f"{CLIP}.{'2' * 16}", "b" * 32, "video-3")


@pytest.fixture
def quarantined(dataset_url: str) -> dict[str, tuple[str, ...]]:
    errors = [
        OutOfMemoryError("clip", "cuda ran out of memory", "Use a larger device"),
        OutOfMemoryError("clip", "cuda ran out of memory", "Use a larger device"),
        RuntimeError("poison"),
        EmptyFileError("x.mp4", "the file holds no bytes", "Upload it again"),
    ]
    for record_id, error in zip(IDS, errors):
        quarantine(dataset_url, quarantine_record(record_id, "x.mp4", error))
    files_at(dataset_url).put("quarantine/video-4.json", b"torn")
    return quarantined_by_reason(dataset_url)


def test_quarantine_records_are_counted_by_reason(quarantined: dict[str, tuple[str, ...]]) -> None:
    assert quarantined == {
        "oom": IDS[:2],
        "empty_file": IDS[3:],
        "unexpected": IDS[2:3],
        "unreadable": ("video-4",),
    }
    assert next(iter(quarantined)) == "oom"


def test_records_are_chosen_by_reason_and_by_id(quarantined: dict[str, tuple[str, ...]]) -> None:
    assert choose(quarantined, ["oom"], []) == {"oom": IDS[:2]}
    assert choose(quarantined, [], [CLIP]) == {"oom": IDS[:2]}
    assert choose(quarantined, [], [IDS[1], "video-3"]) == {"oom": IDS[1:2], "empty_file": IDS[3:]}
    assert choose(quarantined, ["unexpected"], ["b" * 32]) == {"unexpected": IDS[2:3]}


def test_unknown_reasons_and_ids_are_refused_with_the_known_ones(
    quarantined: dict[str, tuple[str, ...]],
) -> None:
    with pytest.raises(SettingsError, match=r"'decode'.*oom \(2\), empty_file \(1\)"):
        choose(quarantined, ["decode"], [])
    with pytest.raises(SettingsError, match="id video-5"):
        choose(quarantined, ["oom"], ["video-5"])
    with pytest.raises(SettingsError, match="Nothing is quarantined at all"):
        choose({}, ["oom"], [])


@pytest.mark.usefixtures("quarantined")
def test_requeued_records_are_gone_and_the_others_stay(dataset_url: str) -> None:
    chosen = choose(quarantined_by_reason(dataset_url), ["oom", "unreadable"], [])
    for ids in chosen.values():
        assert list(requeue(dataset_url, ids)) == list(ids)
    assert quarantined_ids(dataset_url) == set(IDS[2:])
    assert [record.id for record in quarantine_records(dataset_url)] == list(IDS[2:])
