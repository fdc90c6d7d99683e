"""Attention statistics against plain loops over the pairs."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from easi3r.attention import StatisticsAccumulator, attention_statistics, pair_graph
from easi3r.config import GraphSettings
from easi3r.tensors import AttentionStatistics, KeyMeans, PairGraph


def random_key_means(pairs: int, rows: int = 3, columns: int = 4, offset: float = 0) -> KeyMeans:
    generator = torch.Generator().manual_seed(pairs)
    maps = torch.randn(2, pairs, rows, columns, 5, generator=generator) + offset
    return KeyMeans(decoder_1=maps[0], decoder_2=maps[1])


def stacks(statistics: AttentionStatistics) -> list[Tensor]:
    return [
        statistics.source_mean,
        statistics.source_std,
        statistics.reference_mean,
        statistics.reference_std,
    ]


def naive(maps: np.ndarray, frame_of_map: np.ndarray, frames: int) -> list[np.ndarray]:
    maps = maps.astype(np.float64)
    maps[:, 0, 0] = (maps[:, 0, 1] + maps[:, 1, 0]) / 2
    means, deviations = [], []
    for frame in range(frames):
        own = maps[frame_of_map == frame]
        means.append(own.mean(axis=0))
        single = len(own) == 1
        deviations.append(np.zeros_like(own[0]) if single else own.std(axis=0, ddof=1))
    return [np.stack(means), np.stack(deviations)]


@pytest.mark.parametrize("kind", ["window", "complete", "star"])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_statistics_equal_plain_loops(kind: str, offset: float) -> None:
    graph = pair_graph(6, GraphSettings.model_validate({"kind": kind, "window": 2}))
    key_means = random_key_means(len(graph), offset=offset)
    expected = [
        *naive(key_means.decoder_1.numpy(), graph.edges[:, 1], graph.frames),
        *naive(key_means.decoder_2.numpy(), graph.edges[:, 0], graph.frames),
    ]
    for ours, loops in zip(stacks(attention_statistics(key_means, graph)), expected, strict=True):
        np.testing.assert_allclose(ours.numpy(), loops, rtol=1e-6, atol=1e-6 + 2e-7 * offset)


def test_standard_deviation_of_a_single_pair_is_zero() -> None:
    graph = PairGraph(edges=np.array([[0, 1], [1, 0]]), frames=2)
    statistics = attention_statistics(random_key_means(2), graph)
    assert not statistics.source_std.any()
    assert not statistics.reference_std.any()


def test_corner_token_is_ignored_and_input_is_unchanged() -> None:
    graph = pair_graph(4, GraphSettings(kind="complete"))
    key_means = random_key_means(len(graph))
    with_sink = KeyMeans(key_means.decoder_1.clone(), key_means.decoder_2.clone())
    with_sink.decoder_1[:, 0, 0] = 1e6
    with_sink.decoder_2[:, 0, 0] = -1e6
    plain, sunk = attention_statistics(key_means, graph), attention_statistics(with_sink, graph)
    for ours, other in zip(stacks(plain), stacks(sunk), strict=True):
        assert torch.equal(ours, other)
    assert (with_sink.decoder_1[:, 0, 0] == 1e6).all()


@pytest.mark.parametrize(("rows", "columns"), [(1, 3), (3, 1), (1, 1)])
def test_grids_of_one_row_or_column(rows: int, columns: int) -> None:
    graph = pair_graph(3, GraphSettings(kind="complete"))
    key_means = random_key_means(len(graph), rows, columns)
    statistics = attention_statistics(key_means, graph)
    flat = statistics.source_mean.flatten(1, 2)
    if rows * columns > 1:
        assert torch.equal(flat[:, 0], flat[:, 1])
    assert all(stack.isfinite().all() for stack in stacks(statistics))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000), batch=st.integers(1, 30))
def test_order_of_pairs_and_cut_into_batches_do_not_matter(seed: int, batch: int) -> None:
    graph = pair_graph(6, GraphSettings(window=3))
    key_means = random_key_means(len(graph), offset=50.0)
    order = np.random.default_rng(seed).permutation(len(graph))
    accumulator = StatisticsAccumulator(graph.frames)
    for start in range(0, len(order), batch):
        part = order[start : start + batch]
        batch_means = KeyMeans(key_means.decoder_1[part], key_means.decoder_2[part])
        accumulator.add(batch_means, graph.edges[part])
    whole = attention_statistics(key_means, graph)
    for ours, other in zip(stacks(accumulator.finish()), stacks(whole), strict=True):
        torch.testing.assert_close(ours, other, rtol=2e-6, atol=2e-5)


def test_frame_without_a_pair_is_refused() -> None:
    graph = PairGraph(edges=np.array([[0, 1], [1, 0]]), frames=3)
    with pytest.raises(ValueError, match=r"frames \[2\]"):
        attention_statistics(random_key_means(2), graph)
    with pytest.raises(ValueError, match="no pair was added"):
        StatisticsAccumulator(3).finish()
