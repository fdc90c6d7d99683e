"""Quality figures of rendered clips: near perfect for the truth, and each sees the error put in."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from easi3r.geometry import invert_rigid, project, transform_points, world_point_map
from easi3r.quality.pair_samples import grid
from easi3r.quality.quality_figures import ClipMaterial, QualityFigures, quality_figures
from easi3r.synthetic import (
    CameraKind,
    CameraSettings,
    MoverSettings,
    RenderedClip,
    SceneSettings,
    SensorSettings,
    render,
    sample_scene,
)
from easi3r.types import OpticalFlow, Padding, Reconstruction

FRAMES, HEIGHT, WIDTH = 6, 48, 64


@pytest.fixture(scope="module")
def clip() -> RenderedClip:
    """A camera that wanders past things that stand still."""
    settings = SceneSettings(
        frames=FRAMES,
        height=HEIGHT,
        width=WIDTH,
        frames_per_second=6.0,
        outdoor=0.0,
        camera=CameraSettings(kinds=(CameraKind.ORBIT,), speed=(0.5, 0.6), shake_probability=0.0),
        movers=MoverSettings(static_scene_probability=1.0),
        sensor=SensorSettings(blur=0.0, gain_drift=(0, 0), gain_jitter=(0, 0), noise=(0, 0.5)),
    )
    return render(sample_scene(11, settings))


def true_flow(clip: RenderedClip) -> OpticalFlow:
    """Between all frames at most 3 apart; consistent where the other frame sees the same point."""
    edges = np.array(
        [(a, b) for a in range(FRAMES) for b in range(FRAMES) if 0 < abs(a - b) <= 3], np.int64
    )
    world = world_point_map(clip.depth, clip.intrinsics, clip.camera_to_world)
    flows, consistent = [], []
    columns, rows = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    for first, second in edges:
        points = world[first].reshape(-1, 3)
        seen = transform_points(invert_rigid(clip.camera_to_world[second]), points)
        place = project(seen, clip.intrinsics[second]).reshape(HEIGHT, WIDTH, 2)
        x, y = np.rint(place).astype(int).transpose(2, 0, 1)
        inside = (x >= 0) & (x < WIDTH) & (y >= 0) & (y < HEIGHT)
        there = clip.depth[second][np.clip(y, 0, HEIGHT - 1), np.clip(x, 0, WIDTH - 1)]
        depth = seen[:, 2].reshape(HEIGHT, WIDTH)
        consistent.append(inside & (np.abs(depth / there - 1) < 0.02))
        flows.append(place - np.stack([columns, rows], -1))
    return OpticalFlow(edges, np.stack(flows).astype(np.float32), np.stack(consistent))


def truth(clip: RenderedClip) -> Reconstruction:
    return Reconstruction(
        camera_to_world=clip.camera_to_world,
        intrinsics=clip.intrinsics,
        depth=clip.depth,
        confidence=np.full(clip.depth.shape, 2.0, np.float32),
        loss_history=np.zeros(1),
        quality={},
    )


def figures(
    clip: RenderedClip,
    reconstruction: Reconstruction,
    first: Reconstruction | None = None,
    images: np.ndarray | None = None,
    moving: np.ndarray | None = None,
) -> QualityFigures:
    flow = true_flow(clip)
    rows, columns = grid(HEIGHT, WIDTH)
    return quality_figures(
        ClipMaterial(
            images=clip.images if images is None else images,
            flow=flow,
            moving=clip.dynamic_mask if moving is None else moving,
            reconstruction=reconstruction,
            first_reconstruction=first,
            pair_depth=clip.depth[flow.edges[:, 0]][:, rows, columns].astype(np.float64),
            pair_edges=flow.edges,
        )
    )


def test_the_truth_agrees_with_itself(clip: RenderedClip) -> None:
    found = figures(clip, truth(clip), truth(clip))
    assert found.flow_residual < 1e-3
    assert found.rotation_disagreement_deg < 0.05
    assert found.path_disagreement < 0.02
    assert found.bend_agreement > 0.95
    assert found.half_bend_agreement > 0.9
    assert found.pass_bend_agreement == pytest.approx(1)
    assert found.triangulated_correlation > 0.99
    assert found.depth_disagreement < 0.02
    assert found.triangulated_depth_ratio < 0.05
    assert found.map_depth_spread == 0
    assert found.mask_flicker == 0
    assert found.pass_path == pytest.approx(0, abs=1e-6)
    assert found.pass_rotation_deg == pytest.approx(0, abs=1e-4)
    assert found.pass_depth == found.pass_focal == 0
    assert found.median_confidence == 2
    assert found.parallax_deg > 1
    assert found.triangulation_deg > 1
    assert found.jump < 2


def test_a_wrong_turn_is_seen_by_flow(clip: RenderedClip) -> None:
    poses = clip.camera_to_world.copy()
    poses[3:, :3, :3] = poses[3:, :3, :3] @ Rotation.from_euler("y", 5, degrees=True).as_matrix()
    found = figures(clip, replace(truth(clip), camera_to_world=poses), truth(clip))
    assert found.flow_residual > 0.5
    assert found.rotation_disagreement_deg + found.path_disagreement * 10 > 2
    assert found.pass_rotation_deg == pytest.approx(5, abs=0.01)  # of 9 of 15 pairs


def test_a_wrong_depth_is_seen_by_triangulation(clip: RenderedClip) -> None:
    flat = np.full_like(clip.depth, np.median(clip.depth))
    found = figures(clip, replace(truth(clip), depth=flat), truth(clip))
    assert found.triangulated_depth_ratio > 0.3
    assert found.depth_spread == 0
    assert found.triangulated_correlation == 0
    assert found.pass_depth > 0.05


def test_a_shorter_path_is_seen_by_flow(clip: RenderedClip) -> None:
    poses = clip.camera_to_world.copy()
    poses[:, :3, 3] *= 0.5
    found = figures(clip, replace(truth(clip), camera_to_world=poses))
    assert found.flow_residual > 0.5
    assert found.flow_residual > 3 * found.refined_flow_residual
    assert found.path_disagreement < 0.2  # a path has no scale of its own
    assert found.pass_path is None
    assert "pass_path" not in found.as_dict()


def test_padding_does_not_count(clip: RenderedClip) -> None:
    """Half of the image padded: figures are those of the other half alone."""
    flow, perfect = true_flow(clip), truth(clip)
    rows, columns = grid(HEIGHT, WIDTH)
    depth = clip.depth[flow.edges[:, 0]][:, rows, columns].astype(np.float64)
    material = ClipMaterial(clip.images, flow, clip.dynamic_mask, perfect, None, depth, flow.edges)
    images, wrong = clip.images.copy(), clip.depth.copy()
    images[:, :, : WIDTH // 2] = 0
    wrong[:, :, : WIDTH // 2] = 100
    padded = replace(material, images=images, reconstruction=replace(perfect, depth=wrong))
    padding = Padding(left=WIDTH // 2)
    assert quality_figures(padded.without(padding)) == quality_figures(material.without(padding))
    assert quality_figures(padded.without(padding)).flow_residual < 1e-3
    assert material.without(Padding()) is material


def test_flat_images_have_no_texture(clip: RenderedClip) -> None:
    assert figures(clip, truth(clip)).textured_share > 0.05
    assert figures(clip, truth(clip), images=np.zeros_like(clip.images)).textured_share == 0


def test_another_picture_in_the_middle_is_a_jump(clip: RenderedClip) -> None:
    images = clip.images.copy()
    images[3:] = 255 - images[3:, ::-1, ::-1]
    assert figures(clip, truth(clip), images=images).jump > 3


def test_masks_that_come_and_go_flicker(clip: RenderedClip) -> None:
    moving = np.zeros(clip.depth.shape, bool)
    moving[::2] = True
    found = figures(clip, truth(clip), moving=moving)
    assert found.mask_flicker == 1
    assert found.moving_share == 0.5


def test_where_everything_moves_nothing_vouches_for_the_clip(clip: RenderedClip) -> None:
    found = figures(clip, truth(clip), moving=np.ones(clip.depth.shape, bool))
    assert found.flow_residual == 50
    assert found.rotation_disagreement_deg == 180
    assert found.depth_disagreement == 3
    assert found.triangulated_depth_ratio == 1
    assert not any(np.isnan(value) for value in found.as_dict().values())
