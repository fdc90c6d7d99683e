"""Scenes are drawn as documented, and the same seed draws the same."""

import numpy as np
import pytest
from pydantic import ValidationError

from easi3r.synthetic import SceneSettings, Shape, render, sample_scene

SMALL = SceneSettings(frames=3, height=32, width=48)


def test_one_seed_gives_one_clip_and_two_give_two() -> None:
    once, again, other = (render(sample_scene(seed, SMALL)) for seed in (5, 5, 6))
    for name, value in vars(once).items():
        np.testing.assert_array_equal(value, getattr(again, name), err_msg=name)
    assert (once.images != other.images).any()


def test_a_quarter_of_scenes_is_static_and_half_of_the_rest_moves() -> None:
    scenes = [sample_scene(seed, SMALL) for seed in range(300)]
    static = [scene for scene in scenes if not scene.moving.any()]
    lively = np.concatenate([scene.moving for scene in scenes if scene.moving.any()])
    assert 0.20 < len(static) / len(scenes) < 0.34
    assert 0.45 < lively.mean() < 0.6


def test_movers_and_static_solids_look_alike() -> None:
    solids = [solid for seed in range(300) for solid in sample_scene(seed, SMALL).solids]
    movers = [solid for solid in solids if solid.moving]
    rest = [solid for solid in solids if not solid.moving]
    for shape in Shape:
        share = [np.mean([s.shape == shape for s in group]) for group in (movers, rest)]
        assert abs(share[0] - share[1]) < 0.06
    size = [np.mean([s.half_size.mean() for s in group]) for group in (movers, rest)]
    assert abs(size[0] / size[1] - 1) < 0.1


def test_every_mover_moves_and_nothing_else_does() -> None:
    settings = SMALL.model_copy(update={"frames": 12})
    for seed in range(30):
        for solid in sample_scene(seed, settings).solids:
            moved = np.abs(np.diff(solid.to_room, axis=0)).max(axis=(1, 2))
            assert (moved > 1e-3).all() if solid.moving else (moved == 0).all()


def test_the_camera_stays_in_the_room_and_outside_solids() -> None:
    for seed in range(50):
        scene = sample_scene(seed, SMALL)
        position = scene.camera_to_room[:, :3, 3]
        assert (position > scene.room[0]).all()
        assert (position < scene.room[1]).all()
        for solid in scene.solids:
            apart = np.linalg.norm(solid.to_room[:, :3, 3] - position, axis=1)
            assert (apart > np.linalg.norm(solid.half_size)).all()


def test_truth_does_not_depend_on_exposure_or_noise() -> None:
    quiet = render(sample_scene(2, SMALL.model_copy(update={"noise_levels": (0.0, 0.0)})))
    loud = render(sample_scene(2, SMALL.model_copy(update={"noise_levels": (3.0, 3.0)})))
    np.testing.assert_array_equal(quiet.depth, loud.depth)
    difference = quiet.images.astype(float) - loud.images
    assert 2 < difference.std() < 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"horizontal_fov": (70.0, 60.0)},
        {"horizontal_fov": (60.0, 175.0)},
        {"solids": (0, 3)},
        {"mover_probability": 1.5},
        {"colour": "red"},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        SceneSettings.model_validate(wrong)
