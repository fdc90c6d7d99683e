"""The checkpoint that ships: its limits, its card, and that it beats answers without a network."""

import json
from pathlib import Path

import pytest
import torch

import easi3r
from easi3r.model import LoadedModel, load_checkpoint
from easi3r.training.settings import NANO, TrainingSettings
from easi3r.training.validation import Figures, HeldOut, validate

WEIGHTS = Path(easi3r.__file__).parent / "weights"


@pytest.fixture(scope="module")
def nano() -> LoadedModel:
    return load_checkpoint("nano")


@pytest.fixture(scope="module")
def figures(nano: LoadedModel) -> Figures:
    held_out = HeldOut.render(TrainingSettings(), scenes=10)
    return validate(nano.network, held_out, torch.device("cpu"))


def test_it_is_small_and_ours(nano: LoadedModel) -> None:
    assert sum(p.numel() for p in nano.network.parameters()) <= 8_000_000
    assert (WEIGHTS / "nano.safetensors").stat().st_size < 16_000_000
    assert nano.config == NANO
    assert nano.licence == "Apache-2.0"
    assert json.loads((WEIGHTS / "nano.json").read_text())["licence"] == "Apache-2.0"


def test_its_card_is_of_these_weights(nano: LoadedModel) -> None:
    assert nano.sha256 in (WEIGHTS / "nano.md").read_text()


def test_depth_beats_a_constant(figures: Figures) -> None:
    assert figures.abs_rel < 0.9 * figures.abs_rel_constant


def test_rotation_beats_standing_still(figures: Figures) -> None:
    assert figures.rotation < 0.95 * figures.rotation_identity


def test_direction_beats_chance(figures: Figures) -> None:
    assert figures.direction < 80


def test_matching_beats_staying_in_place(figures: Figures) -> None:
    assert figures.match > figures.match_chance + 0.05
