"""Dynamic maps, clusters, threshold and masks: properties, and scenes with a known answer."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.exposure import histogram
from skimage.filters import threshold_multiotsu
from torch import Tensor

from easi3r.attention import (
    clip_threshold,
    cluster_tokens,
    dynamic_map,
    fused_maps,
    segment,
    smooth_over_clusters,
    threshold_score,
    token_masks,
)
from easi3r.config import SegmentationSettings
from easi3r.errors import NonFiniteError
from easi3r.tensors import AttentionStatistics, FrameFeatures

FRAMES, ROWS, COLUMNS, CHANNELS = 4, 6, 8, 10


def random_statistics(seed: int) -> AttentionStatistics:
    generator = torch.Generator().manual_seed(seed)
    stacks = torch.randn(4, FRAMES, ROWS, COLUMNS, CHANNELS, generator=generator)
    return AttentionStatistics(stacks[0], stacks[1].abs(), stacks[2], stacks[3].abs())


def features_of(values: Tensor) -> FrameFeatures:
    _, rows, columns, _ = values.shape
    return FrameFeatures(tokens=values.flatten(1, 2), rows=rows, columns=columns)


def moving_square() -> Tensor:
    """Tokens of a 2 x 2 object that moves a column per frame."""
    moving = torch.zeros(FRAMES, ROWS, COLUMNS, dtype=torch.bool)
    for frame in range(FRAMES):
        moving[frame, 2:4, frame + 1 : frame + 3] = True
    return moving


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_maps_lie_in_0_to_1_and_span_each_frame(seed: int) -> None:
    statistics = random_statistics(seed)
    score = dynamic_map(statistics)
    assert score.min() == 0
    assert score.max() <= 1
    assert (score.amax(dim=(1, 2)) > 0.99).all()
    fused = fused_maps(statistics)
    for one in (fused.source_mean, fused.source_std, fused.reference_mean, fused.reference_std):
        assert one.min() == 0
        assert 0.99 < one.max() <= 1


def test_dynamic_map_ignores_scale_and_offset_of_each_statistic() -> None:
    plain = random_statistics(3)
    moved = AttentionStatistics(
        4 * plain.source_mean - 7,
        0.5 * plain.source_std,
        2 * plain.reference_mean + 1,
        3 * plain.reference_std,
    )
    torch.testing.assert_close(dynamic_map(plain), dynamic_map(moved), rtol=1e-4, atol=1e-5)


def test_a_moving_object_is_found_to_the_pixel_of_its_tokens() -> None:
    moving = moving_square()
    level = moving[..., None].float().expand(-1, -1, -1, CHANNELS)
    statistics = AttentionStatistics(1 - level, level, level, 1 - level)
    noise = torch.randn(FRAMES, ROWS, COLUMNS, 16, generator=torch.Generator().manual_seed(0))
    features = features_of(level[..., :1] * 10 + 0.1 * noise)
    clusters = cluster_tokens(features, SegmentationSettings(clusters=2))
    found = segment(statistics, clusters, 16 * ROWS, 16 * COLUMNS)
    assert 0 < found.threshold < 1
    assert found.mask.shape == (FRAMES, 16 * ROWS, 16 * COLUMNS)
    truth = moving.repeat_interleave(16, 1).repeat_interleave(16, 2)
    overlap = (found.mask & truth).sum() / (found.mask | truth).sum()
    assert overlap > 0.7
    assert torch.equal(found.score > 0.5, moving)


def test_constant_statistics_give_empty_masks() -> None:
    constant = torch.full((FRAMES, ROWS, COLUMNS, CHANNELS), 0.3)
    statistics = AttentionStatistics(constant, 0 * constant, constant, 0 * constant)
    features = features_of(torch.ones(FRAMES, ROWS, COLUMNS, 16))
    clusters = cluster_tokens(features, SegmentationSettings())
    found = segment(statistics, clusters, 48, 64)
    assert found.threshold == math.inf
    assert not found.mask.any()
    assert not found.score.any()


def test_values_that_are_not_finite_are_refused() -> None:
    statistics = random_statistics(0)
    statistics.source_mean[0, 1, 1, 0] = math.nan
    features = features_of(torch.randn(FRAMES, ROWS, COLUMNS, 16))
    clusters = cluster_tokens(features, SegmentationSettings())
    with pytest.raises(NonFiniteError, match="not finite"):
        segment(statistics, clusters, 48, 64)


def test_clusters_are_shared_by_the_clip_and_repeat_with_the_seed() -> None:
    kinds = torch.randint(0, 5, (FRAMES, ROWS, COLUMNS), generator=torch.Generator().manual_seed(1))
    directions = 10 * torch.eye(5)[kinds]
    labels = cluster_tokens(features_of(directions), SegmentationSettings(clusters=5, seed=42))
    assert torch.equal(
        labels, cluster_tokens(features_of(directions), SegmentationSettings(clusters=5, seed=42))
    )
    # A bijection between kinds and labels, over all frames together.
    assert len(torch.unique(torch.stack([kinds.flatten(), labels.flatten()]), dim=1).T) == 5


@pytest.mark.parametrize("distinct", [1, 3])
def test_fewer_distinct_tokens_than_clusters(distinct: int) -> None:
    kinds = torch.arange(2 * 3 * 4).reshape(2, 3, 4) % distinct
    labels = cluster_tokens(
        features_of(kinds[..., None].float()), SegmentationSettings(clusters=8, seed=0)
    )
    assert len(labels.unique()) == distinct


def test_fewer_tokens_than_clusters() -> None:
    tokens = torch.randn(1, 2, 2, 3, generator=torch.Generator().manual_seed(0))
    assert (
        len(cluster_tokens(features_of(tokens), SegmentationSettings(clusters=64, seed=0)).unique())
        == 4
    )


def test_smoothing_gives_one_score_per_cluster_within_a_frame() -> None:
    generator = torch.Generator().manual_seed(5)
    scores = torch.rand(FRAMES, ROWS, COLUMNS, generator=generator)
    labels = torch.randint(0, 7, scores.shape, generator=generator)
    smooth = smooth_over_clusters(scores, labels)
    for frame in range(FRAMES):
        for label in range(7):
            assert len(smooth[frame][labels[frame] == label].unique()) <= 1
    averages = torch.stack([scores[labels == label].mean() for label in range(7)])
    # Every cluster occurs in frame 0, so its scores are the averages, stretched to 0..1.
    stretched = (averages - averages.min()) / (averages.max() - averages.min() + 1e-6)
    torch.testing.assert_close(smooth[0], stretched[labels[0]])


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
    found = threshold_score(score, 2 * ROWS, 2 * COLUMNS)
    # At twice the size, half-pixel centres: 9/16, 3/16, 3/16, 1/16 of the four nearest tokens.
    weights = torch.tensor([[9, 3], [3, 1]]) / 16
    expected = (score[:, 1:3, 1:3] * weights).sum(dim=(1, 2))
    assert torch.equal(found.mask[:, 3, 3], expected > found.threshold)
    assert 0 < found.mask.float().mean() < 1


def test_token_mask_is_true_where_any_pixel_of_the_patch_moves() -> None:
    mask = torch.zeros(2, 32, 48, dtype=torch.bool)
    mask[0, 15, 16] = True
    mask[1, 16:, 32:] = True
    tokens = token_masks(mask, 16)
    assert tokens.shape == (2, 2, 3)
    assert tokens.nonzero().tolist() == [[0, 0, 1], [1, 1, 2]]
