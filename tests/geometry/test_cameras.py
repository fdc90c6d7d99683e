import subprocess
import sys

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from easi3r.geometry import (
    backproject,
    centred_intrinsics,
    invert_rigid,
    pixel_grid,
    project,
    source_pixels,
    transform_intrinsics,
    transform_points,
    world_point_map,
)
from easi3r.geometry.tensor_cameras import cross_matrix, pixel_rays

examples = settings(max_examples=25, deadline=None, derandomize=True)
seeds = st.integers(0, 2**31)


def random_camera(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A pose, intrinsics and depths of two frames."""
    random = np.random.default_rng(seed)
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[:, :3, :3] = Rotation.random(2, rng=random).as_matrix()
    poses[:, :3, 3] = random.normal(size=(2, 3)) * 10
    width, height = 7, 5
    intrinsics = np.stack([centred_intrinsics(f, width, height) for f in random.uniform(2, 30, 2)])
    return poses, intrinsics, random.uniform(0.1, 50, (2, height, width))


@examples
@given(seed=seeds)
def test_a_point_map_projects_back_to_its_own_pixels_and_depths(seed: int) -> None:
    poses, intrinsics, depth = random_camera(seed)
    world = world_point_map(depth, intrinsics, poses).reshape(2, -1, 3)
    seen = transform_points(invert_rigid(poses), world)
    np.testing.assert_allclose(seen[..., 2], depth.reshape(2, -1), rtol=1e-9, atol=1e-9)
    pixels = project(seen, intrinsics).reshape(2, 5, 7, 2)
    np.testing.assert_allclose(pixels, np.broadcast_to(pixel_grid(5, 7), pixels.shape), atol=1e-6)


def test_pixel_centres_are_integers_and_the_principal_point_is_half_the_size() -> None:
    intrinsics = centred_intrinsics(10.0, width=6, height=4)
    points = backproject(np.full((4, 6), 5.0), intrinsics)
    np.testing.assert_allclose(points[2, 3], (0, 0, 5))
    np.testing.assert_allclose(points[0, 0], (-1.5, -1, 5))


@examples
@given(seed=seeds, factor=st.floats(0.1, 4), left=st.integers(-20, 20), top=st.integers(-20, 20))
def test_intrinsics_follow_a_resize_and_crop(seed: int, factor: float, left: int, top: int) -> None:
    _, intrinsics, _ = random_camera(seed)
    points = np.random.default_rng(seed).uniform(1, 5, (2, 10, 3))
    image_map = np.array([[factor, 0, -left], [0, factor, -top], [0, 0, 1]])
    moved = project(points, transform_intrinsics(intrinsics, image_map))
    expected = project(points, intrinsics) * factor - (left, top)
    np.testing.assert_allclose(moved, expected, rtol=1e-9, atol=1e-9)


def test_source_pixels_are_the_nearest_ones_within_the_source() -> None:
    """Half the size, two columns cropped: stored x is at source 2 (x + 2.5) - 0.5."""
    halved = np.array([[0.5, 0, -2.25], [0, 0.5, -0.25], [0, 0, 1]])
    rows, columns = source_pixels(halved, height=3, width=4, source_shape=(6, 10))
    assert columns[0].tolist() == [4, 6, 8, 9]
    assert rows[:, 0].tolist() == [0, 2, 4]


def test_rays_in_torch_are_the_points_at_depth_one() -> None:
    intrinsics = centred_intrinsics(11.0, width=7, height=5)
    focal, principal = (torch.tensor(v) for v in (intrinsics.diagonal()[:2], intrinsics[:2, 2]))
    pixels = torch.tensor(pixel_grid(5, 7).reshape(-1, 2)).T
    rays = pixel_rays(pixels, focal, principal)
    expected = backproject(np.ones((5, 7)), intrinsics).reshape(-1, 3).T
    np.testing.assert_allclose(rays.numpy(), expected, rtol=1e-12)


def test_cross_matrix_is_the_cross_product() -> None:
    a, b = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    product = (cross_matrix(a) @ b[..., None])[..., 0]
    torch.testing.assert_close(product, torch.linalg.cross(a, b))


def test_the_numpy_side_imports_no_torch() -> None:
    check = "import sys, easi3r.geometry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
