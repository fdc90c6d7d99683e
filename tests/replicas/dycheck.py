"""DyCheck as packed for Shape of Motion: recorded cameras, refined ones, depths, masks."""

import json
import struct
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from easi3r.synthetic import RenderedClip
from tests.replicas.clips import save, world_to_camera

_RECORDED_ERROR_M = 0.02


def write_dycheck(root: Path, clips: dict[str, RenderedClip]) -> None:
    """The first sequence has refined cameras, beside recorded ones that are 2 cm off."""
    for number, (name, clip) in enumerate(clips.items()):
        folder = root / name
        stems = [f"0_{at:05d}" for at in range(len(clip))]
        for at, stem in enumerate(stems):
            opaque = np.full((*clip.images.shape[1:3], 1), 255, np.uint8)
            save(folder / f"rgb/1x/{stem}.png", np.concatenate([clip.images[at], opaque], axis=2))
            mask = clip.dynamic_mask[at].astype(np.uint8) * 255
            save(folder / f"flow3d_preprocessed/track_anything/1x/{stem}.png", mask)
            (folder / "depth/1x").mkdir(parents=True, exist_ok=True)
            np.save(folder / f"depth/1x/{stem}.npy", sensor_depth(clip, at)[..., None])
            _write_json(
                folder / f"camera/{stem}.json",
                _camera(clip, at, _RECORDED_ERROR_M if number == 0 else 0.0),
            )
        split = {
            "frame_names": stems,
            "camera_ids": [0] * len(clip),
            "time_ids": list(range(len(clip))),
        }
        _write_json(folder / "splits/train.json", split)
        _write_json(folder / "extra.json", {"factor": 2, "fps": 30.0})
        if number == 0:
            _write_model(folder / "flow3d_preprocessed/colmap/sparse", clip, stems)


def sensor_depth(clip: RenderedClip, at: int) -> np.ndarray:
    """Metres; the top left corner is not known."""
    depth = clip.depth[at].astype(np.float32).copy()
    depth[:4, :4] = 0
    return depth


def _camera(clip: RenderedClip, at: int, error_m: float) -> dict[str, object]:
    matrix, pose = clip.intrinsics[at], clip.camera_to_world[at]
    return {
        "focal_length": matrix[0, 0],
        "image_size": [clip.images.shape[2], clip.images.shape[1]],
        "orientation": pose[:3, :3].T.tolist(),
        "pixel_aspect_ratio": matrix[1, 1] / matrix[0, 0],
        "position": (pose[:3, 3] + error_m).tolist(),
        "principal_point": (matrix[:2, 2] + 0.5).tolist(),  # pixel centres at halves
        "radial_distortion": [0.0, 0.0, 0.0],
        "skew": 0.0,
        "tangential_distortion": [0.0, 0.0],
    }


def _write_model(folder: Path, clip: RenderedClip, stems: list[str]) -> None:
    """A binary COLMAP model with one PINHOLE camera."""
    folder.mkdir(parents=True, exist_ok=True)
    height, width = clip.images.shape[1:3]
    matrix = clip.intrinsics[0]
    numbers = (matrix[0, 0], matrix[1, 1], matrix[0, 2] + 0.5, matrix[1, 2] + 0.5)
    camera = struct.pack("<QiiQQ4d", 1, 1, 1, width, height, *numbers)
    (folder / "cameras.bin").write_bytes(camera)
    content = struct.pack("<Q", len(stems))
    for at, outwards in enumerate(world_to_camera(clip)):
        turn = Rotation.from_matrix(outwards[:3, :3]).as_quat(scalar_first=True)
        content += struct.pack("<i7di", at + 1, *turn, *outwards[:3, 3], 1)
        content += f"{stems[at]}.png".encode() + b"\0"
        content += struct.pack("<Q", 1) + struct.pack("<ddq", 1.0, 2.0, -1)
    (folder / "images.bin").write_bytes(content)


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
