import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.model import AttentionKernel, StaticKeyAttention, explicit_attention, fused_attention
from easi3r.model.rotary import Rotation


def random_tokens(seed: int, tokens: int = 7, count: int = 3) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, 3, tokens, 8, generator=generator) for _ in range(count)]


def reweighted_by_hand(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    dynamic_queries: torch.Tensor,
    dynamic_keys: torch.Tensor,
) -> torch.Tensor:
    """docs/method.md §5, word by word, one weight at a time."""
    weights = (torch.einsum("bhqc,bhkc->bhqk", q, k) / q.shape[-1] ** 0.5).softmax(-1)
    for pair, query, key in torch.cartesian_prod(
        torch.arange(len(q)), torch.arange(q.shape[2]), torch.arange(k.shape[2])
    ):
        if dynamic_keys[pair, key] and not dynamic_queries[pair, query]:
            weights[pair, :, query, key] = 0
    return torch.einsum("bhqk,bhkc->bhqc", weights, v)


@pytest.mark.parametrize("kernel", [fused_attention, explicit_attention])
@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000), share=st.sampled_from([0.0, 0.3, 1.0]))
def test_reweighting_equals_the_definition(
    kernel: AttentionKernel, seed: int, share: float
) -> None:
    q, k, v = random_tokens(seed)
    generator = torch.Generator().manual_seed(seed)
    dynamic_queries, dynamic_keys = torch.rand(2, 2, 7, generator=generator) < share
    attention = StaticKeyAttention(kernel, dynamic_queries, dynamic_keys)
    expected = reweighted_by_hand(q, k, v, dynamic_queries, dynamic_keys)
    torch.testing.assert_close(attention(q, k, v), expected)


def test_rotated_products_depend_on_relative_positions_only() -> None:
    q, k, _ = random_tokens(0, tokens=1)
    rotation = Rotation.of_grid(5, 6, head_channels=8, base=100.0, device=torch.device("cpu"))
    queries = rotation.apply(q.expand(2, 3, 30, 8)).unflatten(2, (5, 6))
    keys = rotation.apply(k.expand(2, 3, 30, 8)).unflatten(2, (5, 6))
    here = (queries[:, :, 1, 1] * keys[:, :, 3, 2]).sum(-1)
    there = (queries[:, :, 2, 4] * keys[:, :, 4, 5]).sum(-1)
    elsewhere = (queries[:, :, 2, 4] * keys[:, :, 4, 4]).sum(-1)
    torch.testing.assert_close(here, there)
    assert not torch.allclose(here, elsewhere, atol=1e-3)


def test_rotation_at_the_origin_changes_nothing_and_lengths_stay() -> None:
    (vectors,) = random_tokens(1, tokens=12, count=1)
    rotated = Rotation.of_grid(3, 4, 8, 100.0, torch.device("cpu")).apply(vectors)
    torch.testing.assert_close(rotated[:, :, 0], vectors[:, :, 0])
    torch.testing.assert_close(rotated.norm(dim=-1), vectors.norm(dim=-1))
    # Within the first row only the column half turns.
    torch.testing.assert_close(rotated[:, :, 3, :4], vectors[:, :, 3, :4])
    assert not torch.allclose(rotated[:, :, 3, 4:], vectors[:, :, 3, 4:], atol=1e-3)
