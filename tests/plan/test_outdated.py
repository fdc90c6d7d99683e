"""Which pending clips have results under another result id, and why."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from easi3r.config import Settings
from easi3r.executor import InProcess
from easi3r.plan import OutdatedResults, Plan, outdated, outdated_results, plan_collection
from easi3r.store import (
    ResultSet,
    committed_set,
    pack_clip_ids,
    prepare_dataset,
    result_names,
    write_clip,
)
from easi3r.types import ClipSpec
from tests.plan.videos import write_videos
from tests.store.annotations import make_annotation

SETTINGS = Settings.parse({"sampling": {"clip_frames": 5}, "model": {"sha256": "a" * 64}})
NOTHING = ResultSet(np.empty(0, "S24"))
OLD_WEIGHTS = "made with nano cccccccccccc, now nano aaaaaaaaaaaa"
OLD_SETTINGS = f"made with settings dddddddddddd, now {SETTINGS.digest[:12]}"


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Of 9 clips."""
    dataset = str(tmp_path / "out.zarr")
    prepare_dataset(dataset, SETTINGS.model_dump_json())
    write_videos(tmp_path / "videos", 3)
    return plan_collection(str(tmp_path / "videos"), dataset, SETTINGS, InProcess())


def commit(plan: Plan, spec: ClipSpec, weights: str, settings_digest: str) -> None:
    made = make_annotation(len(spec), 16, 16, weights_sha256=weights * 64)
    provenance = replace(made.provenance, settings_digest=settings_digest)
    index, times = np.array(spec.frame_index), np.array(spec.pts_seconds)
    made = replace(made, spec=spec, provenance=provenance, frame_index=index, pts_seconds=times)
    write_clip(plan.destination, made, SETTINGS.store)


def specs_of(plan: Plan) -> list[ClipSpec]:
    return [spec for batch in plan.batches(NOTHING, SETTINGS, 8) for spec in batch]


def test_pending_clips_with_results_of_another_id_are_counted_by_reason(plan: Plan) -> None:
    specs = specs_of(plan)
    for spec in specs[:3]:
        commit(plan, spec, "c", SETTINGS.digest)
    commit(plan, specs[3], "a", "d" * 64)
    commit(plan, specs[4], "a", "d" * 64)
    commit(plan, specs[4], "a", SETTINGS.digest)  # of now: not pending
    quarantined = result_names(pack_clip_ids([specs[0].clip_id]), "a" * 64, SETTINGS.digest)
    committed = committed_set(plan.destination)
    counted = outdated_results(plan, committed, ResultSet(quarantined), SETTINGS)
    assert counted == OutdatedResults(
        clips=3, examined=3, reasons={OLD_WEIGHTS: 2, OLD_SETTINGS: 1}
    )
    assert str(counted) == f"3: 2 {OLD_WEIGHTS}; 1 {OLD_SETTINGS}"


def test_of_many_clips_the_first_are_examined_and_that_is_said(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outdated, "CLIPS_EXAMINED", 2)
    specs = specs_of(plan)
    for spec in specs[:2]:
        commit(plan, spec, "c", SETTINGS.digest)
    for spec in specs[2:]:
        commit(plan, spec, "a", "d" * 64)
    counted = outdated_results(plan, committed_set(plan.destination), NOTHING, SETTINGS)
    assert counted == OutdatedResults(clips=9, examined=2, reasons={OLD_WEIGHTS: 2})
    assert str(counted) == f"9: 2 {OLD_WEIGHTS} (of the first 2 looked at)"


def test_without_results_nothing_is_outdated(plan: Plan) -> None:
    counted = outdated_results(plan, NOTHING, NOTHING, SETTINGS)
    assert counted == OutdatedResults(clips=0, examined=0, reasons={})
    assert str(counted) == "0"
