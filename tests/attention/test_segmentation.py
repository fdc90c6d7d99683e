"""Motion segmentation: masks of scenes with a known answer."""

import math

import pytest
import torch
from torch import Tensor

from easi3r.attention import cluster_tokens, segment, token_masks
from easi3r.config import SegmentationSettings
from easi3r.errors import NonFiniteError
from easi3r.tensors import AttentionStatistics
from tests.attention.statistics import (
    CHANNELS,
    COLUMNS,
    FRAMES,
    ROWS,
    features_of,
    random_statistics,
)


def moving_square() -> Tensor:
    """Tokens of a 2 x 2 object that moves a column per frame."""
    moving = torch.zeros(FRAMES, ROWS, COLUMNS, dtype=torch.bool)
    for frame in range(FRAMES):
        moving[frame, 2:4, frame + 1 : frame + 3] = True
    return moving


def test_a_moving_object_is_segmented_to_the_tokens_it_covers() -> None:
    moving = moving_square()
    level = moving[..., None].float().expand(-1, -1, -1, CHANNELS)
    statistics = AttentionStatistics(1 - level, level, level, 1 - level)
    noise = torch.randn(FRAMES, ROWS, COLUMNS, 16, generator=torch.Generator().manual_seed(0))
    features = features_of(level[..., :1] * 10 + 0.1 * noise)
    clusters = cluster_tokens(features, SegmentationSettings(clusters=2))
    masks = segment(statistics, clusters, 16 * ROWS, 16 * COLUMNS)
    assert 0 < masks.threshold < 1
    assert masks.mask.shape == (FRAMES, 16 * ROWS, 16 * COLUMNS)
    truth = moving.repeat_interleave(16, 1).repeat_interleave(16, 2)
    overlap = (masks.mask & truth).sum() / (masks.mask | truth).sum()
    assert overlap > 0.7
    assert torch.equal(masks.score > 0.5, moving)


def test_constant_statistics_give_empty_masks() -> None:
    constant = torch.full((FRAMES, ROWS, COLUMNS, CHANNELS), 0.3)
    statistics = AttentionStatistics(constant, 0 * constant, constant, 0 * constant)
    features = features_of(torch.ones(FRAMES, ROWS, COLUMNS, 16))
    clusters = cluster_tokens(features, SegmentationSettings())
    masks = segment(statistics, clusters, 48, 64)
    assert masks.threshold == math.inf
    assert not masks.mask.any()
    assert not masks.score.any()


def test_values_that_are_not_finite_are_refused() -> None:
    statistics = random_statistics(0)
    statistics.source_mean[0, 1, 1, 0] = math.nan
    features = features_of(torch.randn(FRAMES, ROWS, COLUMNS, 16))
    clusters = cluster_tokens(features, SegmentationSettings())
    with pytest.raises(NonFiniteError, match="not finite"):
        segment(statistics, clusters, 48, 64)


def test_token_mask_is_true_where_any_pixel_of_the_patch_moves() -> None:
    mask = torch.zeros(2, 32, 48, dtype=torch.bool)
    mask[0, 15, 16] = True
    mask[1, 16:, 32:] = True
    tokens = token_masks(mask, 16)
    assert tokens.shape == (2, 2, 3)
    assert tokens.nonzero().tolist() == [[0, 0, 1], [1, 1, 2]]
