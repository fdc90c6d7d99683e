"""Frozen values that cross stage borders and live on the device (torch tensors).

Kept apart from `easi3r.types` so that reading a store does not import torch.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor


@dataclass(frozen=True)
class PairGraph:
    """Directed pairs of a clip's frames.

    Attributes:
        edges: (first, second) per pair; the network runs with image 1 = first, image 2 = second.
        frames: number of frames (nodes) of the clip.
    """

    edges: Int64[np.ndarray, "pairs 2"]
    frames: int

    def __post_init__(self) -> None:
        if len(self.edges) and not (self.edges.min() >= 0 and self.edges.max() < self.frames):
            raise ValueError(f"edges name frames outside 0..{self.frames - 1}")
        if (self.edges[:, 0] == self.edges[:, 1]).any():
            raise ValueError("edges hold a pair of a frame with itself")

    def __len__(self) -> int:
        return len(self.edges)


@dataclass(frozen=True)
class FrameFeatures:
    """Encoder output of every frame of a clip (after `enc_norm`), tokens row-major.

    Attributes:
        tokens: one vector per patch.
        rows, columns: the token grid; tokens.shape[1] == rows * columns.
    """

    tokens: Float[Tensor, "frames tokens channels"]
    rows: int
    columns: int

    def shown_in(
        self, frames: Int64[np.ndarray, "*shape"]
    ) -> tuple["FrameFeatures", Int64[Tensor, "*shape"]]:
        """Features of the frames that occur, each once, and where among them each one is."""
        occurring, places = np.unique(frames, return_inverse=True)
        device = self.tokens.device
        tokens = self.tokens[torch.as_tensor(occurring, device=device)]
        where = torch.as_tensor(places.reshape(frames.shape), device=device)
        return FrameFeatures(tokens, self.rows, self.columns), where


@dataclass(frozen=True)
class PairPrediction:
    """What the network says of each directed pair (a, b); both point maps in camera a's frame.

    Attributes:
        points_1: points of image a's pixels.
        points_2: points of image b's pixels, in camera a's frame.
        confidence_1, confidence_2: >= 1.
    """

    points_1: Float[Tensor, "pairs height width 3"]
    points_2: Float[Tensor, "pairs height width 3"]
    confidence_1: Float[Tensor, "pairs height width"]
    confidence_2: Float[Tensor, "pairs height width"]


@dataclass(frozen=True)
class KeyMeans:
    """Query-mean of the cross-attention logits of each pair (docs/method.md §3), raw.

    Channel order: layer * heads + head.

    Attributes:
        decoder_1: for pair (a, b): one value per key token of b.
        decoder_2: for pair (a, b): one value per key token of a.
    """

    decoder_1: Float[Tensor, "pairs rows columns channels"]
    decoder_2: Float[Tensor, "pairs rows columns channels"]


@dataclass(frozen=True)
class AttentionStatistics:
    """Mean and sample standard deviation of the key means of each frame over its pairs."""

    source_mean: Float[Tensor, "frames rows columns channels"]
    source_std: Float[Tensor, "frames rows columns channels"]
    reference_mean: Float[Tensor, "frames rows columns channels"]
    reference_std: Float[Tensor, "frames rows columns channels"]


@dataclass(frozen=True)
class DynamicMasks:
    """What moves in a clip.

    Attributes:
        score: 0..1, on a grid that tiles the image: tokens for the attention cue, pixels for
            cues of geometry.
        mask: per pixel, True where score > threshold.
        threshold: of the whole clip; infinity where nothing moves.
    """

    score: Float[Tensor, "frames rows columns"]
    mask: Bool[Tensor, "frames height width"]
    threshold: float
