from dataclasses import replace

import numpy as np
import pytest
import torch

from easi3r.alignment import align
from easi3r.alignment.chain import spanning_pairs
from easi3r.alignment.initial_state import (
    estimate_focals,
    fit_known_path,
    initial_state,
    initial_state_from,
)
from easi3r.alignment.problem import Pixels
from easi3r.config import AlignmentSettings
from easi3r.errors import DegenerateGeometryError
from easi3r.geometry import invert_rigid
from easi3r.knowledge import KnownCameras
from easi3r.tensors import PairGraph
from tests.alignment.scenes import chosen_pairs, known_scene

ALL_PIXELS = Pixels.every(1, 18, 24, torch.device("cpu"))


def test_the_spanning_tree_takes_the_best_pairs_and_adds_one_new_frame_each() -> None:
    edges = np.array([[0, 1], [1, 0], [1, 2], [2, 0], [3, 2]], np.int64)
    best, pairs = spanning_pairs(PairGraph(edges, 4), np.array([2.0, 5.0, 3.0, 1.0, 4.0]))
    assert best == 1
    assert sorted(pairs) == [1, 2, 4]
    placed = {int(edges[best, 0])}
    for pair in pairs:
        assert len(placed & set(edges[pair])) == 1
        placed |= set(edges[pair])


def test_focals_are_read_off_the_points() -> None:
    scene = known_scene(focal_px=(24.0, 30.0, 36.0))
    focals = estimate_focals(scene.graph, scene.prediction, ALL_PIXELS, 24, 18)
    np.testing.assert_allclose(focals, scene.intrinsics[:, 0, 0], rtol=1e-4)


def test_a_frame_that_is_never_first_gets_the_median_focal() -> None:
    scene = known_scene(frames=3, focal_px=(24.0, 30.0, 36.0))
    scene = chosen_pairs(scene, np.flatnonzero(scene.graph.edges[:, 0] != 2))
    focals = estimate_focals(scene.graph, scene.prediction, ALL_PIXELS, 24, 18)
    np.testing.assert_allclose(focals, [24, 30, 27], rtol=1e-4)


def test_no_point_in_front_of_any_camera_is_an_error() -> None:
    scene = known_scene(frames=2)
    behind = replace(scene.prediction, points_1=-scene.prediction.points_1)
    with pytest.raises(DegenerateGeometryError, match="focal length"):
        estimate_focals(scene.graph, behind, ALL_PIXELS, 24, 18)


def test_pair_scales_start_tied_and_the_world_is_the_first_camera() -> None:
    scene = known_scene(noise=0.02)
    state = initial_state(scene.graph, scene.prediction, KnownCameras(), AlignmentSettings()).state
    assert float(state.pair.scale.log().mean().exp()) == pytest.approx(0.5)
    assert torch.equal(state.rotation[0], torch.eye(3, dtype=torch.float64))
    assert (state.depth > 0).all()


def test_the_initial_state_from_an_earlier_alignment_is_its_final_one() -> None:
    scene = known_scene(noise=0.02, focal_px=(24.0, 30.0, 36.0))
    settings = AlignmentSettings(shared_focal=False)
    earlier = align(scene.graph, scene.prediction, settings)
    quality = earlier.quality | {"pnp_failures": 2.0}
    initial = initial_state_from(scene.graph, scene.prediction, replace(earlier, quality=quality))
    assert initial.pnp_failures == 2
    unit = float(initial.state.depth[0, 0]) / earlier.depth[0, 0, 0]
    assert unit == pytest.approx(1, rel=0.02)  # pair scales are tied in both
    poses = initial.state.camera_to_world()
    np.testing.assert_allclose(poses[:, :3, :3], earlier.camera_to_world[:, :3, :3], atol=1e-12)
    np.testing.assert_allclose(poses[:, :3, 3], unit * earlier.camera_to_world[:, :3, 3])
    np.testing.assert_allclose(initial.state.intrinsics(), earlier.intrinsics)
    np.testing.assert_allclose(initial.state.depth, unit * earlier.depth.reshape(5, -1), rtol=1e-6)


@pytest.mark.parametrize("straight", [True, False])
def test_a_known_path_is_fitted_up_to_its_scale(straight: bool) -> None:
    path = known_scene().camera_to_world
    path = invert_rigid(path[0]) @ path
    if straight:
        path[:, :3, 3] = np.arange(len(path))[:, None] * np.array([1.0, 0.5, 0.0])
    moved = path.copy()
    moved[:, :3, 3] *= 0.3
    world = known_scene().camera_to_world[2]
    to_world, rescaled = fit_known_path(world @ moved, path)
    np.testing.assert_allclose(to_world @ world, np.eye(4), atol=1e-9)
    np.testing.assert_allclose(rescaled, moved, atol=1e-9)
