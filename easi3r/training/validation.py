"""Figures on held-out scenes, each beside a baseline that uses no network.

Every scene comes with its frozen look-alike (`Scene.freeze`): a score that is as high on objects
that could move but do not follows appearance, not motion.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from easi3r.model import DUSt3R, KeyMeansRecorder, normalise
from easi3r.synthetic import render, sample_scene
from easi3r.tensors import KeyMeans, PairPrediction
from easi3r.training.batches import Batch, draw_views, make_batch
from easi3r.training.losses import (
    MATCH_LAYERS,
    log_product,
    match_logits,
    pair_truth,
    scene_statistics,
)
from easi3r.training.training_settings import TrainingSettings

HELD_OUT_SEEDS = 500_000  # below every training seed
_WHOLE = (slice(None),)
_MOVED_M = 0.01  # a shorter translation has no direction to speak of


@dataclass(frozen=True)
class Figures:
    """Means or medians over held-out scenes; degrees where angles.

    Attributes:
        abs_rel, abs_rel_constant: relative depth error of view 1 after median scaling, and that
            of one constant depth per view.
        rotation, rotation_identity: median error of the pair's rotation (PnP on the second point
            map, true intrinsics), and of taking none.
        direction: median angle between estimated and true translation (chance: 90), of the pairs
            whose camera moved.
        match: share of visible tokens whose strongest key is the true one.
        match_chance: the same if every token matched its own place.
        auc: of Easi3R's product, tokens on moving solids against all others, moving scenes.
        auc_object: the same against tokens on static solids only (chance: 0.5).
        auc_frozen: tokens of the same solids against all others when nothing moves: what `auc`
            owes to appearance.
        auc_object_frozen: the same against tokens on the other solids (0.5 if fair).
        auc_source_mean .. auc_reference_std: each factor of the product alone, as Easi3R signs it.
        auc_object_source_mean, auc_object_reference_mean: the two means against static solids.
        confidence: mean of view 1's.
    """

    abs_rel: float
    abs_rel_constant: float
    rotation: float
    rotation_identity: float
    direction: float
    match: float
    match_chance: float
    auc: float
    auc_object: float
    auc_frozen: float
    auc_object_frozen: float
    auc_source_mean: float
    auc_source_std: float
    auc_reference_mean: float
    auc_reference_std: float
    auc_object_source_mean: float
    auc_object_reference_mean: float
    confidence: float


@dataclass(frozen=True)
class HeldOut:
    """Batches of one scene each, and their frozen look-alikes.

    `moving_share` of a look-alike marks the solids that move in the scene it is the twin of.
    """

    scenes: list[Batch]
    frozen: list[Batch]

    @classmethod
    def render(cls, settings: TrainingSettings, scenes: int) -> "HeldOut":
        """The first held-out scenes, whatever the seed of the run; fields of view all alike."""
        moving, frozen = [], []
        patch = settings.model.patch_size
        for seed in range(HELD_OUT_SEEDS, HELD_OUT_SEEDS + scenes):
            views = draw_views(sample_scene(seed, settings.scene_settings(0)), seed)
            moving.append(make_batch([render(views)], patch))
            still = render(views.freeze())
            would_move = np.append(views.moving, False)[still.solid]
            frozen.append(make_batch([replace(still, dynamic_mask=would_move)], patch))
        return cls(moving, frozen)


def validate(network: DUSt3R, held_out: HeldOut, device: torch.device) -> Figures:
    """Runs the network, in float32, over all ordered pairs of every scene."""
    geometry, products, frozen_products = [], [], []
    for batch, still in zip(held_out.scenes, held_out.frozen, strict=True):
        prediction, key_means, matched = _run(network, batch, device)
        geometry.append([*_depth(prediction, batch), *_pose(prediction, batch), *matched])
        geometry[-1].append(float(prediction.confidence_1.mean()))
        products.append(_motion_scores(key_means))
        frozen_products.append(_motion_scores(_run(network, still, device)[1]))
    columns = np.array(geometry, dtype=object).T
    error, identity, direction = (np.concatenate(list(column)) for column in columns[2:5])
    motion = _motion(held_out, torch.stack(products), torch.stack(frozen_products))
    return Figures(
        abs_rel=float(columns[0].mean()),
        abs_rel_constant=float(columns[1].mean()),
        rotation=float(np.median(error)),
        rotation_identity=float(np.median(identity)),
        direction=float(np.nanmedian(direction)),
        match=float(columns[5].mean()),
        match_chance=float(columns[6].mean()),
        confidence=float(columns[7].mean()),
        **motion,
    )


@torch.no_grad()
def _run(
    network: DUSt3R, batch: Batch, device: torch.device
) -> tuple[PairPrediction, KeyMeans, tuple[float, float]]:
    edges = batch.edges.numpy()
    features = network.encode(normalise(batch.images.to(device)))
    recorder = KeyMeansRecorder(features)
    layers = list(recorder.watch(network.decode(features, edges)))
    prediction = network.regress(features, edges, layers)
    guess = match_logits(layers[MATCH_LAYERS[-1]].decoder_1.scores).argmax(-1).cpu()
    rows, columns = batch.moving_share.shape[1:]
    own = torch.arange(rows * columns).expand_as(guess)
    matched = (_near(guess, batch, columns), _near(own, batch, columns))
    on_host = PairPrediction(**{name: value.cpu() for name, value in vars(prediction).items()})
    means = KeyMeans(**{name: value.cpu() for name, value in vars(recorder.result()).items()})
    return on_host, means, matched


def _near(guess: Tensor, batch: Batch, columns: int) -> float:
    place = torch.stack([guess % columns, guess // columns], dim=-1)
    close = ((place - batch.match).abs() <= 0.5).all(-1)
    return float(close[batch.match_valid].float().mean())


def _depth(prediction: PairPrediction, batch: Batch) -> tuple[float, float]:
    truth = batch.points[batch.edges[:, 0]][..., 2].flatten(1)
    depth = prediction.points_1[..., 2].flatten(1)
    middle = truth.median(1, keepdim=True).values
    scaled = depth * (middle / depth.median(1, keepdim=True).values)
    relative = [((guess - truth).abs() / truth).mean() for guess in (scaled, middle)]
    return float(relative[0]), float(relative[1])


def _pose(prediction: PairPrediction, batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors of rotation, of no rotation, and of the direction of translation, per pair."""
    _, _, poses = pair_truth(batch, _WHOLE)
    height, width = prediction.confidence_2.shape[1:]
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float64)
    points = prediction.points_2.double().numpy()
    errors = []
    for points_2, pose, edge in zip(points, poses.double().numpy(), batch.edges, strict=True):
        estimate = _solve_pnp(
            points_2[::3, ::3].reshape(-1, 3),
            pixels[::3, ::3].reshape(-1, 2),
            batch.intrinsics[edge[1]].double().numpy(),
        )
        turned = estimate[:3, :3].T @ pose[:3, :3]
        errors.append((_angle(turned), _angle(pose[:3, :3]), _direction(estimate, pose)))
    rotation, identity, direction = np.array(errors).T
    return rotation, identity, direction


def _solve_pnp(points: np.ndarray, pixels: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Camera-to-points pose by PnP with RANSAC; identity where it fails."""
    cv2.setRNGSeed(0)
    solved, turn, shift, _ = cv2.solvePnPRansac(
        points, pixels, intrinsics, None, iterationsCount=50, reprojectionError=2.0
    )
    pose = np.eye(4)
    if solved:
        pose[:3, :3] = cv2.Rodrigues(turn)[0]
        pose[:3, 3] = shift[:, 0]
    return np.linalg.inv(pose)


def _direction(estimate: np.ndarray, pose: np.ndarray) -> float:
    """Degrees between two translations; nan where the camera stayed in place."""
    moved = np.linalg.norm(pose[:3, 3])
    if moved < _MOVED_M:
        return float("nan")
    cosine = estimate[:3, 3] @ pose[:3, 3] / moved
    return _degrees(cosine / (np.linalg.norm(estimate[:3, 3]) + 1e-12))


def _angle(rotation: np.ndarray) -> float:
    return _degrees((np.trace(rotation) - 1) / 2)


def _degrees(cosine: float) -> float:
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _motion_scores(key_means: KeyMeans) -> Float[Tensor, "5 views rows columns"]:
    """Easi3R's product and its four factors, signed so that moving is high."""
    source_mean, source_std, reference_mean, reference_std = scene_statistics(key_means)
    factors = [1 - source_mean, source_std, reference_mean, 1 - reference_std]
    return torch.stack([log_product(key_means), *factors])


def _motion(
    held_out: HeldOut,
    scores: Float[Tensor, "scenes 5 views rows columns"],
    frozen: Float[Tensor, "scenes 5 views rows columns"],
) -> dict[str, float]:
    """Areas under the curve over the tokens of the scenes in which something visible moves."""
    twins = (_Labels.of(held_out.scenes), scores), (_Labels.of(held_out.frozen), frozen)
    (labels, scores), (labels_frozen, frozen) = twins
    return {
        "auc": labels.auc(scores[:, 0]),
        "auc_object": labels.auc_object(scores[:, 0]),
        "auc_frozen": labels_frozen.auc(frozen[:, 0]),
        "auc_object_frozen": labels_frozen.auc_object(frozen[:, 0]),
        "auc_source_mean": labels.auc(scores[:, 1]),
        "auc_source_std": labels.auc(scores[:, 2]),
        "auc_reference_mean": labels.auc(scores[:, 3]),
        "auc_reference_std": labels.auc(scores[:, 4]),
        "auc_object_source_mean": labels.auc_object(scores[:, 1]),
        "auc_object_reference_mean": labels.auc_object(scores[:, 3]),
    }


@dataclass(frozen=True)
class _Labels:
    """Which tokens show moving solids, static solids, or none that moves."""

    moves: Bool[Tensor, "scenes views rows columns"]
    rests: Bool[Tensor, "scenes views rows columns"]
    other: Bool[Tensor, "scenes views rows columns"]

    @classmethod
    def of(cls, batches: list[Batch]) -> "_Labels":
        moving = torch.stack([batch.moving_share for batch in batches])
        still = torch.stack([batch.still_share for batch in batches])
        used = (moving > 0.5).flatten(1).any(1)[:, None, None, None]
        return cls((moving > 0.5) & used, (still > 0.5) & used, (moving == 0) & used)

    def auc(self, score: Float[Tensor, "scenes views rows columns"]) -> float:
        return _auc(score, self.moves, self.other)

    def auc_object(self, score: Float[Tensor, "scenes views rows columns"]) -> float:
        return _auc(score, self.moves, self.rests)


def _auc(score: Tensor, positive: Tensor, negative: Tensor) -> float:
    if not positive.any() or not negative.any():
        return float("nan")
    # Imported here: scikit-learn takes a second to import.
    from sklearn.metrics import roc_auc_score

    used = (positive | negative).numpy()
    return float(roc_auc_score(positive.numpy()[used], score.numpy()[used]))
