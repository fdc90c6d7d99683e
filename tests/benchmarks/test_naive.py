"""The naive baseline computes the same as the package, so that their times can be compared."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from easi3r.attention import pair_graph
from easi3r.config import GraphSettings, Settings
from easi3r.method.steps import ClipSteps
from easi3r.types import Frames
from tests.benchmarks import naive
from tests.model.sizes import TINY, build, images

BOUND = 1e-3  # of the golden tests, relative to the spread of each array


def assert_same(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    assert ((ours - theirs).abs().max() <= BOUND * theirs.std()).item()


@pytest.mark.parametrize("head", ["linear", "dpt"])
def test_the_baseline_gives_the_same_statistics_masks_and_predictions(head: str) -> None:
    network = build(replace(TINY, head=head)).requires_grad_(False)
    pixels = images(48, 80, frames=5)  # an odd grid
    decoded = Frames(pixels.numpy(), np.arange(5) / 10, np.arange(5), np.eye(3))
    settings = Settings.parse({"segmentation": {"clusters": 8}})
    clip = ClipSteps.begin(decoded, network, settings)
    steering = clip.attention_masks(clip.first_attention())
    second = clip.second_pass(steering)
    masks = clip.attention_masks(second.statistics)

    reference = naive.annotate(
        network, pixels, pair_graph(5, GraphSettings()), settings.segmentation
    )
    assert steering.mask.any()
    assert torch.equal(reference.steering.mask, steering.mask)
    assert torch.equal(reference.masks.mask, masks.mask)
    for name in ("source_mean", "source_std", "reference_mean", "reference_std"):
        assert_same(getattr(second.statistics, name), getattr(reference.statistics, name))
    for name in ("points_1", "points_2", "confidence_1", "confidence_2"):
        assert_same(getattr(second.prediction, name), getattr(reference.prediction, name))
