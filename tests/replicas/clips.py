"""The scenes of the replicas, and small files that several layouts share."""

from pathlib import Path

import numpy as np
from PIL import Image

from easi3r.synthetic import (
    CameraKind,
    CameraSettings,
    MoverSettings,
    RenderedClip,
    SceneSettings,
    render,
    sample_scene,
)

_SEED = 4100


def replica_clip(number: int, frames: int, height: int, width: int) -> RenderedClip:
    """A scene in which one or two things move before a camera that moves too."""
    settings = SceneSettings(
        frames=frames,
        height=height,
        width=width,
        frames_per_second=30.0 if frames > 20 else 6.0,
        camera=CameraSettings(kinds=(CameraKind.SIDEWAYS, CameraKind.ORBIT)),
        movers=MoverSettings(visible=(1, 2)),
        objects=(3, 5),
    )
    return render(sample_scene(_SEED + number, settings))


def save(path: Path, values: np.ndarray) -> None:
    """Writes an image, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def world_to_camera(clip: RenderedClip) -> np.ndarray:
    """Inverses of the poses, by NumPy: not what the readers use."""
    return np.linalg.inv(clip.camera_to_world)
