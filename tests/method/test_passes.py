"""Forward passes over the pairs of a clip: pairs that the second reuses equal recomputed ones."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.attention import pair_graph
from easi3r.config import ExecutionSettings, GraphSettings
from easi3r.method.passes import FirstPass, Gathered, full_pass, reweighted_pass, select
from easi3r.model import DUSt3R, normalise
from easi3r.tensors import FrameFeatures, KeyMeans, PairGraph
from tests.model.sizes import TINY, build, images

FRAMES, HEIGHT, WIDTH = 4, 32, 48
EXECUTION = ExecutionSettings(pairs_per_batch=3)

Clip = tuple[DUSt3R, FrameFeatures, PairGraph, FirstPass]


@pytest.fixture(scope="module")
def clip() -> Clip:
    network = build(TINY).requires_grad_(False)
    features = network.encode(normalise(images(HEIGHT, WIDTH, FRAMES)))
    graph = pair_graph(FRAMES, GraphSettings())
    return network, features, graph, full_pass(network, features, graph, EXECUTION)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(patches=st.lists(st.sets(st.integers(0, 5)), min_size=FRAMES, max_size=FRAMES))
def test_reused_pairs_equal_recomputed_ones(clip: Clip, patches: list[set[int]]) -> None:
    network, features, graph, first = clip
    moving = torch.zeros(FRAMES, HEIGHT, WIDTH, dtype=torch.bool)
    for frame, moved in enumerate(patches):
        for patch in moved:
            moving[frame, 16 * (patch // 3), 16 * (patch % 3)] = True
    reused = reweighted_pass(network, features, graph, EXECUTION, moving, first)
    anew = reweighted_pass(network, features, graph, EXECUTION, moving)
    tokens = moving.unflatten(2, (3, 16)).unflatten(1, (2, 16)).amax(dim=(2, 4)).flatten(1)
    unsplit, _ = network.predict(features, graph.edges, tokens)  # all pairs alike
    for name in ("points_1", "points_2", "confidence_1", "confidence_2"):
        ours = getattr(reused.prediction, name)
        torch.testing.assert_close(ours, getattr(anew.prediction, name))
        torch.testing.assert_close(ours, getattr(unsplit, name))
    for name in ("source_mean", "source_std", "reference_mean", "reference_std"):
        ours, theirs = getattr(reused.statistics, name), getattr(anew.statistics, name)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_network_runs_only_the_pairs_that_something_moves_in(
    clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, features, graph, first = clip
    run = []
    predict = network.predict

    def watched(features: FrameFeatures, edges: np.ndarray, masks: torch.Tensor | None) -> object:
        run.extend(map(tuple, edges.tolist()))
        return predict(features, edges, masks)

    monkeypatch.setattr(network, "predict", watched)
    moving = torch.zeros(FRAMES, HEIGHT, WIDTH, dtype=torch.bool)
    moving[2, 5, 5] = True
    reweighted_pass(network, features, graph, EXECUTION, moving, first)
    assert set(run) == {tuple(edge) for edge in graph.edges.tolist() if edge[1] == 2}
    assert len(run) == len(set(run))


def test_gathered_values_are_complete_and_in_order() -> None:
    whole = KeyMeans(torch.rand(5, 2, 3, 4), torch.rand(5, 2, 3, 4))
    gathered = Gathered[KeyMeans](5)
    for pairs in (np.array([4, 1]), np.array([0, 3])):
        gathered.put(pairs, select(whole, pairs))
    with pytest.raises(ValueError, match="4 of 5"):
        gathered.result()
    gathered.put(np.array([2]), select(whole, np.array([2])))
    assert torch.equal(gathered.result().decoder_1, whole.decoder_1)
    assert torch.equal(gathered.result().decoder_2, whole.decoder_2)
