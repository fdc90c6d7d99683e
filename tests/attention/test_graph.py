"""Pair graphs against their definitions in docs/method.md §2."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.attention import pair_graph
from easi3r.config import GraphSettings
from easi3r.errors import SettingsError

KINDS = ["window", "complete", "star"]


def offsets(frames: int, graph: GraphSettings) -> set[int]:
    edges = pair_graph(frames, graph).edges
    return {int(value) for value in np.abs(edges[:, 0] - edges[:, 1])}


def test_default_graph_has_offsets_1_3_5_7_9_without_wrap_around() -> None:
    assert offsets(24, GraphSettings()) == {1, 3, 5, 7, 9}
    # 23 + 21 + 19 + 17 + 15 undirected pairs
    assert len(pair_graph(24, GraphSettings())) == 2 * 95


def test_window_graph_of_stride_1_has_every_offset() -> None:
    assert offsets(12, GraphSettings(window=4, stride=1)) == {1, 2, 3, 4}


def test_stride_3_takes_every_third_offset() -> None:
    assert offsets(24, GraphSettings(window=4, stride=3)) == {1, 4, 7, 10}


def test_complete_graph_has_every_ordered_pair() -> None:
    assert len(pair_graph(6, GraphSettings(kind="complete"))) == 30


def test_star_joins_every_frame_with_frame_0_only() -> None:
    edges = pair_graph(5, GraphSettings(kind="star")).edges.tolist()
    assert edges == [[0, 1], [0, 2], [0, 3], [0, 4], [1, 0], [2, 0], [3, 0], [4, 0]]


def test_one_frame_is_refused() -> None:
    with pytest.raises(SettingsError, match="at least 2 frames"):
        pair_graph(1, GraphSettings())


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    frames=st.integers(2, 20),
    window=st.integers(1, 12),
    stride=st.integers(1, 4),
    kind=st.sampled_from(KINDS),
)
def test_graphs_are_sorted_symmetric_and_reach_every_frame(
    frames: int, window: int, stride: int, kind: str
) -> None:
    values = {"kind": kind, "window": window, "stride": stride}
    graph = pair_graph(frames, GraphSettings.model_validate(values))
    edges = [tuple(edge) for edge in graph.edges.tolist()]
    assert edges == sorted(set(edges))
    assert set(edges) == {(b, a) for a, b in edges}
    assert {a for a, _ in edges} == set(range(frames))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(frames=st.integers(2, 30), window=st.integers(1, 40))
def test_window_is_clamped_to_half_the_clip(frames: int, window: int) -> None:
    clamped = min(window, math.ceil((frames - 1) / 2))
    strided = offsets(frames, GraphSettings(window=window))
    assert strided == {2 * step + 1 for step in range(clamped)}
    assert offsets(frames, GraphSettings(window=window, stride=1)) == {
        step + 1 for step in range(clamped)
    }
