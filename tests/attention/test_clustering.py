"""Clusters of tokens, and scores averaged over them."""

import pytest
import torch

from easi3r.attention import cluster_tokens, smooth_over_clusters
from easi3r.config import SegmentationSettings
from tests.attention.statistics import COLUMNS, FRAMES, ROWS, features_of


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
