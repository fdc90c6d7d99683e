"""Each term of the loss has its minimum at the truth."""

import dataclasses

import pytest
import torch

from easi3r.synthetic import MoverSettings, SceneSettings, render, sample_scene
from easi3r.tensors import KeyMeans, PairPrediction
from easi3r.training.batches import VIEWS, Batch, make_batch
from easi3r.training.losses import (
    MotionReader,
    geometry_losses,
    motion_loss,
    pair_truth,
    scene_statistics,
)


@pytest.fixture(scope="module")
def batch() -> Batch:
    """A scene in which something moves in view."""
    movers = MoverSettings(static_scene_probability=0.0)
    settings = SceneSettings(frames=VIEWS, height=48, width=64, movers=movers)
    made = (make_batch([render(sample_scene(seed, settings))], patch=8) for seed in range(50))
    return next(b for b in made if (b.moving_share > 0.5).sum() > 8 and (b.still_share > 0.5).any())


def perfect(batch: Batch, scale: float) -> PairPrediction:
    points_1, points_2, _ = pair_truth(batch, (slice(None),))
    confidence = torch.full(points_1.shape[:3], 3.0)
    return PairPrediction(scale * points_1, scale * points_2, confidence, confidence)


def test_geometry_loss_of_the_truth_is_zero_at_any_scale(batch: Batch) -> None:
    reward = -2 * torch.tensor(3.0).log()
    for scale in (0.2, 1.0, 5.0):
        points, ray = geometry_losses(perfect(batch, scale), batch, 1.0, phase=1)
        torch.testing.assert_close(points, reward, atol=1e-4, rtol=0)
        assert ray < 1e-3


def test_a_rotated_second_view_raises_the_ray_and_point_losses(batch: Batch) -> None:
    right = perfect(batch, 1.0)
    turn = torch.tensor([[0.995, 0.0, 0.0998], [0.0, 1.0, 0.0], [-0.0998, 0.0, 0.995]])
    wrong = dataclasses.replace(right, points_2=right.points_2 @ turn)
    points, ray = geometry_losses(right, batch, 1.0, phase=0)
    worse_points, worse_ray = geometry_losses(wrong, batch, 1.0, phase=0)
    assert worse_points > points + 0.1
    assert 0.05 < worse_ray - ray < 0.15  # the turn is 0.1 radian


def key_means(batch: Batch, source: torch.Tensor, reference: torch.Tensor) -> KeyMeans:
    first, second = batch.edges.unbind(1)
    return KeyMeans(source[second][..., None], reference[first][..., None])


def test_motion_loss_wants_low_key_means_in_decoder_1_and_high_in_decoder_2(batch: Batch) -> None:
    moving = batch.moving_share * 4
    reader = MotionReader()
    right = motion_loss(key_means(batch, -moving, moving), reader, batch)
    wrong = motion_loss(key_means(batch, moving, -moving), reader, batch)
    blind = motion_loss(key_means(batch, 0 * moving, 0 * moving), reader, batch)
    assert right < blind < wrong


def test_marking_every_solid_does_not_minimise_the_motion_loss(batch: Batch) -> None:
    moving, solid = batch.moving_share * 4, (batch.moving_share + batch.still_share) * 4
    reader = MotionReader()
    motion = motion_loss(key_means(batch, -moving, moving), reader, batch)
    appearance = motion_loss(key_means(batch, -solid, solid), reader, batch)
    assert appearance > motion + 0.1


def test_statistics_gather_the_pairs_of_each_view(batch: Batch) -> None:
    """With key means that name the view they are of, means keep its order, and stds are zero."""
    rows, columns = batch.moving_share.shape[1:]
    named = torch.arange(float(VIEWS))[:, None, None].expand(VIEWS, rows, columns)
    source_mean, source_std, reference_mean, _ = scene_statistics(key_means(batch, named, named))
    expected = torch.tensor([0, 1 / 3, 2 / 3, 1])
    for mean in (source_mean, reference_mean):
        torch.testing.assert_close(mean[:, 0, 0], expected, atol=1e-4, rtol=0)
    assert source_std.abs().max() == 0
