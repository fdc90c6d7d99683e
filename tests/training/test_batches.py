"""Batches are a function of seed and step, and their ground truth agrees with geometry."""

import numpy as np
import torch

from easi3r.synthetic import SceneSettings, render, sample_scene
from easi3r.training.batches import PAIRS, VIEWS, Batch, make_batch, training_batch
from easi3r.training.losses import pair_truth, soft_targets
from easi3r.training.training_settings import TrainingSettings


def batch_of(seed: int) -> Batch:
    settings = SceneSettings(frames=VIEWS, height=48, width=64)
    return make_batch([render(sample_scene(seed, settings))], patch=8)


def test_a_batch_is_a_function_of_seed_and_step(tiny: TrainingSettings) -> None:
    once, again, next_one = (training_batch(tiny, step) for step in (6, 6, 8))
    for name, value in vars(once).items():
        torch.testing.assert_close(value, getattr(again, name), rtol=0, atol=0, msg=name)
    assert once.images.shape == next_one.images.shape == (2 * VIEWS, 24, 32, 3)
    assert (once.images != next_one.images).any()


def test_another_seed_gives_other_scenes(tiny: TrainingSettings) -> None:
    other = tiny.model_copy(update={"seed": 1})
    assert (training_batch(tiny, 0).images != training_batch(other, 0).images).any()


def test_sizes_and_rates_take_turns(tiny: TrainingSettings) -> None:
    assert [tiny.scene_settings(step).width for step in range(4)] == [32, 24, 32, 24]
    assert [tiny.scene_settings(step).frames_per_second for step in range(3)] == [12, 6, 12]


def test_every_pair_has_its_reverse() -> None:
    batch = batch_of(1)
    back = batch.other_way()
    torch.testing.assert_close(batch.edges[back], batch.edges.flip(1))


def test_true_points_of_view_2_are_in_the_axes_of_camera_1() -> None:
    batch = batch_of(2)
    points_1, points_2, _ = pair_truth(batch, (slice(None),))
    for place, (a, b) in enumerate(PAIRS):
        pose_a, pose_b = batch.camera_to_world[a].numpy(), batch.camera_to_world[b].numpy()
        world = batch.points[b].numpy() @ pose_b[:3, :3].T + pose_b[:3, 3]
        seen = (world - pose_a[:3, 3]) @ pose_a[:3, :3]
        np.testing.assert_allclose(points_2[place], seen, atol=1e-4)
        torch.testing.assert_close(points_1[place], batch.points[a])


def test_matches_of_static_tokens_are_their_reprojections() -> None:
    batch = batch_of(3)
    _, points_2, _ = pair_truth(batch, (slice(None),))
    focal = float(batch.intrinsics[0, 0, 0])
    back = batch.other_way()
    still = batch.moving_share.flatten(1) == 0
    checked = 0
    for place, (_, b) in enumerate(PAIRS):
        centres = points_2[place, 4::8, 4::8].reshape(-1, 3)
        pixel = centres[:, :2] / centres[:, 2:] * focal + torch.tensor([32.0, 24.0])
        expected, actual = (pixel - 4) / 8, batch.match[back[place]]
        used = batch.match_valid[back[place]] & still[b]
        torch.testing.assert_close(actual[used], expected[used], atol=1e-3, rtol=0)
        checked += int(used.sum())
    assert checked > 200


def test_soft_targets_share_between_the_nearest_tokens() -> None:
    match = torch.tensor([[[1.25, 0.0], [2.0, 1.5], [-4.0, 9.0]]])
    target = soft_targets(match, rows=3, columns=4).reshape(3, 3, 4)
    assert target[0, 0].tolist() == [0, 0.75, 0.25, 0]
    assert target[1, :, 2].tolist() == [0, 0.5, 0.5]
    assert target[2, 2, 0] == 1
    torch.testing.assert_close(target.sum(dim=(1, 2)), torch.ones(3))
