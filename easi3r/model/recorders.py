"""Recorders of attention during a forward pass: key means (Easi3R) and matches of tokens."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from easi3r.model.blocks import DecoderLayer
from easi3r.tensors import FrameFeatures, KeyMeans
from easi3r.types import TokenMatches


class KeyMeansRecorder:
    """Records the key means of every decoder layer of a forward pass."""

    def __init__(self, features: FrameFeatures) -> None:
        self._grid = (features.rows, features.columns)
        self._decoder_1: list[Tensor] = []
        self._decoder_2: list[Tensor] = []

    def watch(self, layers: Iterable[DecoderLayer]) -> Iterator[DecoderLayer]:
        """The same layers, recorded as they go."""
        for layer in layers:
            self._decoder_1.append(layer.decoder_1.scores.key_means())
            self._decoder_2.append(layer.decoder_2.scores.key_means())
            yield layer

    def result(self) -> KeyMeans:
        """Key means of all layers, channel = layer * heads + head."""
        return KeyMeans(
            torch.cat(self._decoder_1, dim=-1).unflatten(1, self._grid),
            torch.cat(self._decoder_2, dim=-1).unflatten(1, self._grid),
        )


class MatchRecorder:
    """Records the match of each token of image 1 in image 2, from decoder 1's attention.

    Builds the queries x keys matrix of every layer, pair batch by pair batch.

    Args:
        features: of the frames.
        layers: whose attention is averaged.
        heads: of these layers; None takes all.
    """

    def __init__(
        self,
        features: FrameFeatures,
        layers: tuple[int, ...],
        heads: tuple[int, ...] | None,
    ) -> None:
        self._grid = (features.rows, features.columns)
        self._layers, self._heads = layers, heads
        self._attention: list[Tensor] = []

    def watch(self, layers: Iterable[DecoderLayer]) -> Iterator[DecoderLayer]:
        """The same layers, recorded as they go."""
        for number, layer in enumerate(layers):
            if number in self._layers:
                attention = layer.decoder_1.scores.logits().float().softmax(dim=-1)
                chosen = slice(None) if self._heads is None else list(self._heads)
                self._attention.append(attention[:, chosen].mean(dim=1))
            yield layer

    def result(self) -> TokenMatches:
        """The strongest key of each query, refined to the centre of attention about it."""
        rows, columns = self._grid
        attention = torch.stack(self._attention).mean(dim=0)
        best = attention.argmax(dim=-1)
        grid = torch.arange(rows * columns, device=best.device)
        row, column = (grid // columns, grid % columns)
        near = ((row - (best // columns)[..., None]).abs() <= 1) & (
            (column - (best % columns)[..., None]).abs() <= 1
        )
        around = attention * near
        certainty = around.sum(dim=-1)
        place = torch.stack([(around * axis).sum(dim=-1) for axis in (column, row)], dim=-1)
        place = place / certainty[..., None]
        return TokenMatches(
            place.unflatten(1, self._grid).float().cpu().numpy(),
            certainty.unflatten(1, self._grid).float().cpu().numpy(),
        )
