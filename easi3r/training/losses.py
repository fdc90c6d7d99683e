"""The terms of the training loss, each a function of predictions and ground truth.

Point regression with confidence is DUSt3R's (its paper, section 3.2); the ray and match terms are
what made small networks learn pose (docs/nano.md); the motion term supervises the numbers that
Easi3R reads (docs/method.md §3 and §4).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from easi3r.model import AttentionScores, DecoderLayer
from easi3r.tensors import KeyMeans, PairPrediction
from easi3r.training.batches import PAIRS, VIEWS, Batch
from easi3r.training.training_settings import LossWeights

MATCH_LAYERS = (0, 1)
MATCH_HEAD = 0
_EPSILON = 0.05  # keeps the logarithm of a factor of Easi3R's product, which is 0..1, tame
_CLASS_WEIGHTS = (0.5, 0.3, 0.2)  # tokens on moving solids, on static solids, on the room


@dataclass(frozen=True)
class Losses:
    """Terms of one batch, scalars; `total` is what is minimised."""

    points: Tensor
    ray: Tensor
    match: Tensor
    motion: Tensor
    total: Tensor


class MotionReader(nn.Module):
    """Turns attention statistics into logits: five numbers that training alone needs.

    Scales are positive, so the network cannot meet the loss with signs other than Easi3R's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor([1.0, 1.0, 0.0]))
        self.bias = nn.Parameter(torch.zeros(3))

    def logits(self, term: int, values: Tensor) -> Tensor:
        return self.log_scale[term].exp() * values + self.bias[term]


def all_losses(
    prediction: PairPrediction,
    layers: list[DecoderLayer],
    key_means: KeyMeans,
    reader: MotionReader,
    batch: Batch,
    weights: LossWeights,
    phase: int,
) -> Losses:
    """Every term and their weighted sum; `phase` selects the pixels of the geometry terms."""
    points, ray = geometry_losses(prediction, batch, weights.confidence, phase)
    match = match_loss(layers, batch)
    motion = motion_loss(key_means, reader, batch)
    total = points + weights.ray * ray + weights.match * match + weights.motion * motion
    return Losses(points, ray, match, motion, total)


def pair_truth(batch: Batch, pixels: tuple[slice, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """True points of both views in camera 1, and the pose of camera 2 in camera 1, per pair."""
    first, second = batch.edges.unbind(1)
    points = batch.points[pixels]
    pose = torch.linalg.inv(batch.camera_to_world[first]) @ batch.camera_to_world[second]
    turned = points[second] @ pose[:, None, :3, :3].transpose(-1, -2)
    return points[first], turned + pose[:, None, None, :3, 3], pose


def geometry_losses(
    prediction: PairPrediction, batch: Batch, confidence_weight: float, phase: int
) -> tuple[Tensor, Tensor]:
    """Confidence-weighted distance of scale-normalised points, and distance of unit rays.

    One pixel of every 2 x 2 counts, another one each phase (0..3): neighbours are redundant, and
    this is a fifth of a step's time on a CPU.

    Both point maps of a pair are divided by one number, the mean distance of their points from
    camera 1; the truth likewise. Rays are those from each point map's own, true camera.
    """
    thin = (slice(None), slice(phase // 2, None, 2), slice(phase % 2, None, 2))
    true_1, true_2, pose = pair_truth(batch, thin)
    points_1, points_2 = prediction.points_1[thin], prediction.points_2[thin]
    size, scale = _mean_distance(true_1, true_2), _mean_distance(points_1, points_2)
    true_1, true_2 = true_1 / size, true_2 / size
    points_1, points_2 = points_1 / scale, points_2 / scale
    terms = []
    for points, truth, confidence in (
        (points_1, true_1, prediction.confidence_1[thin]),
        (points_2, true_2, prediction.confidence_2[thin]),
    ):
        error = torch.linalg.vector_norm(points - truth, dim=-1)
        terms.append((confidence * error - confidence_weight * confidence.log()).mean())
    centre = pose[:, None, None, :3, 3] / size
    rays = _ray_distance(points_1, true_1) + _ray_distance(points_2 - centre, true_2 - centre)
    return terms[0] + terms[1], rays


def _mean_distance(points_1: Tensor, points_2: Tensor) -> Float[Tensor, "pairs 1 1 1"]:
    length = torch.linalg.vector_norm(torch.stack([points_1, points_2]), dim=-1)
    return length.mean(dim=(0, 2, 3))[:, None, None, None].clamp(min=1e-6)


def _ray_distance(points: Tensor, truth: Tensor) -> Tensor:
    difference = F.normalize(points, dim=-1) - F.normalize(truth, dim=-1)
    return (difference.square().sum(-1) + 1e-8).sqrt().mean()


def match_loss(layers: list[DecoderLayer], batch: Batch) -> Tensor:
    """Cross-entropy of one cross-attention head against the true place of each visible token."""
    rows, columns = batch.moving_share.shape[1:]
    target = soft_targets(batch.match, rows, columns)
    back = batch.other_way()
    terms = []
    for number in MATCH_LAYERS:
        layer = layers[number]
        terms.append(_cross_entropy(layer.decoder_1.scores, target, batch.match_valid))
        terms.append(_cross_entropy(layer.decoder_2.scores, target[back], batch.match_valid[back]))
    return torch.stack(terms).mean()


def match_logits(scores: AttentionScores) -> Float[Tensor, "pairs queries keys"]:
    """Logits of the head that matching supervises."""
    queries, keys = scores.queries[:, MATCH_HEAD], scores.keys[:, MATCH_HEAD]
    return (queries @ keys.transpose(-1, -2)).float() * scores.scale


def soft_targets(
    match: Float[Tensor, "pairs tokens 2"], rows: int, columns: int
) -> Float[Tensor, "pairs tokens keys"]:
    """Bilinear shares of the four tokens around each place, clamped to the grid."""
    column = match[..., 0].clamp(0, columns - 1)
    row = match[..., 1].clamp(0, rows - 1)
    of_column = _hat(column, columns)
    of_row = _hat(row, rows)
    return (of_row[..., :, None] * of_column[..., None, :]).flatten(-2)


def _hat(place: Tensor, count: int) -> Tensor:
    grid = torch.arange(count, device=place.device, dtype=place.dtype)
    return (1 - (place[..., None] - grid).abs()).clamp(min=0)


def _cross_entropy(
    scores: AttentionScores,
    target: Float[Tensor, "pairs tokens keys"],
    valid: Bool[Tensor, "pairs tokens"],
) -> Tensor:
    loss = -(target * match_logits(scores).log_softmax(-1)).sum(-1)
    return (loss * valid).sum() / valid.sum().clamp(min=1)


def motion_loss(key_means: KeyMeans, reader: MotionReader, batch: Batch) -> Tensor:
    """Motion term: where something moves, low key means in decoder 1, high ones in decoder 2.

    Three logistic terms: the channel-mean key means of each pair, one per decoder, and the log of
    Easi3R's product over the views of a scene. Moving solids, static solids and the room have
    fixed shares of the weight, so separating solids from the room does not minimise it.
    """
    source = key_means.decoder_1.mean(-1)
    reference = key_means.decoder_2.mean(-1)
    first, second = batch.edges.unbind(1)
    return (
        _logistic(reader.logits(0, -source), batch, second)
        + _logistic(reader.logits(1, reference), batch, first)
        + _logistic(
            reader.logits(2, log_product(key_means)),
            batch,
            torch.arange(len(batch.images), device=source.device),
        )
    ) / 3


def log_product(key_means: KeyMeans) -> Float[Tensor, "views rows columns"]:
    """Logarithm of Easi3R's product (docs/method.md §4, step 2) over each scene's four views."""
    factors = scene_statistics(key_means)
    signed = (1 - factors[0], factors[1], factors[2], 1 - factors[3])
    return torch.stack([(factor + _EPSILON).log() for factor in signed]).sum(0)


def scene_statistics(key_means: KeyMeans) -> Float[Tensor, "4 views rows columns"]:
    """Source and reference mean and std, each 0..1 within its scene (docs/method.md §4, step 1).

    Every view is in three pairs as image 1 and in three as image 2.
    """
    pairs = torch.from_numpy(PAIRS)
    stacks = []
    for values, place in ((key_means.decoder_1, 1), (key_means.decoder_2, 0)):
        scenes = values.unflatten(0, (-1, len(PAIRS)))
        of_view = torch.stack(
            [scenes[:, pairs[:, place] == view] for view in range(VIEWS)], dim=1
        )  # scenes, views, pairs of the view, rows, columns, channels
        stacks += [of_view.mean(2), of_view.std(2)]
    normalised = [_min_max(_min_max(stack).mean(-1)) for stack in stacks]
    return torch.stack([stack.flatten(0, 1) for stack in normalised])


def _min_max(values: Tensor) -> Tensor:
    flat = values.flatten(1)
    shape = (-1,) + (1,) * (values.ndim - 1)
    low, high = flat.amin(1).view(shape), flat.amax(1).view(shape)
    return (values - low) / (high - low + 1e-6)


def _logistic(logits: Float[Tensor, "maps rows columns"], batch: Batch, views: Tensor) -> Tensor:
    moving, still = batch.moving_share[views], batch.still_share[views]
    classes = (moving > 0.5, still > 0.5, moving + still == 0)
    total = logits.new_zeros(())
    for number, (member, weight) in enumerate(zip(classes, _CLASS_WEIGHTS, strict=True)):
        loss = F.softplus(-logits if number == 0 else logits)
        total = total + weight * (loss * member).sum() / member.sum().clamp(min=1)
    return total
