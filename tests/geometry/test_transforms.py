import numpy as np
import pytest
import torch
from evo.core.metrics import APE, PoseRelation
from evo.core.trajectory import PosePath3D
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from easi3r.errors import DegenerateGeometryError
from easi3r.geometry import invert_rigid, require_poses
from easi3r.geometry.similarity import Similarity, register
from easi3r.geometry.trajectory import trajectory_error

examples = settings(max_examples=25, deadline=None, derandomize=True)
seeds = st.integers(0, 2**31)


def random_poses(seed: int, count: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, :3] = Rotation.random(count, rng=random).as_matrix()
    poses[:, :3, 3] = random.normal(size=(count, 3))
    return poses


def random_similarity(seed: int, batch: int) -> Similarity:
    poses = torch.from_numpy(random_poses(seed, batch))
    scale = torch.from_numpy(np.random.default_rng(seed).uniform(0.05, 20, batch))
    return Similarity(poses[:, :3, :3], poses[:, :3, 3], scale)


@examples
@given(seed=seeds)
def test_registration_recovers_a_similarity_whatever_the_weights(seed: int) -> None:
    truth = random_similarity(seed, batch=3)
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(3, 20, 3, generator=generator, dtype=torch.float64)
    weights = torch.rand(3, 20, generator=generator, dtype=torch.float64) + 0.01
    result = register(points, truth(points), weights, "points")
    torch.testing.assert_close(result.rotation, truth.rotation, atol=1e-8, rtol=0)
    torch.testing.assert_close(result.translation, truth.translation, atol=1e-7, rtol=1e-7)
    torch.testing.assert_close(result.scale, truth.scale, rtol=1e-8, atol=0)


def test_a_point_of_weight_zero_takes_no_part() -> None:
    truth = random_similarity(1, batch=1)
    points = torch.randn(1, 9, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    target = truth(points)
    target[:, 0] += 100
    weights = torch.ones(1, 9, dtype=torch.float64)
    assert not torch.allclose(register(points, target, weights, "all").scale, truth.scale)
    weights[:, 0] = 0
    torch.testing.assert_close(register(points, target, weights, "some").scale, truth.scale)


@pytest.mark.parametrize("line", [(0.0, 0.0, 0.0), (1.0, -2.0, 0.5)], ids=["a point", "a line"])
@pytest.mark.parametrize("side", ["source", "target"])
def test_points_without_extent_are_an_error(line: tuple[float, ...], side: str) -> None:
    solid = torch.randn(8, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    flat = torch.arange(8.0, dtype=torch.float64)[:, None] * torch.tensor(line) + 3
    source, target = (flat, solid) if side == "source" else (solid, flat)
    with pytest.raises(DegenerateGeometryError, match=f"pair 7: the {side} points"):
        register(source, target, torch.ones(8), "pair 7")


@examples
@given(seed=seeds)
def test_the_inverse_undoes_a_pose(seed: int) -> None:
    poses = random_poses(seed, 4)
    np.testing.assert_allclose(
        invert_rigid(poses) @ poses, np.tile(np.eye(4), (4, 1, 1)), atol=1e-12
    )


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda pose: pose.__setitem__((0, 0), np.nan), "not finite"),
        (lambda pose: pose.__setitem__(slice(3), pose[:3] * 1.1), "not orthonormal"),
        (lambda pose: pose.__setitem__((slice(3), 0), -pose[:3, 0]), "mirrors"),
        (lambda pose: pose.__setitem__((3, 0), 0.5), "last row"),
    ],
)
def test_what_is_no_pose_is_named(spoil: object, problem: str) -> None:
    poses = random_poses(0, 3)
    require_poses("poses", poses)
    spoil(poses[2])  # type: ignore[operator]
    with pytest.raises(DegenerateGeometryError, match=rf"poses\[2\].*{problem}"):
        require_poses("poses", poses)


@examples
@given(seed=seeds)
def test_trajectory_error_is_evos(seed: int) -> None:
    truth, estimate = random_poses(seed, 8), random_poses(seed + 1, 8)
    paths = [PosePath3D(poses_se3=list(poses)) for poses in (truth, estimate)]
    paths[1].align(paths[0], correct_scale=True)
    metric = APE(PoseRelation.translation_part)
    metric.process_data(tuple(paths))
    expected = metric.get_all_statistics()["rmse"]
    assert trajectory_error(estimate, truth) == pytest.approx(expected, rel=1e-6)


def test_a_straight_path_in_another_frame_and_scale_has_no_error() -> None:
    truth = np.tile(np.eye(4), (5, 1, 1))
    truth[:, 0, 3] = [0, 1, 2, 4, 7]
    estimate = random_poses(0, 1) @ truth
    estimate[:, :3, 3] *= 0.1
    assert trajectory_error(estimate, truth) == pytest.approx(0, abs=1e-9)


def test_a_camera_taken_to_stand_still_errs_by_the_spread_of_the_truth() -> None:
    truth = random_poses(3, 6)
    spread = np.sqrt(np.square(truth[:, :3, 3] - truth[:, :3, 3].mean(0)).sum(1).mean())
    assert trajectory_error(np.tile(np.eye(4), (6, 1, 1)), truth) == pytest.approx(spread)
    with pytest.raises(DegenerateGeometryError, match="stands still"):
        trajectory_error(truth, np.tile(np.eye(4), (6, 1, 1)))
