"""Aria Digital Twin as TAPVid-3D packs it."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from easi3r.synthetic import RenderedClip
from tests.replicas.clips import world_to_camera


def write_adt(root: Path, clips: dict[str, RenderedClip]) -> None:
    """A `.npz` a sequence; the first with an array of objects, the others of fixed-size bytes."""
    root.mkdir(parents=True, exist_ok=True)
    for number, (name, clip) in enumerate(clips.items()):
        encoded = [_jpeg(image) for image in clip.images]
        images = np.array(encoded, dtype=object if number == 0 else None)
        matrix = clip.intrinsics[0]
        np.savez(
            root / f"{name}.npz",
            images_jpeg_bytes=images,
            fx_fy_cx_cy=matrix[[0, 1, 0, 1], [0, 1, 2, 2]],
            extrinsics_w2c=world_to_camera(clip),
            tracks_XYZ=np.zeros((len(clip), 4, 3)),
            visibility=np.ones((len(clip), 4), bool),
        )


def _jpeg(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()
