"""The network over all pairs of a clip, in batches: features, attention statistics, predictions."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from easi3r.attention import StatisticsAccumulator, token_masks
from easi3r.config import ExecutionSettings, Settings
from easi3r.errors import OutOfMemoryError
from easi3r.model import DUSt3R, MatchRecorder, normalise
from easi3r.tensors import AttentionStatistics, FrameFeatures, PairGraph, PairPrediction
from easi3r.types import Frames, TokenMatches


@dataclass(frozen=True)
class PassResult:
    """What one pass over all pairs of a clip gave, pairs in the order of the graph."""

    statistics: AttentionStatistics
    prediction: PairPrediction


def encode(network: DUSt3R, frames: Frames, execution: ExecutionSettings) -> FrameFeatures:
    """Features of all frames; a pair in flight is two frames, so as many frames as two per pair."""
    device = network.mask_token.device
    images = torch.from_numpy(frames.images)
    parts = [
        network.encode(normalise(batch.to(device)))
        for batch in images.split(2 * execution.pairs_per_batch)
    ]
    tokens = torch.cat([part.tokens for part in parts])
    return FrameFeatures(tokens, parts[0].rows, parts[0].columns)


def attention_pass(
    network: DUSt3R, features: FrameFeatures, graph: PairGraph, execution: ExecutionSettings
) -> AttentionStatistics:
    """Statistics of the first pass alone: no heads, no last layer (METHOD section 3)."""
    statistics = StatisticsAccumulator(graph.frames)
    for edges in batches(graph, execution):
        statistics.add(network.key_means(features, edges), edges)
    return statistics.finish()


def full_pass(
    network: DUSt3R,
    features: FrameFeatures,
    graph: PairGraph,
    execution: ExecutionSettings,
    moving: Bool[Tensor, "frames height width"] | None = None,
) -> PassResult:
    """Statistics and predictions; with masks of what moves, the second pass (METHOD section 5)."""
    tokens = None
    if moving is not None:
        tokens = token_masks(moving, network.config.patch_size).flatten(1)
    statistics = StatisticsAccumulator(graph.frames)
    predictions = []
    for edges in batches(graph, execution):
        prediction, key_means = network.predict(features, edges, tokens)
        statistics.add(key_means, edges)
        predictions.append(prediction)
    return PassResult(statistics.finish(), _concatenate(predictions))


def match_pass(
    network: DUSt3R,
    features: FrameFeatures,
    graph: PairGraph,
    settings: Settings,
) -> TokenMatches:
    """Where attention finds each token in the other image of its pairs, nothing re-weighted."""
    layers = settings.motion.match_layers or tuple(range(network.config.decoder_depth))
    found = []
    for edges in batches(graph, settings.execution):
        recorder = MatchRecorder(features, layers, settings.motion.match_heads or None)
        decoded = islice(network.decode(features, edges), max(layers) + 1)
        for _ in recorder.watch(decoded):
            pass
        found.append(recorder.result())
    return TokenMatches(
        np.concatenate([one.place for one in found]),
        np.concatenate([one.certainty for one in found]),
    )


def batches(graph: PairGraph, execution: ExecutionSettings) -> Iterator[np.ndarray]:
    """The edges of the graph, as many at a time as may be in flight."""
    for start in range(0, len(graph), execution.pairs_per_batch):
        yield graph.edges[start : start + execution.pairs_per_batch]


@contextmanager
def inference(network: DUSt3R, settings: Settings) -> Iterator[None]:
    """No gradients, and exactly the precision asked for."""
    device = network.mask_token.device
    lower = settings.model.precision == "bfloat16"
    with (
        torch.no_grad(),
        torch.autocast(device.type, torch.bfloat16, enabled=lower),
        # torch lets convolutions round float32 to TF32 unless told otherwise.
        torch.backends.cudnn.flags(enabled=True, allow_tf32=lower),
    ):
        yield


@contextmanager
def out_of_memory_named(network: DUSt3R, execution: ExecutionSettings) -> Iterator[None]:
    """Running out of device memory as our own, transient error."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        problem = f"out of memory with {execution.pairs_per_batch} pairs in flight"
        remedy = "Lower execution.pairs_per_batch, video.long_side_px or sampling.clip_frames"
        raise OutOfMemoryError(str(network.mask_token.device), problem, remedy) from error


def _concatenate(predictions: list[PairPrediction]) -> PairPrediction:
    return PairPrediction(
        points_1=torch.cat([p.points_1 for p in predictions]),
        points_2=torch.cat([p.points_2 for p in predictions]),
        confidence_1=torch.cat([p.confidence_1 for p in predictions]),
        confidence_2=torch.cat([p.confidence_2 for p in predictions]),
    )
