"""The truth of a rendered clip agrees with itself, frame to frame."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.synthetic import MoverSettings, RenderedClip, SceneSettings, render, sample_scene

SMALL = SceneSettings(frames=4, height=48, width=64)
SEEDS = st.integers(0, 400_000)
examples = settings(max_examples=6, deadline=None, derandomize=True)


def clip_of(seed: int) -> RenderedClip:
    return render(sample_scene(seed, SMALL))


def seen_from(
    clip: RenderedClip, points: np.ndarray, frame: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nearest column and row, and depth, of world points in a frame."""
    pose = clip.camera_to_world[frame]
    camera = (points - pose[:3, 3]) @ pose[:3, :3]
    z = np.where(np.abs(camera[:, 2]) < 1e-6, 1e-6, camera[:, 2])
    pixel = camera @ clip.intrinsics[frame].T / z[:, None]
    return np.rint(pixel[:, 0]).astype(int), np.rint(pixel[:, 1]).astype(int), camera[:, 2]


@examples
@given(seed=SEEDS)
def test_back_projected_depth_is_the_point_map(seed: int) -> None:
    clip = clip_of(seed)
    height, width = clip.depth.shape[1:]
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    for frame in range(len(clip)):
        rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(clip.intrinsics[frame]).T
        pose = clip.camera_to_world[frame]
        world = rays * clip.depth[frame, ..., None] @ pose[:3, :3].T + pose[:3, 3]
        np.testing.assert_allclose(clip.point_map[frame], world, atol=2e-5, rtol=2e-6)


@examples
@given(seed=SEEDS)
def test_static_points_reproject_to_their_depth_in_other_frames(seed: int) -> None:
    clip = clip_of(seed)
    static = ~clip.dynamic_mask[0]
    column, row, z = inner_pixels(clip, clip.point_map[0][static], frame=3)
    if len(z) < 200:
        return
    nearest, farthest = depth_around(clip, column, row, frame=3)
    assert (z >= nearest * 0.97).mean() > 0.98  # else the frame sees through the point
    assert ((z >= nearest * 0.97) & (z <= farthest * 1.03)).mean() > 0.5


@examples
@given(seed=SEEDS)
def test_moving_points_follow_their_solid(seed: int) -> None:
    clip = clip_of(seed)
    for solid in np.unique(clip.solid[0][clip.dynamic_mask[0]]):
        motion = clip.solid_to_world[2, solid] @ np.linalg.inv(clip.solid_to_world[0, solid])
        assert np.abs(motion - np.eye(4)).max() > 0.01
        points = clip.point_map[0][clip.solid[0] == solid] @ motion[:3, :3].T + motion[:3, 3]
        column, row, z = inner_pixels(clip, points, frame=2)
        if len(z) >= 20:
            nearest, _ = depth_around(clip, column, row, frame=2)
            assert (z >= nearest * 0.97).mean() > 0.98


def test_stretching_solids_are_followed_too() -> None:
    """Points of a solid whose map is no rotation land on the same solid in another frame."""
    lively = SMALL.model_copy(update={"movers": MoverSettings(visible=(2, 4))})
    checked = 0
    for seed in range(20):
        clip = render(sample_scene(seed, lively))
        for solid in np.flatnonzero(clip.moving):
            carry = clip.solid_to_world[1, solid] @ np.linalg.inv(clip.solid_to_world[0, solid])
            lengths = np.linalg.svd(carry[:3, :3], compute_uv=False)
            points = clip.point_map[0][clip.solid[0] == solid] @ carry[:3, :3].T + carry[:3, 3]
            if lengths[0] < 1.02 or len(points) < 20:
                continue
            column, row, z = inner_pixels(clip, points, frame=1)
            nearest, farthest = depth_around(clip, column, row, frame=1)
            seen = z < farthest * 1.01  # what nothing else hides now
            assert (z >= nearest * 0.99)[seen].mean() > 0.95
            checked += int(seen.sum())
    assert checked > 200


def inner_pixels(
    clip: RenderedClip, points: np.ndarray, frame: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`seen_from` of the points that fall inside the frame, its border aside."""
    height, width = clip.depth.shape[1:]
    column, row, z = seen_from(clip, points.astype(np.float64), frame)
    inside = (z > 0.1) & (column > 0) & (column < width - 1) & (row > 0) & (row < height - 1)
    return column[inside], row[inside], z[inside]


def depth_around(
    clip: RenderedClip, column: np.ndarray, row: np.ndarray, frame: int
) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest depth of the 3 x 3 pixels around: points fall between pixel centres."""
    steps = (-1, 0, 1)
    around = np.stack([clip.depth[frame, row + dy, column + dx] for dy in steps for dx in steps])
    return around.min(axis=0), around.max(axis=0)


def test_the_world_is_the_first_camera() -> None:
    clip = clip_of(3)
    np.testing.assert_array_equal(clip.camera_to_world[0], np.eye(4))
    rotations = clip.camera_to_world[:, :3, :3]
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.tile(np.eye(3), (4, 1, 1)), atol=1e-12
    )


@pytest.mark.parametrize("seed", range(8))
def test_masks_show_exactly_the_visible_movers(seed: int) -> None:
    scene = sample_scene(seed, SMALL)
    clip = render(scene)
    for frame in range(len(clip)):
        visible = set(np.unique(clip.solid[frame])) - {-1}
        movers = {int(solid) for solid in visible if scene.solids[solid].moving}
        assert clip.dynamic_mask[frame].any() == bool(movers)
        assert set(np.unique(clip.solid[frame][clip.dynamic_mask[frame]])) == movers


def test_a_frozen_twin_differs_only_in_what_moved() -> None:
    scene = next(
        scene for scene in (sample_scene(s, SMALL) for s in range(50)) if scene.moving.sum() >= 2
    )
    clip, twin = render(scene), render(scene.freeze())
    assert not twin.dynamic_mask.any()
    np.testing.assert_array_equal(clip.images[0], twin.images[0])
    np.testing.assert_array_equal(clip.camera_to_world, twin.camera_to_world)
    untouched = (clip.solid == twin.solid) & ~clip.dynamic_mask
    np.testing.assert_array_equal(clip.depth[untouched], twin.depth[untouched])


def test_selected_frames_are_the_same_frames() -> None:
    scene = sample_scene(11, SMALL)
    whole, part = render(scene), render(scene.select([1, 3]))
    np.testing.assert_array_equal(part.depth, whole.depth[[1, 3]])
    np.testing.assert_array_equal(part.solid, whole.solid[[1, 3]])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("seed", range(4))
def test_a_gpu_renders_the_same_truth(seed: int) -> None:
    scene = sample_scene(seed, SMALL)
    host, device = render(scene), render(scene, "cuda")
    assert (host.solid == device.solid).mean() > 0.999
    same = host.solid == device.solid
    np.testing.assert_allclose(host.depth[same], device.depth[same], rtol=1e-3)
