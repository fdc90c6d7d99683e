"""Sampling of a scene from a seed."""

import numpy as np
import torch

from easi3r.errors import SettingsError
from easi3r.synthetic.backdrops import draw_backdrop, draw_structures
from easi3r.synthetic.camera_motion import draw_camera
from easi3r.synthetic.materials import ROOM_FACES, draw_materials
from easi3r.synthetic.movers import PlacedObject, Stage, place_object, place_twin
from easi3r.synthetic.objects import draw_object
from easi3r.synthetic.scene import NO_OBJECT, Scene, Solid, pinhole
from easi3r.synthetic.scene_settings import MoverSettings, SceneSettings
from easi3r.synthetic.sensor import draw_sensor
from easi3r.synthetic.trace import trace

_ATTEMPTS = 200
_CHECKED_FRAMES = 5
_CHECKED_SIDE = 64  # pixels
_VISIBLE_SHARE = 0.004  # of the image


def sample_scene(seed: int, settings: SceneSettings) -> Scene:
    """Draws a scene; the same seed and settings give the same scene.

    Movers and static objects come from one distribution of everything but motion, see
    `easi3r.synthetic.movers`.

    Raises:
        SettingsError: in none of many drawings were `movers.visible` or look-alikes possible.
    """
    for attempt in range(_ATTEMPTS):
        scene = _draw(np.random.default_rng([seed, attempt]), seed, settings)
        if scene is not None:
            return scene
    raise SettingsError(
        "movers",
        f"no scene of seed {seed} has {settings.movers!r} in {_ATTEMPTS} drawings",
        "Ask for fewer movers or look-alikes, more objects, or slower cameras",
    )


def _draw(rng: np.random.Generator, seed: int, settings: SceneSettings) -> Scene | None:
    """One drawing; None where it lacks what the settings promise."""
    times = np.arange(settings.frames) / settings.frames_per_second
    backdrop = draw_backdrop(rng, bool(rng.random() < settings.outdoor))
    camera = draw_camera(rng, settings.camera, backdrop.standpoint, times)
    longer = max(settings.width, settings.height)
    lens = np.tan(np.radians(rng.uniform(*settings.camera.field_of_view)) / 2)
    pose = camera.motion.at(times)
    structures = draw_structures(rng, backdrop, pose[:, :3, 3])
    stage = Stage(backdrop, times, pose, float(lens) * settings.width / longer)
    objects = []
    for number in range(int(rng.integers(settings.objects[0], settings.objects[1] + 1))):
        pieces = draw_object(rng, settings.vocabulary.shapes)
        speed = float(rng.uniform(*settings.movers.speed))
        placed = place_object(rng, pieces, speed, stage, camera.subject if number == 0 else None)
        if placed is not None:
            objects.append(placed)
    cast = _cast(rng, settings.movers, objects, stage, ROOM_FACES + len(structures))
    if cast is None:
        return None
    rows = 1 + max([ROOM_FACES - 1, *(s.material for s in structures), *(s.material for s in cast)])
    scene = Scene(
        seed=seed,
        settings=settings,
        times=times,
        intrinsics=pinhole(longer / 2 / float(lens), settings.height, settings.width),
        camera=camera.motion,
        room=backdrop.room,
        structures=structures,
        solids=cast,
        materials=draw_materials(rng, settings.materials, rows, backdrop.outdoor),
        light=backdrop.light,
        sensor=draw_sensor(rng, settings.sensor, 1 / settings.frames_per_second),
    )
    if settings.movers.visible is not None and not _all_in_view(scene):
        return None
    return scene


def _cast(
    rng: np.random.Generator,
    settings: MoverSettings,
    objects: list[PlacedObject],
    stage: Stage,
    material: int,
) -> tuple[Solid, ...] | None:
    """The solids of all objects, those frozen that are not to move, and of look-alikes.

    None where there are too few objects, or no place for a mover's look-alike.
    """
    moving = rng.random(len(objects)) < settings.probability
    moving &= rng.random() >= settings.static_scene_probability
    if settings.visible is not None:
        wanted = int(rng.integers(settings.visible[0], settings.visible[1] + 1))
        if wanted > len(objects):
            return None
        moving = rng.permutation(len(objects)) < wanted
    twinned = rng.random(len(objects)) < settings.look_alikes
    cast: list[Solid] = []
    everything = list(objects)
    for number, item in enumerate(objects):
        solids = item.solids(number, material)
        cast += solids if moving[number] else [solid.frozen(0.0) for solid in solids]
        if twinned[number]:
            twin = place_twin(rng, item, everything, stage)
            if twin is not None:
                cast += twin.solids(len(everything), material, look_alike_of=number)
                everything.append(twin)
            elif moving[number]:
                return None
        material += item.materials
    return tuple(cast)


def _all_in_view(scene: Scene) -> bool:
    """Moving objects and their look-alikes are each seen in more than half of some frames."""
    moving = {solid.object_id for solid in scene.solids if solid.moving}
    group = np.array(
        [
            solid.object_id if solid.moving or solid.look_alike_of in moving else NO_OBJECT
            for solid in scene.solids
        ],
        dtype=int,
    )
    frames = np.unique(np.linspace(0, len(scene) - 1, _CHECKED_FRAMES).astype(int))
    sides = np.array([scene.settings.height, scene.settings.width])
    height, width = np.maximum(1, np.rint(sides * (_CHECKED_SIDE / sides.max())).astype(int))
    small = scene.resized(int(height), int(width))
    surface = trace(small, scene.times[frames], torch.device("cpu")).surface.numpy()
    solid = (surface - ROOM_FACES - len(scene.structures)).clip(min=-1)
    shown = np.append(group, NO_OBJECT)[solid].reshape(len(frames), -1)  # -1: the room
    return all(
        ((shown == object_id).mean(axis=1) >= _VISIBLE_SHARE).mean() > 0.5
        for object_id in set(group) - {NO_OBJECT}
    )
