"""Dynamic maps: range and invariances."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.attention import dynamic_map, fused_maps
from easi3r.tensors import AttentionStatistics
from tests.attention.statistics import random_statistics


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
