"""Attention statistics: mean and deviation of each frame's key means (docs/method.md §3)."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from easi3r.tensors import AttentionStatistics, KeyMeans, PairGraph


class _RunningMoments:
    """Mean and sum of squared deviations per frame, over maps that arrive in batches.

    Batches are merged by the update of Chan, Golub and LeVeque (1979), which never subtracts large
    sums, so float32 is enough. Holds two maps per frame, whatever the number of pairs.
    """

    def __init__(self, maps: Float[Tensor, "pairs rows columns channels"], frames: int) -> None:
        self._count = maps.new_zeros(frames, 1, 1, 1)
        self._mean = maps.new_zeros(frames, *maps.shape[1:])
        self._deviation = torch.zeros_like(self._mean)

    def add(
        self,
        maps: Float[Tensor, "pairs rows columns channels"],
        frame_of_map: Int64[Tensor, " pairs"],
    ) -> None:
        ones = maps.new_ones(len(maps), 1, 1, 1)
        count = torch.zeros_like(self._count).index_add_(0, frame_of_map, ones)
        mean = torch.zeros_like(self._mean).index_add_(0, frame_of_map, maps) / count.clamp(min=1)
        self._deviation.index_add_(0, frame_of_map, (maps - mean[frame_of_map]).square())

        total = (self._count + count).clamp(min=1)
        shift = mean - self._mean
        self._mean += shift * (count / total)
        self._deviation += shift.square() * (self._count * count / total)
        self._count += count

    def finish(
        self,
    ) -> tuple[
        Float[Tensor, "frames rows columns channels"],
        Float[Tensor, "frames rows columns channels"],
    ]:
        """Mean and sample standard deviation; 0 for a frame with a single map."""
        missing = (self._count.flatten() == 0).nonzero().flatten().tolist()
        if missing:
            raise ValueError(f"no pair was added for frames {missing}")
        return self._mean, (self._deviation / (self._count - 1).clamp(min=1)).sqrt()


class StatisticsAccumulator:
    """Attention statistics of a clip whose pairs are run in batches.

    `add` each batch once, then `finish`. Neither the order of the pairs nor the cut into batches
    matters, up to rounding; memory is four maps per frame.
    """

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._source: _RunningMoments | None = None
        self._reference: _RunningMoments | None = None

    def add(self, key_means: KeyMeans, edges: Int64[np.ndarray, "pairs 2"]) -> None:
        """Take in a batch of pairs.

        Args:
            key_means: raw, as the network gives them; the sink at (0, 0) is replaced here.
            edges: (first, second) frame of each pair of the batch.
        """
        source = _without_corner_sink(key_means.decoder_1.float())
        reference = _without_corner_sink(key_means.decoder_2.float())
        if self._source is None or self._reference is None:
            self._source = _RunningMoments(source, self._frames)
            self._reference = _RunningMoments(reference, self._frames)
        first, second = torch.from_numpy(edges).to(source.device).unbind(1)
        # Decoder 1 attends to the tokens of the second image, decoder 2 to those of the first.
        self._source.add(source, second)
        self._reference.add(reference, first)

    def finish(self) -> AttentionStatistics:
        """The statistics of everything added.

        Raises:
            ValueError: a frame is not both first and second of at least one pair.
        """
        if self._source is None or self._reference is None:
            raise ValueError("no pair was added")
        source_mean, source_std = self._source.finish()
        reference_mean, reference_std = self._reference.finish()
        return AttentionStatistics(source_mean, source_std, reference_mean, reference_std)


def attention_statistics(key_means: KeyMeans, graph: PairGraph) -> AttentionStatistics:
    """Statistics of every frame from the key means of all pairs of the graph (docs/method.md §3).

    Args:
        key_means: raw, pairs in the order of `graph.edges`.
        graph: every frame must be first and second of at least one pair.

    Raises:
        ValueError: a frame without a pair.
    """
    accumulator = StatisticsAccumulator(graph.frames)
    accumulator.add(key_means, graph.edges)
    return accumulator.finish()


def _without_corner_sink(
    maps: Float[Tensor, "pairs rows columns channels"],
) -> Float[Tensor, "pairs rows columns channels"]:
    """Each map with the token at (0, 0) replaced by the average of (0, 1) and (1, 0).

    A grid of a single row or column has one of the two neighbours, and uses it alone.
    """
    neighbours = torch.cat([maps[:, 0, 1:2], maps[:, 1:2, 0]], dim=1)
    if neighbours.shape[1] == 0:
        return maps
    repaired = maps.clone()
    repaired[:, 0, 0] = neighbours.mean(dim=1)
    return repaired
