"""Hits of rays, against every solid tried on every ray in double precision's plain algebra."""

import numpy as np
import pytest
import torch

from easi3r.synthetic import MoverSettings, Scene, SceneSettings, Vocabulary, render, sample_scene
from easi3r.synthetic.materials import ROOM_FACES
from easi3r.synthetic.shapes import meet
from easi3r.synthetic.trace import trace

CPU = torch.device("cpu")
SMALL = SceneSettings(frames=3, height=36, width=48, movers=MoverSettings(probability=1.0))


def every_solid_on_every_ray(scene: Scene, time: float) -> tuple[np.ndarray, np.ndarray]:
    """Depth and surface (as in `Hits`) of one frame; the room is what no solid hides."""
    height, width = scene.settings.height, scene.settings.width
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.stack([x, y, np.ones_like(x)]).reshape(3, -1)
    (pose,) = scene.camera.at(np.array([time]))
    direction = pose[:3, :3] @ np.linalg.inv(scene.intrinsics) @ pixels
    depth, surface = np.full(direction.shape[1], np.inf), np.full(direction.shape[1], -1)
    for index, solid in enumerate(scene.structures + scene.solids):
        to_unit = np.linalg.inv(solid.to_room(np.array([time]))[0] @ np.diag([*solid.half_size, 1]))
        start = np.tile((to_unit @ pose[:, 3])[:3, None], direction.shape[1])
        along = to_unit[:3, :3] @ direction
        rays = (torch.from_numpy(part).float() for part in (start, along))
        reach = meet(solid.shape, *rays).numpy()
        surface[reach < depth] = ROOM_FACES + index
        depth = np.minimum(depth, reach)
    return depth, surface


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("vocabulary", Vocabulary)
def test_no_hit_is_lost_to_the_windows(seed: int, vocabulary: Vocabulary) -> None:
    scene = sample_scene(seed, SMALL.model_copy(update={"vocabulary": vocabulary}))
    hits = trace(scene, scene.times[1:2], CPU)
    depth, surface = every_solid_on_every_ray(scene, float(scene.times[1]))
    hit_surface, on_solid = hits.surface.numpy(), hits.surface.numpy() >= ROOM_FACES
    assert (hit_surface == surface)[on_solid].mean() > 0.995  # edges are a matter of rounding
    np.testing.assert_allclose(hits.depth.numpy()[on_solid], depth[on_solid], rtol=0.02)
    hidden = ~on_solid & np.isfinite(depth)
    assert (hits.depth.numpy()[hidden] <= depth[hidden] * 1.001).all()  # behind a wall


@pytest.mark.parametrize("seed", range(4))
def test_hits_lie_on_their_surface_and_face_the_camera(seed: int) -> None:
    scene = sample_scene(seed, SMALL)
    hits = trace(scene, scene.times, CPU)
    assert hits.depth.isfinite().all()
    assert (hits.depth > 0).all()
    torch.testing.assert_close(hits.normal.norm(dim=0), torch.ones(len(hits.depth)))
    facing = (hits.normal * hits.direction).sum(0) / hits.direction.norm(dim=0)
    assert (facing < 1e-2).all()
    half_size = np.stack([s.half_size for s in scene.structures + scene.solids])
    on_solid = hits.surface >= ROOM_FACES
    size = half_size[hits.surface[on_solid] - ROOM_FACES].T
    beyond = np.abs(hits.local[:, on_solid].numpy()) - size
    assert beyond.max() < 1e-3  # metres


def test_a_scene_may_be_empty() -> None:
    """The room alone, seen from inside: everything at a wall."""
    empty = SceneSettings(frames=2, height=24, width=32, objects=(0, 0), outdoor=1.0)
    clip = render(sample_scene(4, empty))
    assert (clip.solid == -1).all()
    assert clip.solid_to_world.shape == (2, 0, 4, 4)
    assert not clip.dynamic_mask.any()


def test_open_ground_is_deeper_than_rooms() -> None:
    deepest = []
    for outdoor in (0.0, 1.0):
        settings = SMALL.model_copy(update={"outdoor": outdoor})
        deepest.append([render(sample_scene(seed, settings)).depth.max() for seed in range(6)])
    assert max(deepest[0]) < 13
    assert np.median(deepest[1]) > 20
    assert max(deepest[1]) < 170
