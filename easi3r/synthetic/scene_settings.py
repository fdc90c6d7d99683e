"""The distribution that scenes are drawn from."""

from enum import StrEnum
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from easi3r.synthetic.shapes import HELD_OUT_SHAPES, TRAINING_SHAPES, Shape

Number = TypeVar("Number", int, float)


def _ordered(value: tuple[Number, Number]) -> tuple[Number, Number]:
    low, high = value
    if not 0 <= low <= high:
        raise ValueError(f"a range must be 0 <= low <= high, not {value}")
    return value


def _lens(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] < 1 or value[1] >= 170:
        raise ValueError(f"a field of view must be within 1..170 degrees, not {value}")
    return value


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError(f"must be odd, so that there is a middle one, not {value}")
    return value


Range = Annotated[tuple[float, float], AfterValidator(_ordered)]
Count = Annotated[tuple[int, int], AfterValidator(_ordered)]
Share = Annotated[float, Field(ge=0, le=1)]


class Vocabulary(StrEnum):
    """Textures and shapes of a scene. Training uses its own only; the benchmark the other's."""

    TRAINING = "training"
    HELD_OUT = "held_out"

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return TRAINING_SHAPES if self is Vocabulary.TRAINING else HELD_OUT_SHAPES


class CameraKind(StrEnum):
    """How a camera moves."""

    STILL = "still"  # on a tripod: exactly one pose
    PAN = "pan"  # turns on the spot
    WANDER = "wander"
    FORWARD = "forward"
    SIDEWAYS = "sideways"
    ORBIT = "orbit"  # around a point that it looks at
    FOLLOW = "follow"  # keeps a wandering point in view, which a mover rides on if one moves


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CameraSettings(_Group):
    """Cameras.

    Attributes:
        kinds: each equally likely; a kind may be named twice.
        field_of_view: degrees across the longer side of the image.
        speed: metres a second, log-uniform; twice that outdoors.
        turn_rate: degrees a second.
        shake_probability: that a camera which moves is also shaken by a hand.
        shake: root mean square of the angles, degrees; 2 mm of position for each tenth.
    """

    kinds: Annotated[tuple[CameraKind, ...], Field(min_length=1)] = tuple(CameraKind)
    field_of_view: Annotated[Range, AfterValidator(_lens)] = (35.0, 85.0)
    speed: Range = (0.2, 1.6)
    turn_rate: Range = (4.0, 32.0)
    shake_probability: Share = 0.5
    shake: Range = (0.1, 0.6)


class MoverSettings(_Group):
    """Moving objects. Movers and static objects come from one distribution of everything else.

    Attributes:
        static_scene_probability: that nothing moves.
        probability: that an object of another scene moves.
        visible: number of objects that move, each of them in view for most of the clip; scenes
            are redrawn until that is so. Overrides the two above; None leaves it to them.
        speed: metres a second, nominal: paths wander, and outdoors large things far away are
            faster. A solid moves in every frame or in none, and none moves "a little": over 1668
            moving solids of default settings the fastest point of each averages 0.14 m/s at
            least, 0.36 m/s at the 5th percentile, 0.94 m/s at the median.
        look_alikes: probability that an object, moving or not, has a static twin: another of the
            same shapes, sizes and materials. It is placed in view of the first frame; a mover's
            has always a place and, with `visible`, is in view as the mover is.
    """

    static_scene_probability: Share = 0.25
    probability: Share = 0.5
    visible: Count | None = None
    speed: Range = (0.4, 1.6)
    look_alikes: Share = 0.15


class MaterialSettings(_Group):
    """Surfaces.

    Attributes:
        texels_per_metre: log-uniform.
        plain: share of surfaces with next to no texture.
        shiny: share of surfaces with highlights.
    """

    texels_per_metre: Range = (15.0, 60.0)
    plain: Share = 0.2
    shiny: Share = 0.3


class SensorSettings(_Group):
    """Image formation. Shares are of scenes.

    Attributes:
        blur: share with motion blur; `shutter` is how much of a frame's time it is open.
        instants: an exposure is the mean of so many instants, the middle one the truth's.
        rolling: share whose rows are exposed one after the other: gain and flicker vary by row.
        gain_drift, gain_jitter: slow and fast changes of the logarithm of the gain.
        vignetting: loss of light in the corners.
        noise: standard deviation, grey levels of 255.
        jpeg: share with compression artefacts, of a quality within `jpeg_quality` (OpenCV's).
    """

    blur: Share = 0.15
    shutter: Range = (0.2, 0.9)
    instants: Annotated[int, Field(ge=3, le=63), AfterValidator(_odd)] = 5
    rolling: Share = 0.3
    gain_drift: Range = (0.0, 0.15)
    gain_jitter: Range = (0.0, 0.05)
    vignetting: Range = (0.0, 0.3)
    noise: Range = (0.5, 4.0)
    jpeg: Share = 0.35
    jpeg_quality: Count = (35, 92)


class SceneSettings(_Group):
    """Distribution that scenes are drawn from. Metres, seconds, degrees.

    Attributes:
        outdoor: share of scenes on open ground, the others are rooms.
        objects: so many are tried; those for which there is no place are left out.
    """

    frames: Annotated[int, Field(ge=1, le=1024)] = 24
    height: Annotated[int, Field(ge=16, le=4096)] = 240
    width: Annotated[int, Field(ge=16, le=4096)] = 320
    frames_per_second: Annotated[float, Field(gt=0)] = 12.0
    vocabulary: Vocabulary = Vocabulary.TRAINING
    outdoor: Share = 0.35
    objects: Count = (5, 12)
    camera: CameraSettings = CameraSettings()
    movers: MoverSettings = MoverSettings()
    materials: MaterialSettings = MaterialSettings()
    sensor: SensorSettings = SensorSettings()
