"""The method as docs/method.md describes it, without regard to cost: the baseline of benchmarks.

One pair at a time; both images encoded again for every pair, in both passes; both heads in both
passes; attention as queries x keys matrices, whose logits are averaged and whose weights are set to
zero. Only the parameters, and the segmentation (docs/method.md §4), are shared with the package.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from easi3r.attention import cluster_tokens, segment, token_masks
from easi3r.config import SegmentationSettings
from easi3r.model import DUSt3R
from easi3r.tensors import (
    AttentionStatistics,
    DynamicMasks,
    FrameFeatures,
    PairGraph,
    PairPrediction,
)


@dataclass(frozen=True)
class NaiveResult:
    """Output of both passes of a clip.

    Attributes:
        steering: masks of pass 1, which re-weight pass 2.
        statistics, masks, prediction: of pass 2, pairs in the order of the graph.
    """

    steering: DynamicMasks
    statistics: AttentionStatistics
    masks: DynamicMasks
    prediction: PairPrediction


@dataclass(frozen=True)
class _Pair:
    """One run of the network: features (tokens, channels), raw heads and means of the logits."""

    features_1: Tensor
    features_2: Tensor
    points_1: Tensor
    points_2: Tensor
    confidence_1: Tensor
    confidence_2: Tensor
    means_1: Tensor
    means_2: Tensor


@torch.no_grad()
def annotate(
    network: DUSt3R, images: Tensor, graph: PairGraph, settings: SegmentationSettings
) -> NaiveResult:
    """Both passes over all pairs of a clip.

    Args:
        network: float32; its parameters are used, none of its forward code.
        images: RGB 0..255, (frames, height, width, 3); sides are multiples of the patch.
    """
    height, width = images.shape[1:3]
    first = _run(network, images, graph, None)
    clusters = cluster_tokens(_features(network, first, graph, height, width), settings)
    steering = segment(_statistics(network, first, graph, width), clusters, height, width)
    second = _run(network, images, graph, token_masks(steering.mask, network.config.patch_size))
    statistics = _statistics(network, second, graph, width)
    prediction = PairPrediction(
        *(
            torch.stack([getattr(pair, name) for pair in second])
            for name in ("points_1", "points_2", "confidence_1", "confidence_2")
        )
    )
    masks = segment(statistics, clusters, height, width)
    return NaiveResult(steering, statistics, masks, prediction)


def _run(network: DUSt3R, images: Tensor, graph: PairGraph, dynamic: Tensor | None) -> list[_Pair]:
    """Every pair, one at a time, everything computed for it alone."""
    pairs = []
    for a, b in graph.edges.tolist():
        hidden = None
        if dynamic is not None:  # dynamic keys from static queries
            hidden = ~dynamic[a].flatten()[:, None] & dynamic[b].flatten()[None, :]
        pairs.append(_pair(network, images[a], images[b], hidden))
    return pairs


def _pair(network: DUSt3R, image_1: Tensor, image_2: Tensor, hidden: Tensor | None) -> _Pair:
    rows, columns = (side // network.config.patch_size for side in image_1.shape[:2])
    grid = (torch.arange(side, device=image_1.device) for side in (rows, columns))
    positions = torch.cartesian_prod(*grid)
    features_1 = _encode(network, image_1, positions)
    features_2 = _encode(network, image_2, positions)
    hooked_1, hooked_2 = [features_1], [features_2]
    means_1, means_2 = [], []
    x1, x2 = network.decoder_embed(features_1), network.decoder_embed(features_2)
    for block_1, block_2 in zip(network.dec_blocks, network.dec_blocks2, strict=True):
        new_1, logits_1 = _decoder_block(block_1, x1, x2, positions, hidden)
        new_2, logits_2 = _decoder_block(block_2, x2, x1, positions, None)
        x1, x2 = new_1, new_2
        means_1.append(logits_1.mean(dim=1))
        means_2.append(logits_2.mean(dim=1))
        hooked_1.append(x1)
        hooked_2.append(x2)
    hooked_1[-1], hooked_2[-1] = network.dec_norm(x1), network.dec_norm(x2)
    points_1, confidence_1 = _regress(network.downstream_head1, hooked_1, rows, columns)
    points_2, confidence_2 = _regress(network.downstream_head2, hooked_2, rows, columns)
    return _Pair(
        features_1,
        features_2,
        points_1,
        points_2,
        confidence_1,
        confidence_2,
        torch.cat(means_1).T,
        torch.cat(means_2).T,
    )


def _encode(network: DUSt3R, image: Tensor, positions: Tensor) -> Tensor:
    pixels = image.permute(2, 0, 1)[None].float() / 127.5 - 1
    x = network.patch_embed.proj(pixels)[0].flatten(1).T
    for block in network.enc_blocks:
        x = x + _self_attention(block.attn, block.norm1(x), positions)
        x = x + _mlp(block.mlp, block.norm2(x))
    return network.enc_norm(x)


def _decoder_block(
    block: Any, x: Tensor, y: Tensor, positions: Tensor, hidden: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The stream after a block, and its cross-attention's logits (heads, queries, keys)."""
    x = x + _self_attention(block.attn, block.norm1(x), positions)
    y, layer = block.norm_y(y), block.cross_attn
    q = _rotate(_heads(layer.projq(block.norm2(x)), layer.heads), positions)
    k = _rotate(_heads(layer.projk(y), layer.heads), positions)
    v = _heads(layer.projv(y), layer.heads)
    logits = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
    weights = logits.softmax(dim=-1)
    if hidden is not None:
        weights = weights.masked_fill(hidden, 0.0)
    x = x + layer.proj((weights @ v).transpose(0, 1).flatten(1))
    return x + _mlp(block.mlp, block.norm3(x)), logits


def _self_attention(layer: Any, x: Tensor, positions: Tensor) -> Tensor:
    q, k, v = (_heads(part, layer.heads) for part in layer.qkv(x).chunk(3, dim=-1))
    q, k = _rotate(q, positions), _rotate(k, positions)
    weights = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(dim=-1)
    return layer.proj((weights @ v).transpose(0, 1).flatten(1))


def _mlp(layer: Any, x: Tensor) -> Tensor:
    return layer.fc2(functional.gelu(layer.fc1(x)))


def _heads(x: Tensor, heads: int) -> Tensor:
    """(tokens, channels) to (heads, tokens, channels of a head)."""
    return x.reshape(len(x), heads, -1).transpose(0, 1)


def _rotate(x: Tensor, positions: Tensor) -> Tensor:
    """Row angles on the first half of the channels, column angles on the second."""
    halves = []
    for part, position in zip(x.chunk(2, dim=-1), positions.T, strict=True):
        channels = part.shape[-1]
        frequencies = 100.0 ** (-torch.arange(0, channels, 2, device=x.device) / channels)
        angles = torch.outer(position.float(), frequencies).repeat(1, 2)
        u, v = part.chunk(2, dim=-1)
        halves.append(part * angles.cos() + torch.cat([-v, u], dim=-1) * angles.sin())
    return torch.cat(halves, dim=-1)


def _regress(head: Any, hooked: list[Tensor], rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Points (height, width, 3) and confidences of one image."""
    if hasattr(head, "dpt"):
        maps = [hooked[hook].T.reshape(1, -1, rows, columns) for hook in (0, *head.hooks)]
        raw = _dense_prediction(head.dpt, maps)[0]
    else:
        raw = functional.pixel_shuffle(
            head.proj(hooked[-1]).T.reshape(1, -1, rows, columns), head.patch_size
        )[0]
    vectors = raw[:3].permute(1, 2, 0)
    distance = vectors.norm(dim=-1, keepdim=True)
    return vectors / distance * torch.expm1(distance), 1 + raw[3].exp()


def _dense_prediction(dpt: Any, maps: list[Tensor]) -> Tensor:
    levels = [level(x) for level, x in zip(dpt.act_postprocess, maps, strict=True)]
    scratch, x = dpt.scratch, None
    steps = (scratch.refinenet1, scratch.refinenet2, scratch.refinenet3, scratch.refinenet4)
    for level, layer, step in reversed(list(zip(levels, scratch.layer_rn, steps, strict=True))):
        skip = layer(level)
        if x is None:
            x = skip
        else:
            height, width = skip.shape[-2:]
            x = x[..., :height, :width] + _residual_unit(step.resConfUnit1, skip)
        x = step.out_conv(_upsample(_residual_unit(step.resConfUnit2, x)))
    x = dpt.head[2](_upsample(dpt.head[0](x)))
    return dpt.head[4](functional.relu(x))


def _residual_unit(unit: Any, x: Tensor) -> Tensor:
    return x + unit.conv2(functional.relu(unit.conv1(functional.relu(x))))


def _upsample(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


def _features(
    network: nn.Module, pairs: list[_Pair], graph: PairGraph, height: int, width: int
) -> FrameFeatures:
    """Encoder features of every frame, as whichever pair computed them."""
    patch = network.config.patch_size
    of_frame = {
        a: pair.features_1 for (a, _), pair in zip(graph.edges.tolist(), pairs, strict=True)
    }
    tokens = torch.stack([of_frame[frame] for frame in range(graph.frames)])
    return FrameFeatures(tokens, height // patch, width // patch)


def _statistics(
    network: nn.Module, pairs: list[_Pair], graph: PairGraph, width: int
) -> AttentionStatistics:
    """All maps of each frame, stacked (docs/method.md §3)."""
    columns = width // network.config.patch_size
    source: list[list[Tensor]] = [[] for _ in range(graph.frames)]
    reference: list[list[Tensor]] = [[] for _ in range(graph.frames)]
    for (a, b), pair in zip(graph.edges.tolist(), pairs, strict=True):
        for maps, means in ((source[b], pair.means_1), (reference[a], pair.means_2)):
            image = means.reshape(-1, columns, means.shape[-1]).clone()
            image[0, 0] = (image[0, 1] + image[1, 0]) / 2  # the attention sink
            maps.append(image)
    moments = [
        torch.stack([moment(torch.stack(maps)) for maps in stacks])
        for stacks in (source, reference)
        for moment in (_mean, _std)
    ]
    return AttentionStatistics(*moments)


def _mean(maps: Tensor) -> Tensor:
    return maps.mean(dim=0)


def _std(maps: Tensor) -> Tensor:
    return maps.std(dim=0) if len(maps) > 1 else torch.zeros_like(maps[0])
