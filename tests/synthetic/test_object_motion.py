"""Curves and motions over time."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.synthetic.object_motion import (
    Aim,
    Fixed,
    Rigid,
    Stretch,
    chain,
    constant,
    enlarged,
    shake,
    shifted,
    wander,
    wave,
)

SEEDS = st.integers(0, 100_000)
TIMES = np.linspace(0, 2, 49)
examples = settings(max_examples=20, deadline=None, derandomize=True)


@examples
@given(seed=SEEDS)
def test_wandering_never_stops_and_starts_at_the_origin(seed: int) -> None:
    path = wander(np.random.default_rng(seed), 1.2, 3).at(TIMES)
    speed = np.linalg.norm(np.diff(path, axis=0), axis=1) / np.diff(TIMES)
    np.testing.assert_allclose(path[0], 0, atol=1e-12)
    assert speed.min() > 0.2 * 1.2
    assert speed.max() < 1.3 * 1.2


@examples
@given(seed=SEEDS)
def test_curves_move_scale_and_add(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = wander(rng, 1.0, 3), shake(rng, 0.3, 3)
    place, factors = rng.standard_normal(3), rng.uniform(0, 2, size=3)
    np.testing.assert_allclose((one + other).at(TIMES), one.at(TIMES) + other.at(TIMES))
    moved = one.moved_to(place).at(TIMES)
    np.testing.assert_allclose(moved, one.at(TIMES) + place, atol=1e-12)
    scaled = one.moved_to(place).scaled(factors).at(TIMES)
    np.testing.assert_allclose(scaled, place + factors * one.at(TIMES), atol=1e-12)


@examples
@given(seed=SEEDS)
def test_a_hand_shakes_between_1_and_8_hertz(seed: int) -> None:
    curve = shake(np.random.default_rng(seed), 0.5, 2)
    hertz = curve.rate / (2 * np.pi)
    assert (hertz >= 1).all()
    assert (hertz <= 8).all()
    seconds = np.arange(0, 200, 0.01)
    np.testing.assert_allclose(curve.at(seconds).std(axis=0), 0.5, rtol=0.2)


def test_angles_turn_right_then_down() -> None:
    still = constant([0, 0, 0])
    right = Rigid(still, constant([np.pi / 2, 0, 0])).at(np.zeros(1))[0]
    down = Rigid(still, constant([0, -np.pi / 2, 0])).at(np.zeros(1))[0]
    np.testing.assert_allclose(right[:3, 2], [1, 0, 0], atol=1e-12)  # z: where a camera looks
    np.testing.assert_allclose(down[:3, 2], [0, 1, 0], atol=1e-12)


@examples
@given(seed=SEEDS)
def test_a_camera_looks_at_its_target(seed: int) -> None:
    rng = np.random.default_rng(seed)
    position = wander(rng, 1.0, 3)
    target = wander(rng, 1.0, 3).moved_to(rng.uniform(3, 5, size=3))
    pose = Aim(position, target, constant([0, 0, 0])).at(TIMES)
    sight = target.at(TIMES) - pose[:, :3, 3]
    sight /= np.linalg.norm(sight, axis=1, keepdims=True)
    np.testing.assert_allclose(pose[:, :3, 2], sight, atol=1e-9)
    assert (pose[:, 1, 1] > 0).all()  # upright


def test_links_act_from_the_last_to_the_first() -> None:
    times = np.array([0.0, 0.25])
    swell = Stretch(wave([0, np.log(2), 0], 2 * np.pi, [0, 0, 0]))
    quarter = Rigid(constant([10, 0, 0]), constant([np.pi / 2, 0, 0]))
    whole = chain((quarter, enlarged(3.0), swell, shifted([1, 1, 0])), times)
    np.testing.assert_allclose(whole[0] @ [0, 0, 0, 1], [10, 3, -3, 1], atol=1e-12)
    np.testing.assert_allclose(whole[1] @ [0, 0, 0, 1], [10, 6, -3, 1], atol=1e-12)
    np.testing.assert_array_equal(Fixed(np.eye(4)).at(times), np.stack([np.eye(4)] * 2))
