"""What is wrong with an annotation is said before a byte is written."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from easi3r.config import StoreSettings
from easi3r.errors import DegenerateGeometryError, InvalidAnnotationError
from easi3r.store import write_clip
from easi3r.types import ClipAnnotation
from tests.store.annotations import make_annotation

BREAKAGES: dict[str, Callable[[ClipAnnotation], object]] = {
    "depth has 1 of": lambda a: a.reconstruction.depth.__setitem__((0, 1, 2), np.nan),
    "depth must be positive": lambda a: a.reconstruction.depth.__setitem__((0, 1, 2), 0),
    "confidence has 1 of": lambda a: a.reconstruction.confidence.__setitem__((0, 0, 0), np.inf),
    "confidence must be": lambda a: a.reconstruction.confidence.__setitem__((0, 0, 0), 0.5),
    "intrinsics has 9 of": lambda a: a.reconstruction.intrinsics.__setitem__(0, np.nan),
    "intrinsics need": lambda a: a.reconstruction.intrinsics.__setitem__((0, 1, 1), -3),
    "dynamic_score must": lambda a: a.dynamic_score.__setitem__((0, 0, 0), 1.5),
    "time must ascend": lambda a: a.pts_seconds.__setitem__(1, 0.0),
    "frame_index differs": lambda a: a.frame_index.__setitem__(1, 77),
    "scale must be": lambda a: object.__setattr__(a, "scale", "feet"),
    "depth has shape": lambda a: object.__setattr__(
        a.reconstruction, "depth", np.ones((5, 16, 31), np.float32)
    ),
    "dynamic_mask has shape": lambda a: object.__setattr__(
        a, "dynamic_mask", np.zeros((4, 16, 32), bool)
    ),
    "dynamic_score has shape": lambda a: object.__setattr__(
        a, "dynamic_score", np.zeros((2, 1, 2), np.float32)
    ),
}


@pytest.mark.parametrize("problem", BREAKAGES)
def test_a_broken_annotation_is_refused_by_name(problem: str, local_url: str) -> None:
    annotation = make_annotation()
    BREAKAGES[problem](annotation)
    with pytest.raises(InvalidAnnotationError, match=problem) as caught:
        write_clip(local_url, annotation, StoreSettings())
    assert annotation.spec.clip_id in str(caught.value)
    assert sorted(path.name for path in Path(local_url).iterdir()) == [".probe", "zarr.json"]


REFINED: dict[str, Callable[[ClipAnnotation], object]] = {
    "dynamic_mask_unrefined has shape": lambda a: object.__setattr__(
        a, "unrefined_mask", np.zeros((5, 16, 31), bool)
    ),
    "the refiner removed 1 pixels": lambda a: a.dynamic_mask.__setitem__(
        tuple(np.argwhere(a.unrefined_mask)[0]), False
    ),
    "go together, and one is missing": lambda a: object.__setattr__(a, "unrefined_mask", None),
}


@pytest.mark.parametrize("problem", REFINED)
def test_a_wrongly_refined_annotation_is_refused(problem: str, local_url: str) -> None:
    annotation = make_annotation(refined=True)
    REFINED[problem](annotation)
    with pytest.raises(InvalidAnnotationError, match=problem):
        write_clip(local_url, annotation, StoreSettings())


def test_a_pose_that_is_not_rigid_is_refused(local_url: str) -> None:
    annotation = make_annotation()
    annotation.reconstruction.camera_to_world[3, :3, :3] *= 1.01
    with pytest.raises(DegenerateGeometryError, match=r"camera_to_world\[3\]"):
        write_clip(local_url, annotation, StoreSettings())


def test_a_cleaned_pixel_and_a_single_frame_are_fine(local_url: str) -> None:
    annotation = make_annotation(frames=1)
    annotation.reconstruction.confidence[0, 0, 0] = 0
    assert write_clip(local_url, annotation, StoreSettings()).created
