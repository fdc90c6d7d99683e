"""Transformer blocks of the encoder and of the decoders (docs/method.md §1)."""

from dataclasses import dataclass
from functools import cached_property

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from easi3r.model.attention_layers import (
    AttentionKernel,
    AttentionScores,
    CastingLinear,
    CrossAttention,
    SelfAttention,
)
from easi3r.model.rotary import Rotation

NORM_EPSILON = 1e-6


class PatchEmbedding(nn.Module):
    """Pixels to one token per patch, row-major."""

    def __init__(self, patch_size: int, channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, channels, kernel_size=patch_size, stride=patch_size)

    def forward(
        self, images: Float[Tensor, "frames 3 height width"]
    ) -> Float[Tensor, "frames tokens channels"]:
        return self.proj(images).flatten(2).transpose(1, 2)


class MLP(nn.Module):
    """Two linear layers with four times the width between them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = CastingLinear(channels, 4 * channels)
        self.fc2 = CastingLinear(4 * channels, channels)

    def forward(
        self, x: Float[Tensor, "batch tokens channels"]
    ) -> Float[Tensor, "batch tokens channels"]:
        return self.fc2(F.gelu(self.fc1(x)))


class EncoderBlock(nn.Module):
    """Self-attention and MLP, each on the normalised stream and added to it."""

    def __init__(self, channels: int, heads: int, kernel: AttentionKernel) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=NORM_EPSILON)
        self.attn = SelfAttention(channels, heads, kernel)
        self.norm2 = nn.LayerNorm(channels, eps=NORM_EPSILON)
        self.mlp = MLP(channels)

    def forward(
        self, x: Float[Tensor, "frames tokens channels"], rotation: Rotation
    ) -> Float[Tensor, "frames tokens channels"]:
        x = x + self.attn(self.norm1(x), rotation)
        return x + self.mlp(self.norm2(x))


class DecoderBlock(nn.Module):
    """Self-attention, cross-attention to the other image's stream, MLP.

    Split at the cross-attention, so that its scores can be read without paying for what follows.
    """

    def __init__(self, channels: int, heads: int, kernel: AttentionKernel) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=NORM_EPSILON)
        self.attn = SelfAttention(channels, heads, kernel)
        self.cross_attn = CrossAttention(channels, heads)
        self.norm2 = nn.LayerNorm(channels, eps=NORM_EPSILON)
        self.norm3 = nn.LayerNorm(channels, eps=NORM_EPSILON)
        self.mlp = MLP(channels)
        self.norm_y = nn.LayerNorm(channels, eps=NORM_EPSILON)

    def forward(
        self,
        x: Float[Tensor, "pairs tokens channels"],
        y: Float[Tensor, "pairs tokens channels"],
        rotation: Rotation,
        kernel: AttentionKernel,
    ) -> "BlockInProgress":
        """Forward pass up to the cross-attention's scores; `kernel` is that of cross-attention."""
        x = x + self.attn(self.norm1(x), rotation)
        y = self.norm_y(y)
        return BlockInProgress(
            self, x, y, self.cross_attn.score(self.norm2(x), y, rotation), kernel
        )


@dataclass(frozen=True)
class BlockInProgress:
    """A decoder block that has computed its cross-attention's scores.

    Attributes:
        block: the block itself.
        x: the stream after self-attention.
        y: the other stream, normalised.
        scores: rotated queries and keys of the cross-attention.
        kernel: how it attends.
    """

    block: DecoderBlock
    x: Float[Tensor, "pairs tokens channels"]
    y: Float[Tensor, "pairs tokens channels"]
    scores: AttentionScores
    kernel: AttentionKernel

    def finish(self) -> Float[Tensor, "pairs tokens channels"]:
        """The stream after the block."""
        x = self.x + self.block.cross_attn.attend(self.scores, self.y, self.kernel)
        return x + self.block.mlp(self.block.norm3(x))


@dataclass(frozen=True)
class DecoderLayer:
    """One layer of both decoders; `streams` is computed on first use.

    Attributes:
        decoder_1: queries of image 1, keys of image 2.
        decoder_2: queries of image 2, keys of image 1.
    """

    decoder_1: BlockInProgress
    decoder_2: BlockInProgress

    @cached_property
    def streams(self) -> tuple[Tensor, Tensor]:
        """Streams of image 1 and image 2 after the layer, each (pairs, tokens, channels)."""
        return self.decoder_1.finish(), self.decoder_2.finish()
