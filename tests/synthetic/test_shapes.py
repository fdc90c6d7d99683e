"""Rays meet solids where the solids are, judged by what is inside of each shape."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.synthetic.scene_settings import Vocabulary
from easi3r.synthetic.shapes import Shape, meet, normals

RAYS = 400
examples = settings(max_examples=8, deadline=None, derandomize=True)


def inside(shape: Shape, points: np.ndarray) -> np.ndarray:
    """Which of 3 x n points the shape holds."""
    x, y, z = points
    r = np.hypot(x, z)
    cube = np.abs(points).max(axis=0) <= 1
    match shape:
        case Shape.BOX:
            return cube
        case Shape.ELLIPSOID:
            return (points**2).sum(axis=0) <= 1
        case Shape.CYLINDER:
            return cube & (r <= 1)
        case Shape.CONE:
            return cube & (r <= (y + 1) / 2)
        case Shape.CAPSULE:
            beyond = np.maximum(np.abs(y) - 0.5, 0) / 0.5
            return r**2 + beyond**2 <= 1
        case Shape.WEDGE:
            return cube & (x + y >= 0)
        case Shape.TUBE:
            return cube & (r <= 1) & (r >= 0.72)
        case Shape.OCTAHEDRON:
            return np.abs(points).sum(axis=0) <= 1
        case Shape.PRISM:
            turned = [np.abs(x), np.abs(x / 2 + z * 0.75**0.5), np.abs(x / 2 - z * 0.75**0.5)]
            return cube & (np.max(turned, axis=0) <= 0.75**0.5)
        case Shape.DOME:
            return cube & (r**2 <= (y + 1) / 2)


def rays(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """From outside of the cube towards it, directions of any length."""
    rng = np.random.default_rng(seed)
    start = rng.standard_normal((3, RAYS))
    start *= rng.uniform(2, 6, size=RAYS) / np.linalg.norm(start, axis=0)
    along = rng.uniform(-1.1, 1.1, size=(3, RAYS)) - start
    return start, along * rng.uniform(0.1, 2.0, size=RAYS)


def first_hits(shape: Shape, start: np.ndarray, along: np.ndarray) -> np.ndarray:
    return meet(shape, torch.from_numpy(start).float(), torch.from_numpy(along).float()).numpy()


@pytest.mark.parametrize("shape", Shape)
@examples
@given(seed=st.integers(0, 10_000))
def test_a_ray_is_outside_up_to_its_hit_and_inside_behind_it(shape: Shape, seed: int) -> None:
    start, along = rays(seed)
    reach = first_hits(shape, start, along)
    length = np.linalg.norm(along, axis=0)
    hit = np.isfinite(reach)
    assert 0.05 < hit.mean() < 1
    end = np.where(hit, reach - 2e-3 / length, 12 / length)
    for share in np.linspace(0, 1, 60):
        assert not inside(shape, start + along * end * share).any()
    behind = inside(shape, start + along * np.where(hit, reach + 2e-3 / length, 0))
    assert behind[hit].mean() > 0.97  # a ray may cut an edge by less than that


@pytest.mark.parametrize("shape", Shape)
@examples
@given(seed=st.integers(0, 10_000))
def test_normals_point_out_and_towards_the_ray(shape: Shape, seed: int) -> None:
    start, along = rays(seed)
    reach = first_hits(shape, start, along)
    hit = np.isfinite(reach)
    points = (start + along * np.where(hit, reach, 0))[:, hit]
    normal = normals(shape, torch.from_numpy(points).float()).double().numpy()
    normal /= np.linalg.norm(normal, axis=0)
    assert np.isfinite(normal).all()
    assert (
        (normal * along[:, hit]).sum(axis=0) < 1e-3 * np.linalg.norm(along[:, hit], axis=0)
    ).all()
    assert inside(shape, points - 2e-3 * normal).mean() > 0.97
    assert inside(shape, points + 2e-3 * normal).mean() < 0.03


def test_vocabularies_divide_the_shapes() -> None:
    training, held_out = Vocabulary.TRAINING.shapes, Vocabulary.HELD_OUT.shapes
    assert sorted(training + held_out) == list(Shape)
    assert len(held_out) >= 2
