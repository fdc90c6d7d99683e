"""Clips whose truth is known, rendered and real, on which trust is calibrated.

Rendered ones come from seeds that neither training, the motion calibration nor the benchmark uses;
of both vocabularies, ordinary and degenerate. Real ones are windows of posed recordings.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from jaxtyping import Float32, Float64
from PIL import Image

from easi3r.config import Settings
from easi3r.evaluation.benchmark import read_frames, truth_of
from easi3r.geometry import source_pixels
from easi3r.model import LoadedModel
from easi3r.pipeline import frame_size
from easi3r.synthetic import (
    CameraKind,
    CameraSettings,
    MaterialSettings,
    MoverSettings,
    Scene,
    SceneSettings,
    SensorSettings,
    Vocabulary,
    render,
    sample_scene,
    write_clip,
)
from easi3r.types import Frames
from easi3r.video import fit_size

FIRST_SEED = 10_002_000_000  # beyond the seeds of training and of the motion calibration
_SIZES = ((108, 144), (80, 144), (108, 144), (144, 108))
_SHORT_FRAMES = (8, 8, 8, 8, 12)
_FRAMES = 16
_SHORT_CLIPS = 130  # of the rendered ones, the first
_WINDOWS = (8, 16)
_CUT_FRAMES = 50  # left out in the middle of a clip with a cut
_STRIDES = (1, 2, 3, 5)
_NOMINAL_RATE_HZ = 30.0


class Kind(StrEnum):
    """What is special about a rendered clip."""

    ORDINARY = "ordinary"
    FROZEN = "frozen"
    STILL_CAMERA = "still camera"
    PAN = "pan"
    PLAIN = "low texture"
    SLOW = "tiny parallax"
    CUT = "cut inside"
    BLUR = "blur"
    NOISE = "noise"
    FAR_APART = "frames far apart"


_CYCLE = (
    Kind.ORDINARY,
    Kind.FROZEN,
    Kind.FAR_APART,
    Kind.ORDINARY,
    Kind.STILL_CAMERA,
    Kind.SLOW,
    Kind.ORDINARY,
    Kind.PLAIN,
    Kind.FROZEN,
    Kind.CUT,
    Kind.ORDINARY,
    Kind.BLUR,
    Kind.FAR_APART,
    Kind.ORDINARY,
    Kind.NOISE,
    Kind.PAN,
    Kind.ORDINARY,
    Kind.FROZEN,
)


@dataclass(frozen=True)
class KnownScene:
    """Truth of a clip at its stored pixels.

    Attributes:
        depth: 0 or NaN where it is not known.
    """

    camera_to_world: Float64[np.ndarray, "frames 4 4"]
    depth: Float32[np.ndarray, "frames height width"]


@dataclass(frozen=True)
class TrustClip:
    """One clip of the calibration, read when asked for.

    Attributes:
        name: unique.
        world: scene or recording; clips of one never stand on both sides of a split.
        kind: of a rendered clip, or `real`.
        read: frames at the network's size, and their truth.
    """

    name: str
    world: str
    kind: str
    read: Callable[[LoadedModel, Settings], tuple[Frames, KnownScene]]


def rendered_clips() -> Iterator[TrustClip]:
    """Rendered clips without end, of every kind in turn."""
    number = 0
    while True:
        yield _rendered(number)
        number += 1


def _rendered(number: int) -> TrustClip:
    kind = _CYCLE[number % len(_CYCLE)]

    def read(model: LoadedModel, settings: Settings) -> tuple[Frames, KnownScene]:
        scene = _scene(number, kind)
        rendered = render(scene)
        with TemporaryDirectory() as folder:
            video = write_clip(rendered, Path(folder), "clip", crf=14 + number % 9)
            frames = read_frames(video, len(rendered), settings, model)
        truth = truth_of(rendered, frames)
        return frames, KnownScene(truth.camera_to_world, truth.depth)

    return TrustClip(f"rendered-{number}", f"rendered-{number}", kind.value, read)


def _scene(number: int, kind: Kind) -> Scene:
    seed = FIRST_SEED + number
    rng = np.random.default_rng([seed, 1])
    length = int(rng.choice(_SHORT_FRAMES)) if number < _SHORT_CLIPS else _FRAMES
    height, width = _SIZES[number % len(_SIZES)]
    settings = SceneSettings(
        frames=length + _CUT_FRAMES if kind is Kind.CUT else length,
        height=height,
        width=width,
        frames_per_second=float(
            rng.uniform(1.5, 4) if kind is Kind.FAR_APART else rng.uniform(6, 16)
        ),
        vocabulary=Vocabulary.HELD_OUT if number % 2 else Vocabulary.TRAINING,
        camera=_camera(kind),
        movers=MoverSettings(static_scene_probability=0.1, probability=0.35, look_alikes=0.0),
        materials=MaterialSettings(plain=1.0 if kind is Kind.PLAIN else 0.2),
        sensor=_sensor(kind),
    )
    scene = sample_scene(seed, settings)
    if kind is Kind.FROZEN:
        return scene.freeze()
    if kind is Kind.CUT:
        before = int(rng.integers(3, length - 2))
        return scene.select([*range(before), *range(before + _CUT_FRAMES, length + _CUT_FRAMES)])
    return scene


def _camera(kind: Kind) -> CameraSettings:
    travelling = tuple(k for k in CameraKind if k not in (CameraKind.STILL, CameraKind.PAN))
    match kind:
        case Kind.STILL_CAMERA:
            return CameraSettings(kinds=(CameraKind.STILL,))
        case Kind.PAN:
            return CameraSettings(kinds=(CameraKind.PAN,))
        case Kind.SLOW:
            return CameraSettings(kinds=travelling, speed=(0.01, 0.1), turn_rate=(0.5, 12))
        case _:
            return CameraSettings(kinds=travelling)


def _sensor(kind: Kind) -> SensorSettings:
    match kind:
        case Kind.BLUR:
            return SensorSettings(blur=1.0, shutter=(0.8, 1.0))
        case Kind.NOISE:
            return SensorSettings(noise=(12.0, 30.0))
        case _:
            return SensorSettings()


def real_clips(folder: Path) -> Iterator[TrustClip]:
    """Windows of every posed recording with depth below a folder, of several lengths and strides.

    A recording is a folder of `*.color.png` or `.color.jpg`, `.pose.txt` and, for some frames,
    `.depth.png` (millimetres).
    """
    for inside in sorted({path.parent for path in folder.rglob("*.pose.txt")}):
        if next(inside.glob("*.depth.png"), None) is None:
            continue
        stems = sorted(str(path).removesuffix(".pose.txt") for path in inside.glob("*.pose.txt"))
        name = str(inside.relative_to(folder)).removesuffix("/seq")
        for numbers in _windows(len(stems)):
            chosen = [stems[number] for number in numbers]
            if any(Path(f"{stem}.depth.png").is_file() for stem in chosen):
                step = numbers[1] - numbers[0]
                label = f"{name}-{numbers[0]}-{step}-{len(numbers)}"
                # Folders of one collection may be of one walk: none of it stands on both sides.
                yield TrustClip(label, name.partition("/")[0], "real", _reader(chosen))


def _windows(length: int) -> Iterator[list[int]]:
    """Windows of 8 and of 16 frames; long recordings give one of each every 40 frames."""
    for frames in _WINDOWS:
        for stride in _STRIDES:
            start = 0
            while (length - start - 1) // stride + 1 >= frames:
                yield list(range(start, length, stride))[:frames]
                start += max(8, min(40, length // 10))


def _reader(
    stems: list[str],
) -> Callable[[LoadedModel, Settings], tuple[Frames, KnownScene]]:
    def read(model: LoadedModel, settings: Settings) -> tuple[Frames, KnownScene]:
        images = [_colour(stem) for stem in stems]
        width, height = images[0].size
        fit = fit_size(width, height, 1.0, *frame_size(model, settings))
        stored = np.stack([fit.apply(image) for image in images])
        rows, columns = source_pixels(fit.source_to_stored, fit.height, fit.width, (height, width))
        depth = np.zeros(stored.shape[:3], np.float32)
        for frame, stem in enumerate(stems):
            path = Path(f"{stem}.depth.png")
            if path.is_file():
                metres = np.asarray(Image.open(path)).astype(np.float32) / 1000
                metres[metres > 60] = 0  # 65535: not known
                down, across = (m / s for m, s in zip(metres.shape, (height, width)))
                depth[frame] = metres[(rows * down).astype(int), (columns * across).astype(int)]
        poses = np.stack([np.loadtxt(f"{stem}.pose.txt") for stem in stems])
        frames = Frames(
            images=stored,
            pts_seconds=np.arange(len(stems)) / _NOMINAL_RATE_HZ,
            frame_index=np.arange(len(stems), dtype=np.int64),
            source_to_stored=fit.source_to_stored,
            padding=fit.padding,
        )
        return frames, KnownScene(poses, depth)

    return read


def _colour(stem: str) -> Image.Image:
    for suffix in (".color.png", ".color.jpg"):
        if Path(stem + suffix).is_file():
            return Image.open(stem + suffix).convert("RGB")
    raise FileNotFoundError(f"{stem}.color.png")
