"""The flow term against docs/method.md §6, component by component."""

from dataclasses import replace

import numpy as np
import pytest

from easi3r.alignment import FlowTerm
from easi3r.alignment.initial_state import initial_state
from easi3r.alignment.problem import State
from easi3r.alignment.stages import plan_stages
from easi3r.alignment.value_and_gradient import evaluate
from easi3r.config import AlignmentSettings
from easi3r.geometry import invert_rigid, project, transform_points, world_point_map
from easi3r.knowledge import KnownCameras
from easi3r.tensors import PairGraph
from easi3r.types import OpticalFlow
from tests.alignment.scenes import KnownScene, chosen_pairs, known_scene
from tests.alignment.test_align import true_flow

SETTINGS = AlignmentSettings(flow_weight=0.5)


def first_state(scene: KnownScene) -> State:
    return initial_state(scene.graph, scene.prediction, KnownCameras(), SETTINGS).state


def term_value(
    scene: KnownScene, flow: FlowTerm, state: State, settings: AlignmentSettings = SETTINGS
) -> float:
    """The solver's own figure of the term at a state."""
    problem = plan_stages(scene.graph, scene.prediction, settings, flow, state)[-1].problem
    at = evaluate(problem.at(state), state, sweeps=0)
    return at.objective - at.map_objective


def errors_of(state: State, flow: FlowTerm) -> dict[tuple[int, int], np.ndarray]:
    """Absolute error of every component of every flow; infinite behind the target camera."""
    frames, height, width = flow.static.shape
    poses, intrinsics = state.camera_to_world(), state.intrinsics()
    depth = state.depth.view(frames, height, width).numpy()
    world = world_point_map(depth, intrinsics, poses)
    place = np.stack(np.mgrid[:height, :width][::-1], axis=-1)
    errors = {}
    for (first, second), estimate in zip(
        flow.optical_flow.edges.tolist(), flow.optical_flow.flow, strict=True
    ):
        seen = transform_points(invert_rigid(poses[second]), world[first].reshape(-1, 3))
        landing = project(seen, intrinsics[second]).reshape(height, width, 2)
        front = seen[:, 2].reshape(height, width, 1) > 0
        errors[first, second] = np.where(front, np.abs(landing - place - estimate), np.inf)
    return errors


def expected_value(graph: PairGraph, flow: FlowTerm, state: State) -> float:
    """Both means of the term by its definition, weighted."""
    errors, means = errors_of(state, flow), []
    pairs = graph.edges.tolist()
    for directed in (pairs, [(second, first) for first, second in pairs]):
        own = [errors[i, j][flow.static[i]].ravel() for i, j in directed if (i, j) in errors]
        error = np.concatenate(own)
        error = error[error < 50]
        means.append(np.where(error < 1, 0.5 * error**2, error - 0.5).mean())
    return 0.5 * sum(means)


def wild_flow(scene: KnownScene) -> FlowTerm:
    """True flow of every ordered pair of frames, with noise, outliers and a block that moves."""
    term, random = true_flow(scene), np.random.default_rng(0)
    flow = term.optical_flow.flow + random.normal(0, 1.5, term.optical_flow.flow.shape)
    outlier = random.random(flow.shape) < 0.05
    flow[outlier] += 80
    static = term.static.copy()
    static[:, 5:9, 3:12] = False
    flows = replace(term.optical_flow, flow=flow.astype(np.float32))
    return FlowTerm(flows, static)


@pytest.mark.parametrize(
    "pairs",
    [range(12), (0, 1, 4, 5, 8, 9), (0, 3, 4, 7, 9, 11)],
    ids=["symmetric", "some", "others"],
)
def test_the_means_over_both_directions_are_added(pairs: tuple[int, ...]) -> None:
    whole = known_scene(4, noise=0.03)
    flow = wild_flow(whole)
    scene = chosen_pairs(whole, np.array(pairs))
    state = first_state(scene)
    expected = expected_value(scene.graph, flow, state)
    assert term_value(scene, flow, state) == pytest.approx(expected, rel=1e-5)


def test_on_a_graph_with_both_directions_it_is_twice_the_mean() -> None:
    scene = known_scene(3, noise=0.03)
    flow = wild_flow(scene)
    state = first_state(scene)
    errors = np.concatenate(
        [error[flow.static[first]] for (first, _), error in errors_of(state, flow).items()]
    )
    error = errors[errors < 50]
    mean = np.where(error < 1, 0.5 * error**2, error - 0.5).mean()
    assert term_value(scene, flow, state) == pytest.approx(0.5 * 2 * mean, rel=1e-5)


def test_a_flow_that_is_missing_is_left_out_of_its_mean() -> None:
    scene = known_scene(3, noise=0.03)
    state, flow = first_state(scene), wild_flow(scene)
    rest = np.arange(1, 6)
    optical_flow = flow.optical_flow
    some = OpticalFlow(
        optical_flow.edges[rest], optical_flow.flow[rest], optical_flow.consistent[rest]
    )
    flow = replace(flow, optical_flow=some)
    expected = expected_value(scene.graph, flow, state)
    assert term_value(scene, flow, state) == pytest.approx(expected, rel=1e-5)


def test_the_cut_is_per_component() -> None:
    scene = known_scene(3, noise=0.03)
    state, term = first_state(scene), true_flow(scene)
    off = term.optical_flow.flow.copy()
    off[..., 0] += 45
    off[..., 1] += 45  # 64 px by length, each component under the cut
    flow = replace(term, optical_flow=replace(term.optical_flow, flow=off))
    later = SETTINGS.model_copy(update={"flow_drop_above": 100.0})
    assert term_value(scene, flow, state, later) == pytest.approx(0.5 * 2 * 44.5, rel=0.02)


def test_the_sum_of_both_means_drops_the_term() -> None:
    scene = known_scene(3, noise=0.03)
    state, term = first_state(scene), true_flow(scene)
    off = replace(term.optical_flow, flow=term.optical_flow.flow + np.float32(15.5))
    flow = replace(term, optical_flow=off)  # each mean is about 15, their sum about 30
    assert term_value(scene, flow, state) == 0
    later = SETTINGS.model_copy(update={"flow_drop_above": 31.0})
    assert term_value(scene, flow, state, later) == pytest.approx(0.5 * 30, rel=0.02)


def test_inconsistent_pixels_take_part_unless_flow_is_checked() -> None:
    scene = known_scene(3, noise=0.03)
    state, flow = first_state(scene), wild_flow(scene)
    consistent = flow.optical_flow.consistent.copy()
    consistent[:, :, :10] = False
    doubted = replace(flow, optical_flow=replace(flow.optical_flow, consistent=consistent))
    whole = term_value(scene, flow, state)
    assert term_value(scene, doubted, state) == whole
    checked = SETTINGS.model_copy(update={"flow_check": True})
    assert term_value(scene, flow, state, checked) == whole
    assert term_value(scene, doubted, state, checked) != pytest.approx(whole, rel=1e-3)


def test_what_lies_behind_a_camera_takes_no_part() -> None:
    scene = known_scene(3, noise=0.03)
    state, flow = first_state(scene), wild_flow(scene)
    behind = replace(state, centre=state.centre.clone())
    behind.centre[2] += state.rotation[2, :, 2] * state.depth[2].mean()
    errors = errors_of(behind, flow)
    assert 0 < np.isinf(errors[0, 2]).mean() < 1
    later = SETTINGS.model_copy(update={"flow_drop_above": 1000.0})
    expected = expected_value(scene.graph, flow, behind)
    assert term_value(scene, flow, behind, later) == pytest.approx(expected, rel=1e-4)
