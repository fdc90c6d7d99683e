from dataclasses import replace

import numpy as np
import pytest
import torch

from easi3r.alignment import FlowTerm, align, objective
from easi3r.config import AlignmentSettings
from easi3r.errors import DegenerateGeometryError, DisconnectedGraphError, NonFiniteError
from easi3r.geometry import project, transform_points, world_point_map
from easi3r.geometry.rigid import invert_rigid
from easi3r.geometry.trajectory import trajectory_error
from easi3r.knowledge import KnownCameras
from easi3r.types import OpticalFlow, Reconstruction
from tests.alignment.scenes import KnownScene, chosen_pairs, known_scene

SETTINGS = AlignmentSettings()


def rotation_error_degrees(result: Reconstruction, scene: KnownScene) -> float:
    """Largest angle between estimated and true rotations relative to frame 0."""
    ours = result.camera_to_world[:, :3, :3]
    truth = (invert_rigid(scene.camera_to_world[0]) @ scene.camera_to_world)[:, :3, :3]
    trace = np.einsum("nij,nij->n", ours, truth)
    return float(np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1))).max())


def depth_error(result: Reconstruction, scene: KnownScene) -> float:
    """Median relative depth error after one scale for the clip."""
    ratio = result.depth / scene.depth
    return float(np.median(np.abs(ratio / np.median(ratio) - 1)))


@pytest.mark.parametrize("frames", [2, 5])
def test_exact_predictions_give_the_exact_scene(frames: int) -> None:
    scene = known_scene(frames)
    result = align(scene.graph, scene.prediction, SETTINGS)
    assert trajectory_error(result.camera_to_world, scene.camera_to_world) < 1e-4
    assert rotation_error_degrees(result, scene) < 0.05
    assert depth_error(result, scene) < 1e-4
    assert result.intrinsics[:, 0, 0] == pytest.approx(30, rel=1e-4)
    np.testing.assert_array_equal(result.camera_to_world[0], np.eye(4))


def test_focals_of_their_own() -> None:
    scene = known_scene(focal_px=(24.0, 27.0, 30.0, 33.0, 36.0))
    result = align(
        scene.graph, scene.prediction, SETTINGS.model_copy(update={"shared_focal": False})
    )
    np.testing.assert_allclose(result.intrinsics, scene.intrinsics, rtol=1e-3)
    shared = align(scene.graph, scene.prediction, SETTINGS)
    assert np.ptp(shared.intrinsics[:, 0, 0]) == 0


def test_noise_degrades_gracefully() -> None:
    errors = []
    for noise in (0.005, 0.05):
        scene = known_scene(noise=noise)
        result = align(scene.graph, scene.prediction, SETTINGS)
        errors.append(trajectory_error(result.camera_to_world, scene.camera_to_world))
        assert depth_error(result, scene) < noise
    assert errors[0] < errors[1] < 0.1


def test_the_objective_falls_and_ends_below_its_start() -> None:
    scene = known_scene(noise=0.05)
    result = align(scene.graph, scene.prediction, SETTINGS)
    history = result.loss_history
    assert (np.diff(history) < 1e-5 * history[:-1]).all()  # but for the rounding of distances
    assert history[-1] < history[0]
    assert result.quality["final_objective"] < result.quality["start_objective"]
    assert result.loss_history[-1] == pytest.approx(result.quality["final_objective"], rel=1e-6)
    assert result.quality["solver_steps"] == len(result.loss_history)


@pytest.mark.parametrize("knows_cameras", [False, True], ids=["free", "known cameras"])
def test_from_an_earlier_alignment_to_the_same_end(knows_cameras: bool) -> None:
    """Of other predictions of the same pairs, as those of pass 1 are to pass 2."""
    scene, before = known_scene(noise=0.05), known_scene(noise=0.03)
    known = KnownCameras()
    if knows_cameras:
        known = KnownCameras(scene.intrinsics, scene.camera_to_world)
    earlier = align(before.graph, before.prediction, SETTINGS, known)
    afresh = align(scene.graph, scene.prediction, SETTINGS, known)
    again = align(scene.graph, scene.prediction, SETTINGS, known, earlier=earlier)
    final = afresh.quality["final_objective"]
    assert final < again.quality["start_objective"] < afresh.quality["start_objective"]
    assert again.quality["final_objective"] == pytest.approx(final, rel=1e-4)
    np.testing.assert_allclose(again.camera_to_world, afresh.camera_to_world, atol=0.02)
    np.testing.assert_allclose(again.depth, afresh.depth, rtol=0.05)


def test_after_an_earlier_alignment_flow_takes_part_from_the_first_step() -> None:
    scene = known_scene(noise=0.05)
    late = {"flow_weight": 1.0, "flow_start_fraction": 1.0, "max_steps": 3}
    settings = SETTINGS.model_copy(update=late)
    flow = true_flow(scene)
    earlier = align(scene.graph, scene.prediction, settings, flow=flow)
    again = align(scene.graph, scene.prediction, settings, flow=flow, earlier=earlier)
    error = "median_static_flow_error_px"
    assert again.quality[error] < 0.5 * earlier.quality[error]


def test_few_pixels_then_all_pixels_matches_all_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = known_scene(noise=0.03)
    whole = align(scene.graph, scene.prediction, SETTINGS)
    monkeypatch.setattr("easi3r.alignment.stages.COARSE_PIXELS", 50)
    staged = align(scene.graph, scene.prediction, SETTINGS)
    assert staged.quality["final_objective"] == pytest.approx(
        whole.quality["final_objective"], rel=1e-3
    )


def test_objective_agrees_with_the_solver_and_rises_away_from_it() -> None:
    scene = known_scene(noise=0.03)
    result = align(scene.graph, scene.prediction, SETTINGS)
    arguments = (scene.graph, scene.prediction, result.camera_to_world, result.intrinsics)
    value = objective(*arguments, result.depth)
    assert value == pytest.approx(result.quality["final_objective"], rel=1e-3)
    assert objective(*arguments, result.depth * np.float32(1.1)) > 1.05 * value


def test_the_objective_of_large_frames_is_that_of_small_ones() -> None:
    """Above 65536 pixels the pairs are registered one at a time."""
    scene = known_scene(frames=2, size=(258, 256), focal_px=(300.0,))
    arguments = (scene.graph, scene.prediction, scene.camera_to_world, scene.intrinsics)
    value = objective(*arguments, scene.depth)
    assert 0 < value < objective(*arguments, scene.depth * np.float32(1.1))


def test_the_same_input_gives_the_same_bits() -> None:
    scene = known_scene(noise=0.05)
    first, second = (align(scene.graph, scene.prediction, SETTINGS) for _ in range(2))
    np.testing.assert_array_equal(first.camera_to_world, second.camera_to_world)
    np.testing.assert_array_equal(first.depth, second.depth)


def test_known_cameras_are_returned_exactly_and_help() -> None:
    scene = known_scene(noise=0.05)
    known = KnownCameras(scene.intrinsics, scene.camera_to_world)
    free = align(scene.graph, scene.prediction, SETTINGS)
    fixed = align(scene.graph, scene.prediction, SETTINGS, known)
    np.testing.assert_array_equal(fixed.camera_to_world, scene.camera_to_world)
    np.testing.assert_array_equal(fixed.intrinsics, scene.intrinsics)
    assert np.median(fixed.depth / scene.depth) == pytest.approx(1, rel=0.05)  # their scale
    assert depth_error(fixed, scene) <= depth_error(free, scene)


def test_known_intrinsics_alone_leave_poses_to_be_found() -> None:
    scene = known_scene(noise=0.01, focal_px=(26.0, 34.0))
    result = align(scene.graph, scene.prediction, SETTINGS, KnownCameras(scene.intrinsics))
    np.testing.assert_array_equal(result.intrinsics, scene.intrinsics)
    assert trajectory_error(result.camera_to_world, scene.camera_to_world) < 0.05


@pytest.mark.parametrize("knows_poses", [False, True])
@pytest.mark.parametrize("uses_flow", [False, True])
def test_known_focals_of_pixels_that_are_not_square(knows_poses: bool, uses_flow: bool) -> None:
    """As after `video.fit: resize`: fx and fy differ by an eighth."""
    scene = known_scene(pixel_aspect=1.125)
    assert scene.intrinsics[0, 1, 1] == pytest.approx(1.125 * scene.intrinsics[0, 0, 0])
    poses = scene.camera_to_world if knows_poses else None
    flow = true_flow(scene) if uses_flow else None
    known = KnownCameras(scene.intrinsics, poses)
    result = align(scene.graph, scene.prediction, SETTINGS, known, flow)
    np.testing.assert_array_equal(result.intrinsics, scene.intrinsics)
    assert trajectory_error(result.camera_to_world, scene.camera_to_world) < 1e-3
    assert depth_error(result, scene) < 1e-3
    if knows_poses:
        assert np.median(result.depth / scene.depth) == pytest.approx(1, rel=1e-3)


def true_flow(scene: KnownScene) -> FlowTerm:
    """Flow that exact depths and cameras induce, for every pair of the graph."""
    height, width = scene.depth.shape[1:]
    world = world_point_map(scene.depth, scene.intrinsics, scene.camera_to_world)
    flows = []
    for first, second in scene.graph.edges:
        seen = transform_points(
            invert_rigid(scene.camera_to_world[second]), world[first].reshape(-1, 3)
        )
        landing = project(seen, scene.intrinsics[second]).reshape(height, width, 2)
        flows.append(landing - np.stack(np.mgrid[:height, :width][::-1], axis=-1))
    flow = np.stack(flows).astype(np.float32)
    everywhere = np.ones(flow.shape[:3], bool)
    static = np.ones(scene.depth.shape, bool)
    return FlowTerm(OpticalFlow(scene.graph.edges, flow, everywhere), static)


def test_true_flow_pulls_towards_the_truth() -> None:
    scene = known_scene(noise=0.1)
    settings = SETTINGS.model_copy(update={"flow_weight": 1.0})
    without = align(scene.graph, scene.prediction, settings)
    flow = true_flow(scene)
    with_flow = align(scene.graph, scene.prediction, settings, flow=flow)
    assert with_flow.quality["median_static_flow_error_px"] < 0.1
    errors = [
        trajectory_error(result.camera_to_world, scene.camera_to_world)
        for result in (with_flow, without)
    ]
    assert errors[0] < 0.5 * errors[1]


def test_flow_on_moving_pixels_takes_no_part() -> None:
    scene = known_scene(noise=0.05)
    flow = true_flow(scene)
    static = flow.static.copy()
    static[:, 4:9] = False
    wrong = flow.optical_flow.flow.copy()
    wrong[:, 4:9] += 20
    results = [
        align(scene.graph, scene.prediction, SETTINGS, flow=FlowTerm(flows, static))
        for flows in (flow.optical_flow, replace(flow.optical_flow, flow=wrong))
    ]
    np.testing.assert_array_equal(results[0].depth, results[1].depth)
    nowhere = FlowTerm(flow.optical_flow, np.zeros_like(static))
    unseen = align(scene.graph, scene.prediction, SETTINGS, flow=nowhere)
    assert np.isnan(unseen.quality["median_static_flow_error_px"])


def test_smoothness_shortens_the_path_and_depth_weight_holds_depths() -> None:
    scene = known_scene(noise=0.1)
    free = align(scene.graph, scene.prediction, SETTINGS)
    smooth = align(
        scene.graph, scene.prediction, SETTINGS.model_copy(update={"smoothness_weight": 1.0})
    )
    lengths = [np.abs(np.diff(r.camera_to_world[:, :3, 3], axis=0)).sum() for r in (smooth, free)]
    assert lengths[0] < 0.9 * lengths[1]
    held = align(scene.graph, scene.prediction, SETTINGS.model_copy(update={"depth_weight": 1e4}))
    assert held.quality["final_objective"] > 1.01 * free.quality["final_objective"]


def test_confidences_at_one_still_align() -> None:
    scene = known_scene(noise=0.01, confidence=1.0)
    result = align(scene.graph, scene.prediction, SETTINGS)
    assert trajectory_error(result.camera_to_world, scene.camera_to_world) < 0.05


def test_nonsense_predictions_end_finite() -> None:
    scene = known_scene()
    random = torch.Generator().manual_seed(0)
    nonsense = torch.randn(scene.prediction.points_1.shape, generator=random)
    prediction = replace(scene.prediction, points_1=nonsense, points_2=nonsense.flip(0))
    result = align(scene.graph, prediction, SETTINGS)
    assert np.isfinite(result.camera_to_world).all()
    assert (result.depth > 0).all()
    assert np.isfinite(result.loss_history).all()


def test_cleaning_only_clears_confidence_of_contradicted_pixels() -> None:
    scene = known_scene()
    block = (slice(8, 11), slice(10, 13))
    points_1, confidence_1 = (
        scene.prediction.points_1.clone(),
        scene.prediction.confidence_1.clone(),
    )
    of_frame_2 = torch.from_numpy(scene.graph.edges[:, 0] == 2)
    points_1[of_frame_2, *block] *= 0.5  # floats at half its depth, and the network doubts it
    confidence_1[of_frame_2, *block] = 1.1
    points_2, confidence_2 = (
        scene.prediction.points_2.clone(),
        scene.prediction.confidence_2.clone(),
    )
    confidence_2[torch.from_numpy(scene.graph.edges[:, 1] == 2), *block] = 1.0
    prediction = type(scene.prediction)(points_1, points_2, confidence_1, confidence_2)
    result = align(scene.graph, prediction, SETTINGS)
    assert (result.confidence[2][block] == 0).all()
    assert result.quality["kept_pixel_fraction"] == (result.confidence > 0).mean()
    assert (result.confidence[result.confidence > 0] >= 1).all()


def test_a_graph_in_two_parts_is_an_error_that_names_them() -> None:
    scene = known_scene(frames=4)
    first, second = scene.graph.edges.T
    scene = chosen_pairs(scene, np.flatnonzero((first < 2) == (second < 2)))
    with pytest.raises(DisconnectedGraphError, match=r"frames \[2, 3\]"):
        align(scene.graph, scene.prediction, SETTINGS)


@pytest.mark.parametrize("name", ["points_2", "confidence_1"])
def test_nan_is_an_error_that_names_the_pair(name: str) -> None:
    scene = known_scene(frames=3)
    values = getattr(scene.prediction, name).clone()
    values[2, 4, 5] = torch.nan
    first, second = scene.graph.edges[2]
    with pytest.raises(NonFiniteError, match=rf"{name} of pair \({first}, {second}\)"):
        align(scene.graph, replace(scene.prediction, **{name: values}), SETTINGS)


def test_points_on_one_line_are_an_error() -> None:
    scene = known_scene(frames=2)
    line = torch.linspace(1, 2, 18 * 24).reshape(1, 18, 24, 1) * torch.tensor([0.1, 0.2, 1.0])
    flat = replace(scene.prediction, points_1=line.expand(2, -1, -1, -1).contiguous())
    with pytest.raises(DegenerateGeometryError, match="one line"):
        align(scene.graph, flat, SETTINGS)


def test_known_poses_must_be_rigid() -> None:
    scene = known_scene(frames=3)
    poses = scene.camera_to_world.copy()
    poses[1, :3, :3] *= 2
    with pytest.raises(DegenerateGeometryError, match=r"camera_to_world\[1\]"):
        align(scene.graph, scene.prediction, SETTINGS, KnownCameras(camera_to_world=poses))
