"""Our k-means beside scikit-learn's: as good, the same in every run, whatever fits into a chunk."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from torch import Tensor

from easi3r.attention import kmeans as module
from easi3r.attention.kmeans import kmeans
from tests.golden.attention import inertia


def blobs(seed: int, points: int = 600, centres: int = 30, channels: int = 16) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    middle = 4 * torch.randn(centres, channels, generator=generator)
    chosen = torch.randint(centres, (points,), generator=generator)
    return 100 + middle[chosen] + torch.randn(points, channels, generator=generator)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000), clusters=st.sampled_from([2, 8, 40]))
def test_inertia_is_that_of_scikit_learn(seed: int, clusters: int) -> None:
    """Medians of five starts: single ones scatter, of either implementation."""
    points = blobs(seed)

    def median(labels: list[Tensor]) -> float:
        inertias = [inertia(points.numpy(), one.numpy()) for one in labels]
        return float(torch.tensor(inertias).median())

    ours = median([kmeans(points, clusters, start) for start in range(5)])
    theirs = median(
        [
            torch.from_numpy(KMeans(clusters, random_state=start).fit_predict(points.numpy()))
            for start in range(5)
        ]
    )
    assert ours <= 1.05 * theirs


def test_labels_repeat_and_depend_on_the_seed() -> None:
    points = blobs(0)
    assert torch.equal(kmeans(points, 20, 3), kmeans(points, 20, 3))
    assert not torch.equal(kmeans(points, 20, 3), kmeans(points, 20, 4))


def test_labels_do_not_depend_on_the_chunk_size(monkeypatch: pytest.MonkeyPatch) -> None:
    points = blobs(1)
    whole = kmeans(points, 20, 0)
    monkeypatch.setattr(module, "_CHUNK", 70)
    assert torch.equal(kmeans(points, 20, 0), whole)


@pytest.mark.parametrize("distinct", [1, 3, 8])
def test_points_that_coincide_share_a_cluster(distinct: int) -> None:
    kinds = torch.arange(24) % distinct
    labels = kmeans(10 * torch.eye(8)[kinds], 8, 0)
    assert len(labels.unique()) == distinct
    assert len(torch.unique(torch.stack([kinds, labels]), dim=1).T) == distinct


def test_as_many_clusters_as_points_gives_each_point_its_own() -> None:
    assert len(kmeans(blobs(2, points=12), 12, 0).unique()) == 12
