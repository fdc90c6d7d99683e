"""Engines that cost nothing: a true store, plan and cluster can be tried with many clips.

Each class is an `easi3r.run.engine.EngineFactory`: pass it as `load`. None imports torch. What was
really computed is counted: every inference appends one line to the file that the environment
variable INFERENCE_LOG names.
"""

import os
import signal
import time
from collections import Counter
from pathlib import Path

import numpy as np

from easi3r.config import Settings
from easi3r.errors import (
    DegenerateGeometryError,
    DeviceFaultError,
    OutOfMemoryError,
    StorageUnavailableError,
)
from easi3r.types import ClipAnnotation, ClipSpec, Frames, Provenance, Reconstruction
from easi3r.video import decode

INFERENCE_LOG = "EASI3R_TEST_INFERENCE_LOG"
TROUBLED_CLIPS = "EASI3R_TEST_TROUBLED_CLIPS"
FAULTY_DEVICE = "EASI3R_TEST_FAULTY_DEVICE"
WEIGHTS_SHA256 = "0123456789abcdef" * 4
SIDE = 16  # pixels


def null_settings(**values: object) -> Settings:
    """Settings that the null engine runs under: its weights pinned, clips of three frames."""
    base = {
        "sampling": {"clip_frames": 3},
        "model": {"sha256": WEIGHTS_SHA256},
        "store": {"point_map": "derived"},
        "execution": {"device": "cpu", "clips_per_batch": 2, "storage_patience_seconds": 1.0},
    }
    return Settings.parse({**base, **values})


class NullEngine:
    """Tiny, valid annotations that follow from the clip's id alone; no video is opened."""

    weights_sha256 = WEIGHTS_SHA256
    device = "null"

    def __init__(self, settings: Settings) -> None:
        """As a factory: nothing to load."""

    @staticmethod
    def hash_of_weights(settings: Settings) -> str:
        """As a factory: of no bytes at all."""
        return WEIGHTS_SHA256

    def decode(self, spec: ClipSpec, settings: Settings) -> Frames:
        """Black frames of 16 x 16 pixels."""
        return Frames(
            images=np.zeros((len(spec), SIDE, SIDE, 3), np.uint8),
            pts_seconds=np.array(spec.pts_seconds),
            frame_index=np.array(spec.frame_index, np.int64),
            source_to_stored=np.eye(3),
        )

    def annotate(self, spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
        """The same for the same clip, in every process and at every time."""
        record_inference(spec.clip_id)
        return null_annotation(spec, frames, settings)


class DecodingEngine(NullEngine):
    """As `NullEngine`, but the frames are truly read and decoded before they are forgotten."""

    def decode(self, spec: ClipSpec, settings: Settings) -> Frames:
        """Black frames in place of those that were decoded."""
        decode(spec, 64, SIDE)
        return super().decode(spec, settings)


class SlowEngine(NullEngine):
    """As `NullEngine`, with an inference of a stated length: for simulations, not for tests."""

    def __init__(self, settings: Settings, seconds: float) -> None:
        super().__init__(settings)
        self._seconds = seconds

    def annotate(self, spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
        """Waits, as a GPU would be waited for."""
        time.sleep(self._seconds)
        return super().annotate(spec, frames, settings)


class PoisonEngine(NullEngine):
    """Kills its process at the clips of TROUBLED_CLIPS, each time anew."""

    def annotate(self, spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
        """Does not return for a poison clip."""
        if spec.clip_id in troubled_clips():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().annotate(spec, frames, settings)


class OutOfMemoryEngine(NullEngine):
    """Has no memory for the clips of TROUBLED_CLIPS, however small they are made."""

    def annotate(self, spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
        """Raises OutOfMemoryError for a troubled clip."""
        if spec.clip_id in troubled_clips():
            raise OutOfMemoryError(spec.clip_id, "no memory for one pair", "Take a larger device")
        return super().annotate(spec, frames, settings)


class DeviceFaultEngine(NullEngine):
    """Its device fails at each clip of TROUBLED_CLIPS, each time anew.

    Where FAULTY_DEVICE names a file, that file is the fault: it is gone after the first time.
    """

    def annotate(self, spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
        """Raises DeviceFaultError for a troubled clip."""
        fault = os.environ.get(FAULTY_DEVICE)
        if spec.clip_id in troubled_clips() and (fault is None or os.path.exists(fault)):
            if fault is not None:
                os.remove(fault)
            raise DeviceFaultError("cuda:0", "the device failed (ECC)", "Replace it")
        return super().annotate(spec, frames, settings)


class UnforeseenErrorEngine(NullEngine):
    """Fails at every clip in a way that no error of easi3r describes."""

    def annotate(self, spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
        """Raises RuntimeError."""
        raise RuntimeError("the driver is older than this torch")


class PermanentErrorEngine(NullEngine):
    """Fails for good at the clips of TROUBLED_CLIPS."""

    def annotate(self, spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
        """Raises DegenerateGeometryError for a troubled clip."""
        if spec.clip_id in troubled_clips():
            raise DegenerateGeometryError(spec.clip_id, "all points coincide", "Leave it out")
        return super().annotate(spec, frames, settings)


class TransientErrorEngine(NullEngine):
    """Fails at the first attempt at each clip of TROUBLED_CLIPS and passes at the second."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._attempts: Counter[str] = Counter()

    def annotate(self, spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
        """Raises StorageUnavailableError at the first attempt at a troubled clip."""
        self._attempts[spec.clip_id] += 1
        if spec.clip_id in troubled_clips() and self._attempts[spec.clip_id] == 1:
            raise StorageUnavailableError(spec.video_url, "answered 503", "Wait")
        return super().annotate(spec, frames, settings)


def troubled_clips() -> frozenset[str]:
    """Clip ids that the environment names, separated by commas."""
    return frozenset(filter(None, os.environ.get(TROUBLED_CLIPS, "").split(",")))


def record_inference(clip_id: str) -> None:
    """One line to the log of inferences, if there is one; whole beside any number of writers."""
    path = os.environ.get(INFERENCE_LOG)
    if not path:
        return
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(log, f"{clip_id} {os.getpid()}\n".encode())
    finally:
        os.close(log)


def inferences(log: Path) -> Counter[str]:
    """How often each clip was computed, by the log."""
    lines = log.read_text().splitlines() if log.exists() else []
    return Counter(line.split()[0] for line in lines)


def null_annotation(spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
    """A wall that turns: every value follows from the clip's id, none from a clock."""
    rng = np.random.default_rng(int(spec.clip_id[:16], 16))
    count = len(spec)
    return ClipAnnotation(
        spec=spec,
        pts_seconds=frames.pts_seconds,
        frame_index=frames.frame_index,
        source_to_stored=frames.source_to_stored,
        images_shape=(SIDE, SIDE),
        dynamic_score=rng.uniform(0, 1, (count, 1, 1)).astype(np.float32),
        dynamic_mask=rng.uniform(0, 1, (count, SIDE, SIDE)) > 0.5,
        reconstruction=_reconstruction(count, rng),
        provenance=Provenance(
            weights_name="null",
            weights_sha256=WEIGHTS_SHA256,
            weights_licence="none",
            code_version="test",
            settings_digest=settings.result_digest(spec.known_digest),
            known_digest=spec.known_digest,
            settings_json=settings.model_dump_json(include={"sampling"}),
            device="null",
        ),
    )


def _reconstruction(frames: int, rng: np.random.Generator) -> Reconstruction:
    camera_to_world = np.tile(np.eye(4), (frames, 1, 1))
    angles = np.concatenate([[0.0], rng.uniform(-0.2, 0.2, frames - 1)])
    camera_to_world[:, 0, 0] = camera_to_world[:, 2, 2] = np.cos(angles)
    camera_to_world[:, 0, 2] = np.sin(angles)
    camera_to_world[:, 2, 0] = -np.sin(angles)
    intrinsics = np.array([[20.0, 0, SIDE / 2], [0, 20.0, SIDE / 2], [0, 0, 1]])
    return Reconstruction(
        camera_to_world=camera_to_world,
        intrinsics=np.tile(intrinsics, (frames, 1, 1)),
        depth=rng.uniform(1, 2, (frames, SIDE, SIDE)).astype(np.float32),
        confidence=rng.uniform(1, 9, (frames, SIDE, SIDE)).astype(np.float32),
        loss_history=np.array([0.2, 0.1]),
        quality={"final_objective": 0.1},
    )
