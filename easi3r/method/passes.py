"""Forward passes over a clip's pairs, in batches: features, attention statistics, predictions."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from itertools import islice
from typing import Generic, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from easi3r.attention import StatisticsAccumulator, token_masks
from easi3r.config import ExecutionSettings, Settings
from easi3r.errors import OutOfMemoryError
from easi3r.method.device_faults import device_faults_named
from easi3r.model import DUSt3R, MatchRecorder, normalise
from easi3r.tensors import (
    AttentionStatistics,
    FrameFeatures,
    KeyMeans,
    PairGraph,
    PairPrediction,
)
from easi3r.types import Frames, TokenMatches

PerPair = TypeVar("PerPair", PairPrediction, KeyMeans)

# What torch raises as a plain RuntimeError: its CPU allocator, and CUDA's libraries.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC",
)


@dataclass(frozen=True)
class PassResult:
    """Output of one pass over all pairs of a clip, pairs in the order of the graph."""

    statistics: AttentionStatistics
    prediction: PairPrediction


@dataclass(frozen=True)
class FirstPass(PassResult):
    """A first pass with predictions, not re-weighted; the second pass may reuse its pairs.

    Attributes:
        key_means: of every pair; at the published size a seventh of the predictions' memory.
    """

    key_means: KeyMeans


def encode(network: DUSt3R, frames: Frames, execution: ExecutionSettings) -> FrameFeatures:
    """Features of all frames, in batches of two frames for each pair in flight."""
    device = network.mask_token.device
    images = torch.from_numpy(frames.images)
    parts = [
        network.encode(normalise(_upload(batch, device)))
        for batch in images.split(2 * execution.pairs_per_batch)
    ]
    tokens = torch.cat([part.tokens for part in parts])
    return FrameFeatures(tokens, parts[0].rows, parts[0].columns)


def attention_pass(
    network: DUSt3R, features: FrameFeatures, graph: PairGraph, execution: ExecutionSettings
) -> AttentionStatistics:
    """Statistics of the first pass alone: no heads, no last layer (docs/method.md §3)."""
    statistics = StatisticsAccumulator(graph.frames)
    for edges in batches(graph.edges, execution):
        statistics.add(network.key_means(features, edges), edges)
    return statistics.finish()


def full_pass(
    network: DUSt3R, features: FrameFeatures, graph: PairGraph, execution: ExecutionSettings
) -> FirstPass:
    """Statistics and predictions of the first pass, for cues that need geometry."""
    statistics = StatisticsAccumulator(graph.frames)
    prediction, key_means = Gathered[PairPrediction](len(graph)), Gathered[KeyMeans](len(graph))
    for pairs in batches(np.arange(len(graph)), execution):
        predicted, means = network.predict(features, graph.edges[pairs])
        statistics.add(means, graph.edges[pairs])
        prediction.put(pairs, predicted)
        key_means.put(pairs, means)
    return FirstPass(statistics.finish(), prediction.result(), key_means.result())


def reweighted_pass(
    network: DUSt3R,
    features: FrameFeatures,
    graph: PairGraph,
    execution: ExecutionSettings,
    moving: Bool[Tensor, "frames height width"],
    first: FirstPass | None = None,
) -> PassResult:
    """The second pass, with attention re-weighted by motion masks (docs/method.md §5).

    A pair in whose second image nothing moves gives the same as in the first pass: it is reused
    where the first pass predicted, else run without re-weighting.

    Args:
        moving: True where a pixel moves; sides are multiples of the patch size.
        first: the first pass, if it predicted.
    """
    tokens = token_masks(moving, network.config.patch_size).flatten(1)
    touched = tokens.any(dim=1).cpu().numpy()[graph.edges[:, 1]]
    statistics = StatisticsAccumulator(graph.frames)
    prediction = Gathered[PairPrediction](len(graph))
    for affected, masks in ((touched, tokens), (~touched, None)):
        for pairs in batches(np.flatnonzero(affected), execution):
            if masks is None and first is not None:
                predicted, means = select(first.prediction, pairs), select(first.key_means, pairs)
            else:
                predicted, means = network.predict(features, graph.edges[pairs], masks)
            statistics.add(means, graph.edges[pairs])
            prediction.put(pairs, predicted)
    return PassResult(statistics.finish(), prediction.result())


def match_pass(
    network: DUSt3R,
    features: FrameFeatures,
    graph: PairGraph,
    settings: Settings,
) -> TokenMatches:
    """Match of each token in the other image of its pairs, by attention that is not re-weighted."""
    layers = settings.motion.match_layers or tuple(range(network.config.decoder_depth))
    matches = []
    for edges in batches(graph.edges, settings.execution):
        recorder = MatchRecorder(features, layers, settings.motion.match_heads or None)
        decoded = islice(network.decode(features, edges), max(layers) + 1)
        for _ in recorder.watch(decoded):
            pass
        matches.append(recorder.result())
    return TokenMatches(
        np.concatenate([one.place for one in matches]),
        np.concatenate([one.certainty for one in matches]),
    )


def batches(pairs: np.ndarray, execution: ExecutionSettings) -> Iterator[np.ndarray]:
    """Edges or numbers of pairs, split into batches of `execution.pairs_per_batch`."""
    for start in range(0, len(pairs), execution.pairs_per_batch):
        yield pairs[start : start + execution.pairs_per_batch]


@contextmanager
def inference(settings: Settings) -> Iterator[None]:
    """Context without gradients; convolutions in float32 unless the settings lower precision."""
    lower = settings.model.precision == "bfloat16"
    with (
        torch.no_grad(),
        # torch lets convolutions round float32 to TF32 by default.
        torch.backends.cudnn.flags(enabled=True, allow_tf32=lower),
    ):
        yield


@contextmanager
def device_errors_named(network: DUSt3R, execution: ExecutionSettings) -> Iterator[None]:
    """Context that raises failures of the device as our own, transient errors.

    Raises:
        OutOfMemoryError: there was no memory left, the device's or the host's.
        DeviceFaultError: the device failed.
    """
    device = str(network.mask_token.device)
    try:
        with device_faults_named(device):
            yield
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        problem = f"out of memory with {execution.pairs_per_batch} pairs in flight"
        remedy = "Lower execution.pairs_per_batch, video.long_side_px or sampling.clip_frames"
        raise OutOfMemoryError(device, problem, remedy) from error


def _upload(images: Tensor, device: torch.device) -> Tensor:
    """Images on the device; from pinned memory, so that the host does not wait for a GPU."""
    if device.type == "cuda":
        images = images.pin_memory()
    return images.to(device, non_blocking=True)


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(words in str(error) for words in _OUT_OF_MEMORY)


class Gathered(Generic[PerPair]):
    """Collects values of all pairs batch by batch, in place, so that nothing is held twice.

    Args:
        pairs: number of pairs.
    """

    def __init__(self, pairs: int) -> None:
        self._pairs = pairs
        self._put = 0
        self._result: PerPair | None = None

    def put(self, pairs: Int64[np.ndarray, " batch"], values: PerPair) -> None:
        """Store the values of some pairs, each pair once."""
        if self._result is None:
            self._result = type(values)(
                *(part.new_empty(self._pairs, *part.shape[1:]) for part in _tensors(values))
            )
        for whole, part in zip(_tensors(self._result), _tensors(values), strict=True):
            whole[torch.as_tensor(pairs, device=whole.device)] = part
        self._put += len(pairs)

    def result(self) -> PerPair:
        """The values of all pairs.

        Raises:
            ValueError: not every pair was put.
        """
        if self._result is None or self._put != self._pairs:
            raise ValueError(f"{self._put} of {self._pairs} pairs were put")
        return self._result


def select(values: PerPair, pairs: Int64[np.ndarray, " batch"]) -> PerPair:
    """The values of some pairs."""
    parts = _tensors(values)
    return type(values)(*(part[torch.as_tensor(pairs, device=part.device)] for part in parts))


def _tensors(values: PerPair) -> list[Tensor]:
    return [getattr(values, field.name) for field in fields(values)]
