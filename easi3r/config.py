"""Settings of a run: frozen, typed, with ranges and units in the names; one digest.

Everything that changes results takes part in `Settings.digest`, so a changed setting gives new
result ids. `execution` only says how the work is done and stays out, and so would any group that
only plans, opens or limits; so does which weights to load, because a result id holds the SHA-256 of
the weights themselves. A setting added later takes part once it is changed (`settings_digest`).
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from easi3r.errors import SettingsError
from easi3r.settings_digest import digested
from easi3r.types import digest

METHOD_VERSION = 2
"""Part of the digest wherever the flow term takes part. 2: the flow term counts both directions of
every pair and cuts each component by itself (docs/method.md §6); 1 averaged over directed flows."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SamplingSettings(_Frozen):
    """How a video is cut into clips.

    `clip_frames` frames are read for each clip, `overlap_frames` of them shared with the next
    one; every `frame_stride`-th frame is taken, or those nearest to a clock of `rate_hz`.
    """

    clip_frames: Annotated[int, Field(ge=2, le=1024)] = 24
    overlap_frames: Annotated[int, Field(ge=0)] = 0
    frame_stride: Annotated[int, Field(ge=1)] = 1
    rate_hz: Annotated[float, Field(gt=0)] | None = None
    min_frames: Annotated[int, Field(ge=2)] = 3

    @model_validator(mode="after")
    def _consistent(self) -> "SamplingSettings":
        if self.overlap_frames >= self.clip_frames:
            raise ValueError("overlap_frames must be smaller than clip_frames")
        if self.min_frames > self.clip_frames:
            raise ValueError("min_frames must not exceed clip_frames")
        if self.rate_hz is not None and self.frame_stride != 1:
            raise ValueError("give frame_stride or rate_hz, not both")
        return self


FrameFit = Literal["crop", "pad", "resize"]


class VideoSettings(_Frozen):
    """How frames are read.

    `long_side_px` None: the side the weights were trained at. `broken_stream` says what to do
    with a video whose decoding stops midway: quarantine it, or keep the frames before the break.
    `fit` brings a picture to whole patches: `crop` cuts off the rest, `pad` repeats the pixels at
    its edges, `resize` stretches it, so that pixels are not quite square (`video.fit_size`).
    """

    long_side_px: Annotated[int, Field(ge=32, le=4096)] | None = None
    broken_stream: Literal["quarantine", "keep_frames_before_break"] = "quarantine"
    fit: FrameFit = "crop"


class ShotSettings(_Frozen):
    """How cuts between shots are found (PySceneDetect), so that no clip crosses one.

    `threshold` None: the detector's usual one (content: 27, a mean change of hue, saturation and
    luma in 0..255; adaptive: 3, times the change of the neighbouring frames). Shots of fewer than
    `sampling.min_frames` sampled frames are merged into the shot before (the first one into the
    next), so that clips there do cross a cut, or left out and reported.
    """

    detector: Literal["content", "adaptive"] = "content"
    threshold: Annotated[float, Field(gt=0)] | None = None
    short_shots: Literal["merge", "report"] = "merge"


class GraphSettings(_Frozen):
    """Which pairs of frames are run (docs/method.md §2).

    `window`: `window` offsets, 1, 1 + stride, 1 + 2 * stride ..; `complete`: every pair; `star`:
    every frame with frame 0. Always both directions.
    """

    kind: Literal["window", "complete", "star"] = "window"
    window: Annotated[int, Field(ge=1)] = 5
    stride: Annotated[int, Field(ge=1)] = 2


Precision = Literal["float32", "bfloat16"]


class ModelSettings(_Frozen):
    """Which network. `weights`: a name (`nano`), path, fsspec URL or Hugging Face repository.

    `precision`: of the encoder's and decoders' matrix products and attention; None: as the weights
    recommend, but bfloat16 only where the device has it in hardware. Streams, statistics and heads
    are float32 either way.
    """

    weights: str = "nano"
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    precision: Precision | None = None


class SegmentationSettings(_Frozen):
    """How motion is read from attention (docs/method.md §4)."""

    clusters: Annotated[int, Field(ge=2)] = 64
    seed: int = 42


class MotionCalibration(_Frozen):
    """How much each piece of evidence says that a pixel moves: a logistic model.

    Fitted to the weights it is stored with, on training scenes (docs/nano.md). Coefficients of the
    features of `easi3r.motion.cues.features`, in that order. Pixels whose probability
    exceeds `threshold` move where they touch, in space or time, one that exceeds `certain`.
    """

    coefficients: tuple[float, ...]
    intercept: float
    threshold: Annotated[float, Field(gt=0, lt=1)]
    certain: Annotated[float, Field(gt=0, lt=1)]

    @model_validator(mode="after")
    def _ordered(self) -> "MotionCalibration":
        if self.certain < self.threshold:
            raise ValueError("certain must not be below threshold")
        return self


Cue = Literal["attention", "flow", "match", "combined"]


class MotionSettings(_Frozen):
    """What is taken for motion. None: as the weights recommend.

    `attention`: Easi3R's map (docs/method.md §3 and §4); `flow`: optical flow that the scene's own
    depths and cameras do not explain; `match`: attention's matches that they do not explain;
    `combined`: attention and flow, weighed by `calibration`. The last three align the scene twice.

    `match_layers`, `match_heads`: of decoder 1, whose attention is read as matches; all if empty.
    `known_masks`: masks that the user gives are taken in place of the cue's, or united with them.
    """

    cue: Cue | None = None
    calibration: MotionCalibration | None = None
    match_layers: tuple[int, ...] | None = None
    match_heads: tuple[int, ...] | None = None
    known_masks: Literal["replace", "unite"] = "replace"


class MaskSettings(_Frozen):
    """Refinement of the motion masks (docs/masks.md): none, or by SAM 2, whose weights are a folder
    or Hugging Face repository. Results are named by the weights' hash, which a run pins."""

    refine: Literal["sam2"] | None = None
    refiner_weights: str = "facebook/sam2.1-hiera-large"
    refiner_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


class WeightDefaults(_Frozen):
    """What weights recommend where settings leave it to them; stored in the weights' own file.

    Without a recommendation: Easi3R's attention map, the reference's weight of flow without a
    forward-backward check, float32.
    """

    cue: Cue = "attention"
    calibration: MotionCalibration | None = None
    match_layers: tuple[int, ...] = ()
    match_heads: tuple[int, ...] = ()
    flow_weight: Annotated[float, Field(ge=0)] = 0.01
    flow_check: bool = False
    precision: Precision = "float32"


class AlignmentSettings(_Frozen):
    """The objective of docs/method.md §6, with the reference's weights, and how long to lower it.

    `max_steps` bounds the steps of the solver, which ends sooner where the objective settles.
    `flow_weight` None: as the weights recommend (the reference's 0.01 where they do not).
    `flow_check`: whether pixels whose opposite flow does not lead back stay out of the flow term;
    None: as the weights recommend (the reference does not check).
    """

    max_steps: Annotated[int, Field(ge=1)] = 100
    shared_focal: bool = True
    min_confidence: Annotated[float, Field(ge=0)] = 1.1
    flow_weight: Annotated[float, Field(ge=0)] | None = None
    flow_check: bool | None = None
    flow_start_fraction: Annotated[float, Field(ge=0, le=1)] = 0.1
    flow_max_error_px: Annotated[float, Field(gt=0)] = 50.0
    flow_drop_above: Annotated[float, Field(gt=0)] = 25.0
    smoothness_weight: Annotated[float, Field(ge=0)] = 0.0
    depth_weight: Annotated[float, Field(ge=0)] = 0.0
    seed: int = 0


class StoreSettings(_Frozen):
    """How results are encoded. Floats keep `mantissa_bits` bits: relative error <= 2**-(bits+1)."""

    point_map: Literal["stored", "derived"] = "stored"
    frames_per_chunk: Annotated[int, Field(ge=1)] = 4
    mantissa_bits: Annotated[int, Field(ge=4, le=23)] = 12


class ExecutionSettings(_Frozen):
    """How the work is done; never changes what a result means.

    `pairs_per_batch`: pairs in flight, at most. `memory_budget_bytes` lowers it, clip by clip, to
    what keeps the projected peak (`easi3r.cost.memory`) within the budget; it covers the weights
    and all that a clip takes, not the interpreter and its libraries.
    `attempts` bounds how often reading a video and computing a clip are tried where errors may
    pass. A destination that does not answer, refuses for now or is full is waited for:
    `storage_patience_seconds` after it last answered. `stop_after_unexpected` clips in a row that
    fail unforeseen, or lose their worker even alone, stop the run and are not quarantined.
    """

    device: str = "auto"
    pairs_per_batch: Annotated[int, Field(ge=1)] = 8
    memory_budget_bytes: Annotated[int, Field(ge=1)] | None = None
    clips_per_batch: Annotated[int, Field(ge=1)] = 8
    attempts: Annotated[int, Field(ge=1)] = 3
    storage_patience_seconds: Annotated[float, Field(ge=0)] = 600.0
    stop_after_unexpected: Annotated[int, Field(ge=1)] = 20


class Settings(_Frozen):
    """Every setting of a run. `shots` null: each video is one shot.

    `degenerate`: what becomes of a clip whose images prove nothing (docs/trust.md): committed with
    a low trust and the reasons, or quarantined. It changes no result, so it is in no digest.
    """

    sampling: SamplingSettings = SamplingSettings()
    video: VideoSettings = VideoSettings()
    shots: ShotSettings | None = None
    graph: GraphSettings = GraphSettings()
    model: ModelSettings = ModelSettings()
    segmentation: SegmentationSettings = SegmentationSettings()
    motion: MotionSettings = MotionSettings()
    alignment: AlignmentSettings = AlignmentSettings()
    store: StoreSettings = StoreSettings()
    execution: ExecutionSettings = ExecutionSettings()
    masks: MaskSettings = MaskSettings()
    degenerate: Literal["mark", "quarantine"] = "mark"

    @classmethod
    def parse(cls, values: dict[str, Any]) -> "Settings":
        """Settings from plain values.

        Raises:
            SettingsError: names the setting, the value and the range.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or "settings"
            problem = f"{first['msg'].removeprefix('Value error, ')} (got {first.get('input')!r})"
            remedy = "See `easi3r settings --schema` for names and ranges"
            if first["type"] == "extra_forbidden":
                problem = f"there is no such setting (got {first.get('input')!r})"
            raise SettingsError(name, problem, remedy) from error

    def completed(self, weights: WeightDefaults) -> "Settings":
        """The same settings, with what the weights recommend wherever they left it to them."""
        motion = self.motion.model_dump()
        given = {name: value for name, value in motion.items() if value is not None}
        recommended = weights.model_dump(include=set(motion))
        filled = MotionSettings.model_validate(recommended | given)
        alignment, model = self.alignment, self.model
        for name in ("flow_weight", "flow_check"):
            if getattr(alignment, name) is None:
                alignment = alignment.model_copy(update={name: getattr(weights, name)})
        if model.precision is None:
            model = model.model_copy(update={"precision": weights.precision})
        return self.model_copy(update={"motion": filled, "alignment": alignment, "model": model})

    @property
    def digest(self) -> str:
        """SHA-256, hex, of everything that changes results.

        What is left to the weights stays so: their own hash is part of a result's identity.
        """
        values = digested(self)
        if self.alignment.flow_weight != 0:  # all that version 2 changed is the flow term
            values["method_version"] = METHOD_VERSION
        return digest(values)

    def result_digest(self, known_digest: str | None) -> str:
        """SHA-256, hex, of the settings and of what the user knows of a video: names its results.

        Args:
            known_digest: `ClipSpec.known_digest`; None, where nothing is known, gives `digest`.
        """
        return self.digest if known_digest is None else digest([self.digest, known_digest])

    @property
    def digest_of_method_1(self) -> str:
        """The digest of the same settings before `METHOD_VERSION` took part in it."""
        return digest(digested(self))

    @property
    def planning_digest(self) -> str:
        """SHA-256, hex, of what decides which clips a video is cut into."""
        shots = None if self.shots is None else digested(self.shots)
        planned = {"sampling": digested(self.sampling), "shots": shots}
        return digest({**planned, "broken_stream": self.video.broken_stream})
