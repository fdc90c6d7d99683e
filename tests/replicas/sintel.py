"""MPI Sintel, training, final pass."""

import struct
from pathlib import Path

import numpy as np

from easi3r.synthetic import RenderedClip
from tests.replicas.clips import save, world_to_camera

_TAG = struct.pack("<f", 202021.25)


def write_sintel(root: Path, clips: dict[str, RenderedClip]) -> None:
    """`training/final`, `training/camdata_left` and `training/depth`."""
    training = root / "training"
    for name, clip in clips.items():
        outwards = world_to_camera(clip)
        for at in range(len(clip)):
            stem = f"frame_{at + 1:04d}"
            save(training / "final" / name / f"{stem}.png", clip.images[at])
            camera = training / "camdata_left" / name / f"{stem}.cam"
            numbers = [*clip.intrinsics[at].ravel(), *outwards[at, :3].ravel()]
            _write(camera, _TAG + struct.pack("<21d", *numbers))
            height, width = clip.depth.shape[1:]
            depth = np.ascontiguousarray(clip.depth[at], "<f4").tobytes()
            size = struct.pack("<2i", width, height)
            _write(training / "depth" / name / f"{stem}.dpt", _TAG + size + depth)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
