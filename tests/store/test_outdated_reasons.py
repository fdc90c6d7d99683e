"""Why a result is not the one that the settings of now ask for, from its commit record."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from easi3r.config import METHOD_VERSION, Settings
from easi3r.store import ResultSet, committed_set, write_clip
from easi3r.store.commits import CommitRecord
from easi3r.store.files import files_at
from easi3r.store.outdated_reasons import UNREADABLE, reason_for, reasons_of
from easi3r.types import ClipAnnotation
from tests.store.annotations import make_annotation

SETTINGS = Settings.parse({"model": {"sha256": "a" * 64, "weights": "big"}})
NO_FLOW = Settings.parse({"model": SETTINGS.model.model_dump(), "alignment": {"flow_weight": 0}})
OLD_WEIGHTS = "made with nano cccccccccccc, now big aaaaaaaaaaaa"
OLD_METHOD = f"made by method version 1, now {METHOD_VERSION}"
OLD_SETTINGS = f"made with settings dddddddddddd, now {SETTINGS.digest[:12]}"


def annotation(
    weights: str, digest: str, seed: int = 0, known: str | None = None
) -> ClipAnnotation:
    made = make_annotation(2, seed=seed, weights_sha256=weights * 64)
    digests = {"settings_digest": digest, "known_digest": known}
    return replace(made, provenance=replace(made.provenance, **digests))


@pytest.fixture
def committed(local_url: str) -> Callable[..., CommitRecord]:
    def commit(weights: str, digest: str, seed: int = 0, known: str | None = None) -> CommitRecord:
        made = annotation(weights, digest, seed, known)
        return write_clip(local_url, made, SETTINGS.store).record

    return commit


def test_every_reason_is_named(committed: Callable[..., CommitRecord]) -> None:
    version_1 = SETTINGS.digest_of_method_1
    assert reason_for(committed("c", SETTINGS.digest), SETTINGS) == OLD_WEIGHTS
    assert reason_for(committed("a", version_1), SETTINGS) == OLD_METHOD
    assert reason_for(committed("a", "d" * 64), SETTINGS) == OLD_SETTINGS
    assert reason_for(committed("c", version_1), SETTINGS) == f"{OLD_WEIGHTS} and {OLD_METHOD}"
    assert reason_for(committed("c", "d" * 64), SETTINGS) == f"{OLD_WEIGHTS} and {OLD_SETTINGS}"


def test_other_known_inputs_are_a_reason_of_their_own(
    committed: Callable[..., CommitRecord],
) -> None:
    plain = committed("a", SETTINGS.digest)
    known = committed("a", SETTINGS.result_digest("e" * 64), known="e" * 64)
    words = "known cameras or masks"
    assert reason_for(plain, SETTINGS, "f" * 64) == f"made with no {words}, now {words} {'f' * 12}"
    assert reason_for(known, SETTINGS) == f"made with {words} {'e' * 12}, now no {words}"
    both = reason_for(replaced_settings(known), SETTINGS, "e" * 64)
    assert both.startswith("made with settings dddddddddddd, now ")


def replaced_settings(record: CommitRecord) -> CommitRecord:
    return record.model_copy(update={"settings_digest": "d" * 64})


def test_where_the_version_of_the_method_takes_no_part_it_is_no_reason(
    committed: Callable[..., CommitRecord],
) -> None:
    assert reason_for(committed("c", NO_FLOW.digest), NO_FLOW) == OLD_WEIGHTS
    assert "method" not in reason_for(committed("a", "d" * 64), NO_FLOW)


def test_clips_are_counted_by_the_reason_of_their_newest_result(
    local_url: str, committed: Callable[..., CommitRecord]
) -> None:
    for seed in (0, 1, 2):
        committed("c", "d" * 64, seed)
    for seed in (1, 2):
        committed("c", SETTINGS.digest, seed)
    counts = reasons_of(local_url, committed_set(local_url), SETTINGS)
    assert counts == {OLD_WEIGHTS: 2, f"{OLD_WEIGHTS} and {OLD_SETTINGS}": 1}


def test_damaged_and_misplaced_records_are_a_reason_and_pruned_ones_none(
    local_url: str, committed: Callable[..., CommitRecord]
) -> None:
    records = [committed("c", SETTINGS.digest, seed) for seed in range(4)]
    names = committed_set(local_url)
    files = files_at(local_url)
    files.put(records[0].commit_path, b"torn")
    files.put(records[1].commit_path, files.get(records[3].commit_path))
    files.delete(records[2].commit_path)
    counts = reasons_of(local_url, names, SETTINGS)
    assert counts == {OLD_WEIGHTS: 1, UNREADABLE: 2}
    assert reasons_of(local_url, ResultSet(names.names[:0]), SETTINGS) == {}
