"""nerfstudio's `transforms.json`: poses in OpenGL's camera axes, cameras of all frames or of each.

Axes are x right, y up, z backward, camera-to-world; pixel corners at integers. The world is that
before `applied_transform`, so that a COLMAP model and the file made from it say the same.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from easi3r.errors import KnownInputError
from easi3r.geometry import invert_rigid
from easi3r.known.json_values import coefficients_of, matrix_of, number_of, refuse_lens_kinds
from easi3r.known.lens import Lens, LensTable, centres_at_integers, lens_of, refuse_model
from easi3r.known.matching import ByNumber
from easi3r.known.pose_table import PoseTable, pose_of_matrix

_FOCAL = "fl_x"
_OPENGL_TO_OPENCV = np.diag([1.0, -1, -1, 1])


def is_nerfstudio(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object is laid out like a `transforms.json`."""
    return isinstance(document.get("frames"), list) or _FOCAL in document


def read_nerfstudio_poses(url: str, document: Mapping[str, Any]) -> PoseTable:
    """The poses of a `transforms.json`, and its cameras where it holds them.

    Raises:
        KnownInputError: no frames, a matrix that is no pose, a camera that cannot be undistorted.
    """
    frames = _frames(url, document)
    poses = []
    for place, frame in frames.items():
        values = matrix_of(url, place, frame.get("transform_matrix"))
        poses.append(pose_of_matrix(url, place, values))
    camera_to_world = np.stack(poses) @ _OPENGL_TO_OPENCV
    if "applied_transform" in document:
        values = matrix_of(url, "applied_transform", document["applied_transform"])
        applied = pose_of_matrix(url, "applied_transform", values)
        camera_to_world = invert_rigid(applied) @ camera_to_world
    has_cameras = _FOCAL in document or any(_FOCAL in frame for frame in frames.values())
    return PoseTable(
        url,
        camera_to_world,
        _matching(url, frames),
        read_nerfstudio_lenses(url, document) if has_cameras else None,
        number_of(url, "the file", {"applied_scale": 1.0, **document}, "applied_scale"),
    )


def read_nerfstudio_lenses(url: str, document: Mapping[str, Any]) -> LensTable:
    """The cameras of a `transforms.json`: one of all frames, or one for each.

    Raises:
        KnownInputError: a value is missing, or a camera cannot be undistorted.
    """
    if _FOCAL in document:
        return LensTable(url, (_lens(url, "the file", document),))
    frames = _frames(url, document)
    if not any(_FOCAL in frame for frame in frames.values()):
        problem = "holds no intrinsics (fl_x, fl_y, cx, cy, w, h)"
        raise KnownInputError(url, problem, "Add them, or give intrinsics in another file")
    lenses = tuple(_lens(url, place, {**document, **one}) for place, one in frames.items())
    return LensTable(url, lenses, _matching(url, frames))


def _frames(url: str, document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The frames, by their places in the file for messages."""
    frames = document.get("frames") or []
    if not frames or not all(isinstance(frame, dict) for frame in frames):
        raise KnownInputError(url, "holds no frames", "Give nerfstudio's transforms.json")
    refuse_lens_kinds(url, "the file", document)
    places = {f"frame {n} ({one.get('file_path')})": one for n, one in enumerate(frames)}
    for place, frame in places.items():
        refuse_lens_kinds(url, place, frame)
    return places


def _matching(url: str, frames: Mapping[str, Mapping[str, Any]]) -> ByNumber:
    for place, frame in frames.items():
        if not isinstance(frame.get("file_path"), str):
            raise KnownInputError(url, f"{place}: lacks 'file_path'", "Name its image")
    return ByNumber(tuple(frame["file_path"] for frame in frames.values()))


def _lens(url: str, place: str, values: Mapping[str, Any]) -> Lens:
    refuse_lens_kinds(url, place, values)
    model = str(values.get("camera_model", "OPENCV"))
    refuse_model(url, place, model)
    coefficients = coefficients_of(url, place, values)
    if model != "FULL_OPENCV" and any(coefficients.get(name) for name in ("k4", "k5", "k6")):
        problem = f"{place}: {model} has k4, k5 or k6, whose meaning differs between tools"
        raise KnownInputError(url, problem, "Undistort the video first, and give a pinhole")
    named = {
        name: number_of(url, place, values, key)
        for name, key in (("fx", _FOCAL), ("fy", "fl_y"), ("cx", "cx"), ("cy", "cy"))
    }
    size = (number_of(url, place, values, "w"), number_of(url, place, values, "h"))
    return lens_of(url, place, model, size, {**centres_at_integers(named), **coefficients})
