"""The embedded checkpoint: its limits, its card, and that it beats baselines without a network."""

import json
from pathlib import Path

import pytest
import torch

import easi3r
from easi3r.config import Settings
from easi3r.evaluation.benchmark import run_clip
from easi3r.evaluation.benchmark_clips import Kind, benchmark_clips
from easi3r.evaluation.examination import OURS
from easi3r.evaluation.figures import figure_named, pooled
from easi3r.evaluation.results import STATIC_CAMERA, ClipResult
from easi3r.model import LoadedModel, load_checkpoint
from easi3r.training.training_settings import NANO, TrainingSettings
from easi3r.training.validation import Figures, HeldOut, validate

WEIGHTS = Path(easi3r.__file__).parent / "weights"


@pytest.fixture(scope="module")
def nano() -> LoadedModel:
    return load_checkpoint("nano")


@pytest.fixture(scope="module")
def figures(nano: LoadedModel) -> Figures:
    held_out = HeldOut.render(TrainingSettings(), scenes=10)
    return validate(nano.network, held_out, torch.device("cpu"))


def test_nano_is_small_and_apache_licensed(nano: LoadedModel) -> None:
    assert sum(p.numel() for p in nano.network.parameters()) <= 8_000_000
    assert (WEIGHTS / "nano.safetensors").stat().st_size < 16_000_000
    assert nano.config == NANO
    assert nano.licence == "Apache-2.0"
    assert json.loads((WEIGHTS / "nano.json").read_text())["licence"] == "Apache-2.0"


def test_the_card_of_nano_names_these_weights(nano: LoadedModel) -> None:
    assert nano.sha256 in (WEIGHTS / "nano.md").read_text()


def test_nano_recommends_settings(nano: LoadedModel) -> None:
    assert nano.defaults.cue == "combined"
    assert nano.defaults.calibration is not None
    assert (nano.defaults.flow_weight, nano.defaults.flow_check) == (2.5, True)


def test_depth_beats_a_constant(figures: Figures) -> None:
    assert figures.abs_rel < 0.6 * figures.abs_rel_constant


def test_matching_beats_identity(figures: Figures) -> None:
    assert figures.match > figures.match_chance + 0.05


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[ClipResult]:
    """The first clips of the benchmark, through the whole pipeline: movers, frozen, tripod."""
    folder = tmp_path_factory.mktemp("videos")
    clips = [clip for clip in benchmark_clips(per_kind=1) if clip.kind is not Kind.LOOK_ALIKES]
    return [run_clip(clip, Settings(), folder) for clip in clips]


def figure(results: list[ClipResult], key: str, *groups: str, method: str = OURS) -> float:
    return pooled(results, figure_named(key), method, groups)


def test_cameras_beat_a_static_camera(results: list[ClipResult]) -> None:
    assert figure(results, "ate_over_static") < 0.5
    assert figure(results, "direction") < 45
    standing = figure(results, "rotation", method=STATIC_CAMERA)
    assert figure(results, "rotation") < 0.8 * standing


def test_motion_score_separates_moving_pixels(results: list[ClipResult]) -> None:
    assert figure(results, "auc") > 0.8
    assert figure(results, "auc_objects") > 0.65


def test_few_false_positives_in_still_scenes(results: list[ClipResult]) -> None:
    assert figure(results, "false_positive_share", Kind.FROZEN.value) < 0.15
