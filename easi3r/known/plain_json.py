"""This project's own small JSON: intrinsics, poses, or both, in its own conventions.

`{"width": 854, "height": 480, "fx": 700, "fy": 700, "cx": 426.5, "cy": 239.5, "k1": 0.01,
"camera_to_world": [[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], ...]}`
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from easi3r.errors import KnownInputError
from easi3r.known.json_values import coefficients_of, matrix_of, number_of, refuse_lens_kinds
from easi3r.known.lens import LensTable, lens_of
from easi3r.known.matching import ByPlace
from easi3r.known.pose_table import PoseTable, pose_of_matrix

_POSES = "camera_to_world"
_INTRINSICS = ("width", "height", "fx", "fy", "cx", "cy")
_COEFFICIENTS = ("k1", "k2", "p1", "p2", "k3")
_KEYS = {*_INTRINSICS, *_COEFFICIENTS, _POSES}
_PLACE = "the file"


def read_json_poses(url: str, document: Mapping[str, Any]) -> PoseTable:
    """`camera_to_world`: 4x4 or 3x4, OpenCV axes, one for each frame in their order.

    Raises:
        KnownInputError: there is none, one is no pose, or the file holds what is not known here.
    """
    _refuse_others(url, document)
    matrices = document.get(_POSES)
    if not isinstance(matrices, list) or not matrices:
        problem = f"holds no list of poses {_POSES!r}"
        raise KnownInputError(url, problem, "Give one 4x4 for each frame, or another format")
    poses = []
    for number, matrix in enumerate(matrices):
        place = f"pose {number}"
        poses.append(pose_of_matrix(url, place, matrix_of(url, place, matrix)))
    lenses = read_json_lenses(url, document) if "fx" in document else None
    return PoseTable(url, np.stack(poses), ByPlace(len(poses), "poses"), lenses)


def read_json_lenses(url: str, document: Mapping[str, Any]) -> LensTable:
    """One camera of all frames; pixel centres at integers.

    Raises:
        KnownInputError: a value is missing, or the file holds what is not known here.
    """
    _refuse_others(url, document)
    named = {key: number_of(url, _PLACE, document, key) for key in _INTRINSICS}
    size = (named.pop("width"), named.pop("height"))
    values = {**named, **coefficients_of(url, _PLACE, document)}
    model = "OPENCV" if any(values.get(key) for key in _COEFFICIENTS) else "PINHOLE"
    return LensTable(url, (lens_of(url, _PLACE, model, size, values),))


def _refuse_others(url: str, document: Mapping[str, Any]) -> None:
    refuse_lens_kinds(url, _PLACE, document)
    if others := sorted(set(document) - _KEYS):
        problem = f"holds {', '.join(map(repr, others))}, which is not known here"
        remedy = f"Give {', '.join((*_INTRINSICS, *_COEFFICIENTS))} and {_POSES} alone"
        raise KnownInputError(url, problem, remedy)
