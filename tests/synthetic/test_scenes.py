"""Scenes are drawn as documented, and the same seed draws the same."""

import numpy as np
import pytest
from pydantic import ValidationError

from easi3r.errors import SettingsError
from easi3r.synthetic import (
    CameraKind,
    CameraSettings,
    MoverSettings,
    Scene,
    SceneSettings,
    SensorSettings,
    Shape,
    Vocabulary,
    render,
    sample_scene,
)
from easi3r.synthetic.scene import Solid

SMALL = SceneSettings(frames=3, height=32, width=48)
TWELVE = SMALL.model_copy(update={"frames": 12})


def scenes(count: int, settings: SceneSettings = SMALL) -> list[Scene]:
    return [sample_scene(seed, settings) for seed in range(count)]


def with_movers(**movers: object) -> SceneSettings:
    return TWELVE.model_copy(update={"movers": MoverSettings.model_validate(movers)})


def moving_objects(scene: Scene) -> set[int]:
    return {solid.object_id for solid in scene.solids if solid.moving}


def test_one_seed_gives_one_clip_and_two_give_two() -> None:
    once, again, other = (render(sample_scene(seed, SMALL)) for seed in (5, 5, 6))
    for name, value in vars(once).items():
        np.testing.assert_array_equal(value, getattr(again, name), err_msg=name)
    assert (once.images != other.images).any()


@pytest.fixture(scope="module")
def drawn() -> list[Scene]:
    return scenes(200, with_movers(look_alikes=0.0))


def test_a_quarter_of_scenes_is_static_and_half_of_the_rest_moves(drawn: list[Scene]) -> None:
    lively = [scene for scene in drawn if scene.moving.any()]
    moving = [len(moving_objects(scene)) for scene in lively]
    objects = [len({solid.object_id for solid in scene.solids}) for scene in lively]
    assert 0.18 < 1 - len(lively) / len(drawn) < 0.34
    assert 0.45 < sum(moving) / sum(objects) < 0.6


def test_movers_and_static_solids_look_alike(drawn: list[Scene]) -> None:
    """Of an object of which only joints move, all pieces count as moving."""
    rooms = [scene for scene in drawn if np.ptp(scene.room[:, 1]) < 5]
    groups: tuple[list[Solid], list[Solid]] = ([], [])
    for scene in rooms:
        moving = moving_objects(scene)
        for solid in scene.solids:
            groups[solid.object_id in moving].append(solid)
    for shape in Vocabulary.TRAINING.shapes:
        share = [np.mean([s.shape is shape for s in group]) for group in groups]
        assert abs(share[0] - share[1]) < 0.04
    size = [np.mean([np.log(s.half_size).mean() for s in group]) for group in groups]
    assert abs(size[0] - size[1]) < 0.15
    pose = [np.stack([s.to_room(np.zeros(1))[0] for s in group]) for group in groups]
    for low, high in zip(*(np.percentile(p[:, 1, 3], [10, 50, 90]) for p in pose), strict=True):
        assert abs(low - high) < 0.25  # heights of their middles, metres
    shear = [np.mean([is_sheared(p) for p in group]) for group in pose]
    assert min(shear) > 0.05  # static solids are stretched as often as movers
    assert abs(shear[0] - shear[1]) < 0.1


def is_sheared(pose: np.ndarray) -> bool:
    lengths = np.linalg.svd(pose[:3, :3], compute_uv=False)
    return bool(lengths[0] / lengths[2] > 1.02)


def test_every_mover_moves_and_nothing_else_does(drawn: list[Scene]) -> None:
    for scene in drawn[:60]:
        for solid in scene.solids:
            moved = np.abs(np.diff(solid.to_room(scene.times), axis=0)).max(axis=(1, 2))
            assert (moved > 1e-3).all() if solid.moving else (moved == 0).all()


def test_movers_are_noticeably_fast(drawn: list[Scene]) -> None:
    """The promise of `MoverSettings.speed`."""
    fastest = np.array(
        [
            speed_of(solid, scene.times)
            for scene in drawn[:120]
            for solid in scene.solids
            if solid.moving
        ]
    )
    assert fastest.min() > 0.1
    assert np.percentile(fastest, 5) > 0.3
    assert 0.7 < np.median(fastest) < 1.6


def speed_of(solid: Solid, times: np.ndarray) -> float:
    """Mean speed of the fastest corner of its box, metres a second."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    corners = np.concatenate([corners * solid.half_size, np.ones((8, 1))], axis=1)
    paths = np.einsum("tij,cj->tci", solid.to_room(times)[:, :3], corners)
    steps = np.linalg.norm(np.diff(paths, axis=0), axis=2)
    return float((steps / np.diff(times)[:, None]).mean(axis=0).max())


def test_the_camera_stays_in_the_room_and_outside_solids(drawn: list[Scene]) -> None:
    for scene in drawn[:80]:
        position = scene.camera_to_room[:, :3, 3]
        assert (position > scene.room[0]).all()
        assert (position < scene.room[1]).all()
        for solid in scene.solids + scene.structures:
            inverse = np.linalg.inv(solid.to_room(scene.times))
            inside = np.einsum("tij,tj->ti", inverse[:, :3, :3], position) + inverse[:, :3, 3]
            assert (np.abs(inside) > solid.half_size).any(axis=1).all()


def test_vocabularies_share_no_shape() -> None:
    drawn = {
        vocabulary: {
            solid.shape
            for scene in scenes(20, SMALL.model_copy(update={"vocabulary": vocabulary}))
            for solid in scene.solids
        }
        for vocabulary in Vocabulary
    }
    assert drawn[Vocabulary.TRAINING] == set(Vocabulary.TRAINING.shapes)
    assert drawn[Vocabulary.HELD_OUT] == {Shape.OCTAHEDRON, Shape.PRISM, Shape.DOME}
    assert not drawn[Vocabulary.TRAINING] & drawn[Vocabulary.HELD_OUT]


@pytest.mark.parametrize("kind", CameraKind)
def test_only_a_still_camera_stands_still(kind: CameraKind) -> None:
    settings = TWELVE.model_copy(update={"camera": CameraSettings(kinds=(kind,))})
    for scene in scenes(5, settings):
        moved = np.abs(np.diff(scene.camera_to_room, axis=0)).max(axis=(1, 2))
        assert (moved == 0).all() if kind is CameraKind.STILL else (moved > 1e-4).all()


def test_fields_of_view_span_their_range() -> None:
    tall = SMALL.model_copy(update={"height": 48, "width": 32})
    for settings in (SMALL, tall):
        focal = np.array([scene.intrinsics[0, 0] for scene in scenes(40, settings)])
        view = np.degrees(2 * np.arctan(24 / focal))
        assert 35 <= view.min() < 42
        assert 78 < view.max() <= 85


@pytest.mark.parametrize("wanted", [(0, 0), (1, 1), (2, 4)])
def test_movers_in_view_are_as_many_as_the_settings_say(wanted: tuple[int, int]) -> None:
    still = CameraSettings(kinds=(CameraKind.STILL,))
    settings = with_movers(visible=wanted).model_copy(update={"camera": still})
    for scene in scenes(4, settings):
        clip = render(scene)
        assert wanted[0] <= len(moving_objects(scene)) <= wanted[1]
        shown = [np.unique(clip.object_id[solid[solid >= 0]]) for solid in clip.solid]
        for number in moving_objects(scene):
            assert np.mean([number in frame for frame in shown]) > 0.5


def test_movers_can_have_look_alikes_in_view() -> None:
    for scene in scenes(4, with_movers(visible=(1, 3), look_alikes=1.0)):
        clip = render(scene)
        twins = {s.look_alike_of: s.object_id for s in scene.solids}
        for mover in moving_objects(scene):
            twin = twins[mover]
            originals, copies = (
                [s for s in scene.solids if s.object_id == number] for number in (mover, twin)
            )
            for original, copy in zip(originals, copies, strict=True):
                assert not copy.moving
                np.testing.assert_array_equal(original.half_size, copy.half_size)
                assert (original.shape, original.material) == (copy.shape, copy.material)
                lengths = [
                    np.linalg.svd(s.to_room(np.zeros(1))[0, :3, :3], compute_uv=False)
                    for s in (original, copy)
                ]
                np.testing.assert_allclose(*lengths, atol=1e-9)
            assert twin in clip.object_id[clip.solid[clip.solid >= 0]]


def test_settings_that_no_scene_satisfies_are_refused() -> None:
    few = with_movers(visible=(3, 3)).model_copy(update={"objects": (1, 1)})
    with pytest.raises(SettingsError, match="Ask for fewer movers"):
        sample_scene(0, few)


def test_truth_does_not_depend_on_image_formation() -> None:
    quiet = {"gain_drift": (0, 0), "gain_jitter": (0, 0), "noise": (0, 0), "jpeg": 0, "blur": 0}
    loud = {"noise": (4, 4), "jpeg": 1, "jpeg_quality": (30, 30), "blur": 1, "rolling": 1}
    clips = [
        render(sample_scene(2, SMALL.model_copy(update={"sensor": SensorSettings(**settings)})))
        for settings in (quiet, loud)
    ]
    for name, value in vars(clips[0]).items():
        if name != "images":
            np.testing.assert_array_equal(value, getattr(clips[1], name), err_msg=name)
    assert np.abs(clips[0].images.astype(float) - clips[1].images).mean() > 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"camera": {"field_of_view": (70.0, 60.0)}},
        {"camera": {"field_of_view": (60.0, 175.0)}},
        {"camera": {"kinds": ()}},
        {"movers": {"probability": 1.5}},
        {"sensor": {"instants": 4}},
        {"objects": (5, 3)},
        {"colour": "red"},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    name, value = next(iter(wrong.items()))
    named = ".".join([name, *value]) if isinstance(value, dict) else name
    with pytest.raises(ValidationError, match=named):
        SceneSettings.model_validate(wrong)


def test_selected_frames_keep_their_times() -> None:
    scene = sample_scene(1, TWELVE)
    part = scene.select([2, 7])
    np.testing.assert_array_equal(part.camera_to_room, scene.camera_to_room[[2, 7]])
