"""The motion threshold: multi-Otsu on known distributions of scores."""

import math

import numpy as np
import pytest
import torch
from skimage.exposure import histogram
from skimage.filters import threshold_multiotsu

from easi3r.attention import clip_threshold, dynamic_map, threshold_score
from tests.attention.statistics import COLUMNS, ROWS, random_statistics


@pytest.mark.parametrize(
    ("sizes", "moving"),
    [
        # Three equal classes: variance of means over root of classes is 0.099 for {0, 0.5 | 1},
        # 0.096 for {0 | 0.5 | 1}; both put the last threshold under 1.
        ({0.0: 400, 0.5: 400, 1.0: 400}, [1.0]),
        # Few pixels at 1: two classes give {0 | 0.6, 1} and 0.068, three give 0.098 and win.
        ({0.0: 580, 0.6: 580, 1.0: 40}, [1.0]),
        # The middle is close to the top: two classes win, and both of them move.
        ({0.0: 400, 0.9: 400, 1.0: 400}, [0.9, 1.0]),
    ],
)
def test_threshold_is_the_highest_of_the_best_number_of_classes(
    sizes: dict[float, int], moving: list[float]
) -> None:
    levels = np.repeat(list(sizes), list(sizes.values()))
    values = levels + np.random.default_rng(0).uniform(-0.02, 0.02, len(levels))
    over = values > clip_threshold(torch.from_numpy(values).reshape(1, 30, 40))
    assert (over == np.isin(levels, moving)).mean() > 0.98


def test_the_threshold_is_that_of_one_histogram_over_all_frames() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = (
        torch.rand(3, 50, 60, generator=generator) ** torch.tensor([1.0, 2.0, 5.0])[:, None, None]
    )
    counts, centres = histogram(scores.numpy().ravel(), nbins=256)
    candidates = [threshold_multiotsu(classes=n, hist=(counts, centres))[-1] for n in (2, 3, 4)]
    assert clip_threshold(scores) in candidates


@pytest.mark.parametrize("values", [[0.5], [0.0, 1.0], [0.0, 0.5, 1.0]])
def test_too_few_distinct_values_mean_that_nothing_moves(values: list[float]) -> None:
    scores = torch.tensor(values).repeat(20).reshape(1, 4, -1)
    assert clip_threshold(scores) == math.inf


def test_masks_are_scores_over_the_threshold_after_bilinear_upsampling() -> None:
    score = dynamic_map(random_statistics(9))
    masks = threshold_score(score, 2 * ROWS, 2 * COLUMNS)
    # At twice the size, half-pixel centres: 9/16, 3/16, 3/16, 1/16 of the four nearest tokens.
    weights = torch.tensor([[9, 3], [3, 1]]) / 16
    expected = (score[:, 1:3, 1:3] * weights).sum(dim=(1, 2))
    assert torch.equal(masks.mask[:, 3, 3], expected > masks.threshold)
    assert 0 < masks.mask.float().mean() < 1
