"""Attention kernels and the two attention layers of the network.

A kernel is a function of rotated queries, keys and values. `fused_attention` never builds the
queries x keys matrix; `explicit_attention` does, which trains twice as fast on a CPU;
`StaticKeyAttention` turns either into the re-weighted attention of Easi3R's second pass.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from easi3r.model.rotary import Rotation

# Rotated queries, keys and values, each (batch, heads, tokens, channels), to
# `softmax(queries @ keys.T / sqrt(channels)) @ values`.
AttentionKernel = Callable[[Tensor, Tensor, Tensor], Tensor]


def fused_attention(
    queries: Float[Tensor, "batch heads queries channels"],
    keys: Float[Tensor, "batch heads keys channels"],
    values: Float[Tensor, "batch heads keys channels"],
) -> Float[Tensor, "batch heads queries channels"]:
    """Attention without the queries x keys matrix in memory."""
    return F.scaled_dot_product_attention(queries, keys, values)


def explicit_attention(
    queries: Float[Tensor, "batch heads queries channels"],
    keys: Float[Tensor, "batch heads keys channels"],
    values: Float[Tensor, "batch heads keys channels"],
) -> Float[Tensor, "batch heads queries channels"]:
    """Attention as two matrix products: the faster backward pass on a CPU."""
    return AttentionScores(queries, keys).logits().softmax(dim=-1) @ values


@dataclass(frozen=True)
class StaticKeyAttention:
    """A kernel that hides dynamic keys from static queries (docs/method.md §5).

    Their weights are set to zero after the softmax and not renormalised. Exact with any kernel:
    zero weight on a key is zero value at that key, and a query picks one of two results.

    Attributes:
        kernel: the attention to re-weight.
        dynamic_queries, dynamic_keys: True where the token moves, per pair.
    """

    kernel: AttentionKernel
    dynamic_queries: Bool[Tensor, "pairs queries"]
    dynamic_keys: Bool[Tensor, "pairs keys"]

    def __call__(
        self,
        queries: Float[Tensor, "pairs heads queries channels"],
        keys: Float[Tensor, "pairs heads keys channels"],
        values: Float[Tensor, "pairs heads keys channels"],
    ) -> Float[Tensor, "pairs heads queries channels"]:
        """Two calls of equal widths: doubled values would leave the fused CPU and flash kernels."""
        static_values = values.masked_fill(self.dynamic_keys[:, None, :, None], 0.0)
        return torch.where(
            self.dynamic_queries[:, None, :, None],
            self.kernel(queries, keys, values),
            self.kernel(queries, keys, static_values),
        )


@dataclass(frozen=True)
class AttentionScores:
    """Rotated queries and keys of one attention layer, from which its weights follow."""

    queries: Float[Tensor, "pairs heads queries channels"]
    keys: Float[Tensor, "pairs heads keys channels"]

    @property
    def scale(self) -> float:
        """Factor of the dot products."""
        return float(self.queries.shape[-1] ** -0.5)

    def logits(self) -> Float[Tensor, "pairs heads queries keys"]:
        """Scaled logits before the softmax; builds the queries x keys matrix."""
        return (self.queries * self.scale) @ self.keys.transpose(-1, -2)

    def key_means(self) -> Float[Tensor, "pairs keys heads"]:
        """Mean of the logits over queries, without their matrix, in float32 (docs/method.md §3)."""
        mean_query = self.queries.float().mean(dim=2, keepdim=True) * self.scale
        with torch.autocast(self.keys.device.type, enabled=False):
            means = self.keys.float() @ mean_query.transpose(-1, -2)
        return means.squeeze(-1).transpose(1, 2)


class CastingLinear(nn.Linear):
    """A linear layer that computes in the precision of its own weights."""

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        return super().forward(x.to(self.weight.dtype))


class SelfAttention(nn.Module):
    """Attention of tokens to tokens of the same image."""

    def __init__(self, channels: int, heads: int, kernel: AttentionKernel) -> None:
        super().__init__()
        self.heads = heads
        self.kernel = kernel
        self.qkv = CastingLinear(channels, 3 * channels)
        self.proj = CastingLinear(channels, channels)

    def forward(
        self, x: Float[Tensor, "batch tokens channels"], rotation: Rotation
    ) -> Float[Tensor, "batch tokens channels"]:
        q, k, v = (split_heads(part, self.heads) for part in self.qkv(x).chunk(3, dim=-1))
        return self.proj(join_heads(self.kernel(rotation.apply(q), rotation.apply(k), v)))


class CrossAttention(nn.Module):
    """Attention of one image's tokens to the other's, in two steps: scores, then the result."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.projq = CastingLinear(channels, channels)
        self.projk = CastingLinear(channels, channels)
        self.projv = CastingLinear(channels, channels)
        self.proj = CastingLinear(channels, channels)

    def score(
        self,
        x: Float[Tensor, "pairs queries channels"],
        y: Float[Tensor, "pairs keys channels"],
        rotation: Rotation,
    ) -> AttentionScores:
        """Rotated queries of `x` and keys of `y`; both images have the same grid."""
        return AttentionScores(
            queries=rotation.apply(split_heads(self.projq(x), self.heads)),
            keys=rotation.apply(split_heads(self.projk(y), self.heads)),
        )

    def attend(
        self,
        scores: AttentionScores,
        y: Float[Tensor, "pairs keys channels"],
        kernel: AttentionKernel,
    ) -> Float[Tensor, "pairs queries channels"]:
        """Result of the attention: values of `y`, weighted by `scores`."""
        values = split_heads(self.projv(y), self.heads)
        return self.proj(join_heads(kernel(scores.queries, scores.keys, values)))


def split_heads(
    x: Float[Tensor, "batch tokens channels"], heads: int
) -> Float[Tensor, "batch {heads} tokens head_channels"]:
    """Split channels, which are head-major, into heads."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(
    x: Float[Tensor, "batch heads tokens head_channels"],
) -> Float[Tensor, "batch tokens channels"]:
    """Inverse of `split_heads`."""
    return x.transpose(1, 2).flatten(2)
