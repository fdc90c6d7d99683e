"""Frozen values that cross stage borders and live in host memory.

Conventions, once for the whole project: poses are camera-to-world, 4x4, in OpenCV axes (x right,
y down, z forward); pixel centres are integers and a centred principal point is (W/2, H/2);
`dynamic` masks are True where something moves; times are seconds, presentation timestamps as the
container gives them. Values that live on a device are in `easi3r.tensors`.
"""

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8

from easi3r.knowledge import KnownCameras, KnownInputs, LensDistortion


def digest(value: object) -> str:
    """SHA-256, hex, of a JSON-able value, independent of key order and spacing."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Video:
    """A probed video: what decoding it really gives, whatever its header says.

    Attributes:
        url: where it was read, as the source names it.
        fingerprint: SHA-256 of the file's bytes, hex.
        size_bytes: length of the file.
        width, height: pixels of a decoded frame after its rotation metadata is applied.
        rotation_degrees: clockwise turn that decoding applies: 0, 90, 180 or 270.
        pixel_aspect: width of a displayed pixel over its height, after rotation (1.0: square).
        codec: FFmpeg's name of the codec.
        pts_seconds: presentation time of every frame that decodes, ascending.
        stream_break: the decoder's words where the stream broke off, None if it ended well;
            `pts_seconds` then holds the frames before the break.
        timestamps_derived: True where the container's timestamps are missing or do not ascend, so
            that `pts_seconds` was partly worked out from their neighbours and the frame rate.
        cuts: frames that begin another shot, ascending, without frame 0; empty without shot
            detection.
    """

    url: str
    fingerprint: str
    size_bytes: int
    width: int
    height: int
    rotation_degrees: int
    pixel_aspect: float
    codec: str
    pts_seconds: Float64[np.ndarray, " frames"]
    stream_break: str | None = None
    timestamps_derived: bool = False
    cuts: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.pts_seconds)

    @property
    def mean_fps(self) -> float:
        """Frames a second over the whole video; 0 for a single frame."""
        span = float(self.pts_seconds[-1] - self.pts_seconds[0]) if len(self) > 1 else 0.0
        return (len(self) - 1) / span if span > 0 else 0.0


@dataclass(frozen=True)
class ClipSpec:
    """What to annotate: which frames of which video. Small enough to travel in a task graph.

    Attributes:
        video_url, video_fingerprint: as in `Video`.
        frame_index: source frames to read, in presentation order, ascending.
        pts_seconds: their presentation times.
        owned_start, owned_stop: the source frames [start, stop) that this clip owns; the owned
            ranges of a video's clips partition it, what is read beyond them is context.
        stream_break: as in `Video`, set where a broken video's leading frames were accepted.
        timestamps_derived: as in `Video`; such frames are identified by number, not by time.
        known: what the user knows of the video, read and with its digest; None: nothing. No part
            of the clip's id, but of its results'.
    """

    video_url: str
    video_fingerprint: str
    frame_index: tuple[int, ...]
    pts_seconds: tuple[float, ...]
    owned_start: int
    owned_stop: int
    stream_break: str | None = None
    timestamps_derived: bool = False
    known: KnownInputs | None = None

    def __post_init__(self) -> None:
        if len(self.frame_index) != len(self.pts_seconds):
            raise ValueError("frame_index and pts_seconds differ in length")
        if any(b <= a for a, b in zip(self.frame_index, self.frame_index[1:])):
            raise ValueError(f"frame_index is not ascending: {self.frame_index}")
        if not self.owned_start < self.owned_stop:
            raise ValueError(f"empty owned range [{self.owned_start}, {self.owned_stop})")

    def __len__(self) -> int:
        return len(self.frame_index)

    @property
    def known_digest(self) -> str | None:
        """SHA-256, hex, of what the user knows of the video; None where it is nothing."""
        return None if self.known is None else self.known.digest

    @property
    def clip_id(self) -> str:
        """32 hex digits: hash of (content fingerprint, owned range, frames read)."""
        identity = [self.video_fingerprint, self.owned_start, self.owned_stop, self.frame_index]
        return digest(identity)[:32]


class Padding(NamedTuple):
    """Rows and columns of a stored frame that are beside its picture, in pixels."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def picture(self, height: int, width: int) -> Bool[np.ndarray, "height width"]:
        """True on the picture, False on the padding of stored frames of this size."""
        inside = np.zeros((height, width), bool)
        inside[self.top : height - self.bottom, self.left : width - self.right] = True
        return inside


@dataclass(frozen=True)
class Frames:
    """Decoded, oriented frames of one clip, at the size that they are stored at.

    Attributes:
        images: RGB, 0..255.
        pts_seconds, frame_index: time and source frame number of each image.
        source_to_stored: homogeneous affine map from source pixels (after rotation metadata) to
            pixels of `images`: `stored ~ source_to_stored @ (x, y, 1)`.
        padding: beside the picture, in pixels of `images`.
        known: cameras that the user knows.
        moving: True where, as the user knows, something moves; None: nobody says.
        undistorted: what was taken out of the images, and of `moving`; None: nothing.
    """

    images: UInt8[np.ndarray, "frames height width 3"]
    pts_seconds: Float64[np.ndarray, " frames"]
    frame_index: Int64[np.ndarray, " frames"]
    source_to_stored: Float64[np.ndarray, "3 3"]
    padding: Padding = field(default_factory=Padding)
    known: KnownCameras = field(default_factory=KnownCameras)
    moving: Bool[np.ndarray, "frames height width"] | None = None
    undistorted: LensDistortion | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.images), len(self.pts_seconds), len(self.frame_index)}
        if len(lengths) != 1:
            raise ValueError(f"images, pts_seconds and frame_index differ in length: {lengths}")

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class OpticalFlow:
    """Where the pixels of some frames of a clip are in others.

    Attributes:
        edges: (from, to) of each flow.
        flow: pixels, (x, y): pixel p of the first frame is at p + flow[p] in the second.
        consistent: True where that is inside the image and the opposite flow leads back.
    """

    edges: Int64[np.ndarray, "flows 2"]
    flow: Float32[np.ndarray, "flows height width 2"]
    consistent: Bool[np.ndarray, "flows height width"]


@dataclass(frozen=True)
class TokenMatches:
    """Where cross-attention finds the tokens of each pair's first image in its second.

    Attributes:
        place: (column, row) in tokens of the second image; token (0, 0) has its centre at (0, 0).
        certainty: attention within a token of that place, 0..1.
    """

    place: Float32[np.ndarray, "pairs rows columns 2"]
    certainty: Float32[np.ndarray, "pairs rows columns"]


@dataclass(frozen=True)
class Reconstruction:
    """Cameras and depths of one clip; world = camera of the first frame unless poses were known.

    Attributes:
        camera_to_world: OpenCV axes.
        intrinsics: pixels of the stored resolution.
        depth: z in the camera, > 0, in the clip's own unit.
        confidence: of the network, >= 1; 0 where another frame contradicts the pixel.
        loss_history: the objective after each step of the solver, optional terms included, over
            the pixels that the step looked at; the last is the result's.
        quality: named figures, e.g. `final_objective`, `median_reprojection_px`.
    """

    camera_to_world: Float64[np.ndarray, "frames 4 4"]
    intrinsics: Float64[np.ndarray, "frames 3 3"]
    depth: Float32[np.ndarray, "frames height width"]
    confidence: Float32[np.ndarray, "frames height width"]
    loss_history: Float64[np.ndarray, " steps"]
    quality: dict[str, float]


@dataclass(frozen=True)
class Provenance:
    """Where an annotation comes from: enough to judge it and to make it again.

    Attributes:
        settings_digest: of the settings, and of what the user knew of the video
            (`Settings.result_digest`).
        refiner_name, refiner_sha256: of the weights that refined the masks; None where none did.
        known_digest: of what the user knew alone; None where it was nothing.
    """

    weights_name: str
    weights_sha256: str
    weights_licence: str
    code_version: str
    settings_digest: str
    settings_json: str
    device: str
    refiner_name: str | None = None
    refiner_sha256: str | None = None
    known_digest: str | None = None


@dataclass(frozen=True)
class Trust:
    """How much to believe a clip, by the calibration of its weights (docs/trust.md).

    Attributes:
        value: probability, 0..1, that the camera path is better than the best straight line at
            constant velocity, and the depths better than one depth.
        reasons: what speaks against the clip, in words: `no texture`, `cut inside`, ..
        calibration: version of the calibration.
    """

    value: float
    reasons: tuple[str, ...]
    calibration: int


@dataclass(frozen=True)
class ClipAnnotation:
    """Everything known about one clip, as the store writes it.

    Attributes:
        images_shape: (height, width) of the stored resolution, in pixels.
        dynamic_score: motion score per token, 0..1.
        dynamic_mask: True where something moves.
        scale: `arbitrary`, or `metric` where known poses in metres fixed it.
        poses_given: the poses were known beforehand; else world = camera of the first frame.
        degraded: settings that were reduced so that the clip fitted into the device's memory, as
            `setting requested -> used`; empty where none was.
        padding: as in `Frames`; nothing moves there, and the confidence is 0.
        unrefined_mask: `dynamic_mask` before it was refined; None where no refiner ran.
        undistorted: as in `Frames`.
        warnings: why the result should be looked at, though it is valid; empty where nothing is
            wrong.
        trust: None where the weights have no calibration, or the method gave no figure it needs.
    """

    spec: ClipSpec
    pts_seconds: Float64[np.ndarray, " frames"]
    frame_index: Int64[np.ndarray, " frames"]
    source_to_stored: Float64[np.ndarray, "3 3"]
    images_shape: tuple[int, int]
    dynamic_score: Float32[np.ndarray, "frames rows columns"]
    dynamic_mask: Bool[np.ndarray, "frames height width"]
    reconstruction: Reconstruction
    provenance: Provenance
    scale: Literal["arbitrary", "metric"] = "arbitrary"
    poses_given: bool = False
    seconds_by_stage: dict[str, float] = field(default_factory=dict)
    degraded: tuple[str, ...] = ()
    padding: Padding = field(default_factory=Padding)
    unrefined_mask: Bool[np.ndarray, "frames height width"] | None = None
    undistorted: LensDistortion | None = None
    warnings: tuple[str, ...] = ()
    trust: Trust | None = None

    def __len__(self) -> int:
        return len(self.pts_seconds)


class Outcome(StrEnum):
    """The outcome of a clip, or of a video that gave no clip."""

    COMMITTED = "committed"
    SKIPPED = "skipped"  # already committed, by an earlier run or by a duplicate of the video
    QUARANTINED = "quarantined"
    FAILED = "failed"  # transient errors only, retries used up: run again

    @property
    def is_trouble(self) -> bool:
        """True where there is no result for this input."""
        return self in (Outcome.QUARANTINED, Outcome.FAILED)


@dataclass(frozen=True)
class ClipReport:
    """The report of a task about one clip (or about a video that could not be planned).

    Attributes:
        subject: the clip id, or the id of the video's quarantine record.
        reason, message: from the error, where there was one.
        frames, bytes_written, seconds: of this clip; zero where nothing ran.
        degraded: as in `ClipAnnotation`.
        engine_seconds: of `seconds`, those in which the engine computed; decoding, storage and
            waiting for them are the rest.
        known_digest: as in `ClipSpec`; names the result together with the clip's id.
        trust: value of `ClipAnnotation.trust`.
    """

    subject: str
    video_url: str
    outcome: Outcome
    reason: str | None = None
    message: str | None = None
    frames: int = 0
    bytes_written: int = 0
    seconds: float = 0.0
    degraded: tuple[str, ...] = ()
    engine_seconds: float = 0.0
    known_digest: str | None = None
    trust: float | None = None

    @classmethod
    def of(
        cls, spec: ClipSpec, outcome: Outcome, reason: str | None = None, message: str | None = None
    ) -> "ClipReport":
        """The report of a planned clip."""
        known = spec.known_digest
        return cls(spec.clip_id, spec.video_url, outcome, reason, message, known_digest=known)
