"""Engines that stop at a gate, in whatever process: a worker can be killed right there."""

import functools
import os
from collections.abc import Mapping
from pathlib import Path

from easi3r.config import Settings
from easi3r.types import ClipAnnotation, ClipSpec, Frames
from tests.engines import PermanentErrorEngine
from tests.faults.boundaries import At, Boundaries, StopAt
from tests.faults.gate import Gate

GATE = "EASI3R_TEST_GATE"
CLIP = "EASI3R_TEST_STOPPING_CLIP"
DATASET = "EASI3R_TEST_DATASET"
STEP = "EASI3R_TEST_STEP"


def stopping_at_clip(gate: Gate, clip_id: str) -> Mapping[str, str]:
    """Environment of `StopsDecoding` and `StopsAnnotating`."""
    return {GATE: str(gate.folder), CLIP: clip_id}


def stopping_at_step(gate: Gate, dataset: str, step: int) -> Mapping[str, str]:
    """Environment of `StopsWriting`: the step counts from the start of a worker."""
    return {GATE: str(gate.folder), DATASET: dataset, STEP: str(step)}


def _stop_at(spec: ClipSpec) -> None:
    if spec.clip_id == os.environ[CLIP]:
        Gate(Path(os.environ[GATE])).stop()


class StopsDecoding(PermanentErrorEngine):
    """Stops before it decodes a stated clip."""

    def decode(self, spec: ClipSpec, settings: Settings) -> Frames:
        """See `NullEngine.decode`."""
        _stop_at(spec)
        return super().decode(spec, settings)


class StopsAnnotating(PermanentErrorEngine):
    """Stops before it annotates a stated clip."""

    def annotate(self, spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
        """See `NullEngine.annotate`."""
        _stop_at(spec)
        return super().annotate(spec, frames, settings)


class StopsWriting(PermanentErrorEngine):
    """Stops before a stated step in a local dataset, whatever clip that belongs to."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        _watch_steps()


@functools.cache  # an audit hook stays until its process ends
def _watch_steps() -> None:
    gate = Gate(Path(os.environ[GATE]))
    Boundaries(Path(os.environ[DATASET]), At(int(os.environ[STEP]), StopAt(gate))).install()
