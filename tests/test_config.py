"""Settings check themselves, and their digest follows exactly what changes results."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r import config
from easi3r.config import (
    GraphSettings,
    MotionCalibration,
    Settings,
    WeightDefaults,
)
from easi3r.errors import SettingsError
from easi3r.settings_digest import FIRST_SETTINGS
from tests.conftest import REPOSITORY

METHOD_1_DIGESTS = REPOSITORY / "tests/run/fixtures/method_1/digests.json"
SWAPPED = {"coefficients": [1.0], "intercept": 0.0, "threshold": 0.7, "certain": 0.6}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"sampling": {"clip_frames": 1}}, "sampling.clip_frames"),
        ({"sampling": {"clip_frames": 8, "overlap_frames": 8}}, "sampling"),
        ({"sampling": {"rate_hz": 5.0, "frame_stride": 2}}, "sampling"),
        ({"model": {"sha256": "abc"}}, "model.sha256"),
        ({"model": {"precision": "float8"}}, "model.precision"),
        ({"alignment": {"max_steps": 0}}, "alignment.max_steps"),
        ({"alignment": {"stepz": 3}}, "alignment.stepz"),
        ({"store": {"mantissa_bits": 24}}, "store.mantissa_bits"),
        ({"motion": {"cue": "guess"}}, "motion.cue"),
        ({"motion": {"calibration": SWAPPED}}, "motion.calibration"),
    ],
)
def test_a_bad_setting_is_named_with_its_value(values: dict, named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.parse(values)
    assert caught.value.subject == named
    assert "got" in caught.value.problem


@given(pairs=st.integers(1, 64), device=st.sampled_from(["cpu", "cuda", "auto"]))
@settings(derandomize=True, deadline=None, max_examples=20)
def test_how_the_work_is_done_does_not_change_the_digest(pairs: int, device: str) -> None:
    execution = {"pairs_per_batch": pairs, "device": device}
    assert Settings.parse({"execution": execution}).digest == Settings().digest


def test_a_refiner_takes_part_by_the_hash_of_its_weights_and_only_where_it_refines() -> None:
    def digest(**masks: str | None) -> str:
        return Settings.parse({"masks": masks}).digest

    idle = {"refiner_weights": "elsewhere", "refiner_sha256": "0" * 64}
    assert digest(refine=None, **idle) == digest() == Settings().digest
    one = digest(refine="sam2", refiner_sha256="0" * 64)
    assert one != Settings().digest
    assert one == digest(refine="sam2", refiner_weights="elsewhere", refiner_sha256="0" * 64)
    assert one != digest(refine="sam2", refiner_sha256="1" * 64)


def test_the_digest_leaves_the_weights_to_the_result_id() -> None:
    assert Settings.parse({"model": {"sha256": "0" * 64}}).digest == Settings().digest


@pytest.mark.parametrize(
    "values",
    [
        {"sampling": {"clip_frames": 25}},
        {"video": {"long_side_px": 256}},
        {"video": {"fit": "pad"}},
        {"graph": {"window": 4}},
        {"model": {"precision": "bfloat16"}},
        {"segmentation": {"clusters": 32}},
        {"motion": {"cue": "flow"}},
        {"alignment": {"flow_weight": 0.5}},
        {"alignment": {"shared_focal": False}},
        {"store": {"mantissa_bits": 10}},
        {"shots": {}},
        {"shots": {"detector": "adaptive"}},
    ],
)
def test_every_group_that_changes_results_changes_the_digest(values: dict) -> None:
    assert Settings.parse(values).digest != Settings().digest


def test_results_of_method_1_keep_their_ids_unless_the_flow_term_takes_part() -> None:
    """Digests that commit 7eeadf8, the last of version 1 of the method, gave the same settings."""
    recorded = json.loads(METHOD_1_DIGESTS.read_text())
    assert len(recorded) == 8
    for row in recorded:
        settings = Settings.parse(row["settings"])
        assert settings.digest_of_method_1 == row["digest"], row["settings"]
        without_flow = settings.alignment.flow_weight == 0
        assert (settings.digest == row["digest"]) is without_flow, row["settings"]


class LaterGraphSettings(GraphSettings):
    """As if a version to come had one more setting."""

    jitter: int = 7


def test_a_setting_added_later_takes_part_once_it_is_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(FIRST_SETTINGS, "LaterGraphSettings", FIRST_SETTINGS["GraphSettings"])
    today = Settings()
    at_default = today.model_copy(update={"graph": LaterGraphSettings()})
    changed = today.model_copy(update={"graph": LaterGraphSettings(jitter=8)})
    assert at_default.digest == today.digest
    assert changed.digest != today.digest


def test_the_first_settings_are_all_still_there() -> None:
    """A field that is renamed or dropped would change every digest: it must not happen unseen."""
    for kind, names in FIRST_SETTINGS.items():
        assert names <= getattr(config, kind).model_fields.keys(), kind


@pytest.mark.parametrize(
    ("values", "plans_anew"),
    [
        ({"sampling": {"clip_frames": 25}}, True),
        ({"video": {"broken_stream": "keep_frames_before_break"}}, True),
        ({"shots": {"threshold": 20.0}}, True),
        ({"video": {"long_side_px": 256, "fit": "pad"}}, False),
        ({"model": {"precision": "bfloat16"}}, False),
    ],
)
def test_only_what_cuts_videos_changes_the_plan(values: dict, plans_anew: bool) -> None:
    assert (Settings.parse(values).planning_digest != Settings().planning_digest) is plans_anew


def test_json_round_trip_keeps_the_digest() -> None:
    chosen = Settings.parse({"sampling": {"clip_frames": 12, "rate_hz": 7.5}})
    assert Settings.model_validate_json(chosen.model_dump_json()) == chosen
    assert Settings.model_validate_json(chosen.model_dump_json()).digest == chosen.digest


def test_weights_fill_only_what_is_left_to_them() -> None:
    calibration = MotionCalibration(coefficients=(1.0,), intercept=0.0, threshold=0.4, certain=0.6)
    weights = WeightDefaults(
        cue="combined",
        calibration=calibration,
        match_heads=(0,),
        flow_weight=2.5,
        flow_check=True,
        precision="bfloat16",
    )
    open_ones = Settings().completed(weights)
    assert open_ones.motion.cue == "combined"
    assert open_ones.motion.calibration == calibration
    assert open_ones.motion.match_heads == (0,)
    assert open_ones.alignment.flow_weight == 2.5
    assert open_ones.alignment.flow_check is True
    own = {"flow_weight": 0.0, "flow_check": False}
    given = Settings.parse({"motion": {"cue": "attention"}, "alignment": own})
    assert given.completed(weights).motion.cue == "attention"
    assert given.completed(weights).alignment.flow_weight == 0.0
    assert given.completed(weights).alignment.flow_check is False
    assert open_ones.model.precision == "bfloat16"
    assert open_ones.completed(WeightDefaults()) == open_ones


def test_published_weights_keep_easi3rs_cue_and_methods_flow_weight() -> None:
    completed = Settings().completed(WeightDefaults())
    assert completed.motion.cue == "attention"
    assert completed.alignment.flow_weight == 0.01
    assert completed.alignment.flow_check is False
    assert completed.model.precision == "float32"
