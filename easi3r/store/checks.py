"""Checks of annotations: shapes, ranges and finiteness, before writing and in audits."""

from collections.abc import Iterator, Mapping

import numpy as np

from easi3r.errors import InvalidAnnotationError
from easi3r.geometry import require_poses
from easi3r.store.schema import UNIT_OF_LENGTH
from easi3r.types import ClipAnnotation


def check_annotation(annotation: ClipAnnotation) -> None:
    """Check shapes, ranges and finiteness of everything the store writes.

    Raises:
        InvalidAnnotationError: names the clip and everything that is wrong with it.
        DegenerateGeometryError: names the pose that is not a rigid transform.
    """
    problems = list(_wrong_shapes(annotation)) or list(_wrong_annotation(annotation))
    clip = annotation.spec.clip_id
    if problems:
        remedy = "Look for the cause upstream: the decoder, the network or the alignment"
        raise InvalidAnnotationError(f"clip {clip}", "; ".join(problems), remedy)
    require_poses(f"clip {clip}: camera_to_world", annotation.reconstruction.camera_to_world)


def _wrong_shapes(annotation: ClipAnnotation) -> Iterator[str]:
    frames = len(annotation.spec)
    images = (frames, *annotation.images_shape)
    reconstruction = annotation.reconstruction
    expected = [
        ("time", annotation.pts_seconds, (frames,)),
        ("frame_index", annotation.frame_index, (frames,)),
        ("source_to_stored", annotation.source_to_stored, (3, 3)),
        ("dynamic_mask", annotation.dynamic_mask, images),
        ("depth", reconstruction.depth, images),
        ("confidence", reconstruction.confidence, images),
        ("camera_to_world", reconstruction.camera_to_world, (frames, 4, 4)),
        ("intrinsics", reconstruction.intrinsics, (frames, 3, 3)),
    ]
    if annotation.unrefined_mask is not None:
        expected.append(("dynamic_mask_unrefined", annotation.unrefined_mask, images))
    for name, values, shape in expected:
        if values.shape != shape:
            yield f"{name} has shape {values.shape}, not {shape}"
    score = annotation.dynamic_score
    if score.ndim != 3 or len(score) != frames:
        yield f"dynamic_score has shape {score.shape}, not ({frames}, rows, columns)"
    if reconstruction.loss_history.ndim != 1:
        yield f"loss_history has shape {reconstruction.loss_history.shape}, not (steps,)"
    if 0 in images or 0 in score.shape:
        yield f"nothing to store: images of shape {images}, scores of shape {score.shape}"


def _wrong_annotation(annotation: ClipAnnotation) -> Iterator[str]:
    reconstruction = annotation.reconstruction
    yield from wrong_values(
        {
            "time": annotation.pts_seconds,
            "source_to_stored": annotation.source_to_stored,
            "dynamic_score": annotation.dynamic_score,
            "depth": reconstruction.depth,
            "confidence": reconstruction.confidence,
            "intrinsics": reconstruction.intrinsics,
        }
    )
    if tuple(annotation.frame_index.tolist()) != annotation.spec.frame_index:
        yield "frame_index differs from that of the clip's plan"
    if (annotation.unrefined_mask is None) is not (annotation.provenance.refiner_sha256 is None):
        yield "an unrefined mask and a refiner in the provenance go together, and one is missing"
    elif annotation.unrefined_mask is not None:
        removed = int((annotation.unrefined_mask & ~annotation.dynamic_mask).sum())
        if removed:
            yield f"the refiner removed {removed} pixels from dynamic_mask"
    if annotation.scale not in UNIT_OF_LENGTH:
        yield f"scale must be one of {sorted(UNIT_OF_LENGTH)}, not {annotation.scale!r}"


def wrong_values(arrays: Mapping[str, np.ndarray]) -> Iterator[str]:
    """What is wrong with the values of some arrays of a clip, named as in the schema."""
    for name, values in arrays.items():
        bad = int(np.count_nonzero(~np.isfinite(values)))
        if bad:
            yield f"{name} has {bad} of {values.size} values that are not finite"
        elif name in _RULES:
            yield from _RULES[name](values)


def _wrong_depth(depth: np.ndarray) -> Iterator[str]:
    if (depth <= 0).any():
        yield f"depth must be positive, and its smallest is {depth.min()}"


def _wrong_confidence(confidence: np.ndarray) -> Iterator[str]:
    if ((confidence < 1) & (confidence != 0)).any():
        yield "confidence must be 1 or more, or 0 where it was cleaned"


def _wrong_score(score: np.ndarray) -> Iterator[str]:
    if (score < 0).any() or (score > 1).any():
        yield "dynamic_score must lie in 0..1"


def _wrong_time(time: np.ndarray) -> Iterator[str]:
    if (np.diff(time) <= 0).any():
        yield "time must ascend"


def _wrong_frame_index(frame_index: np.ndarray) -> Iterator[str]:
    if (np.diff(frame_index) <= 0).any() or (frame_index < 0).any():
        yield "frame_index must ascend from 0 or more"


def _wrong_intrinsics(intrinsics: np.ndarray) -> Iterator[str]:
    focal = intrinsics[:, [0, 1], [0, 1]]
    if (focal <= 0).any() or (intrinsics[:, 2] != (0, 0, 1)).any():
        yield "intrinsics need positive focal lengths and the last row [0, 0, 1]"


_RULES = {
    "time": _wrong_time,
    "frame_index": _wrong_frame_index,
    "depth": _wrong_depth,
    "confidence": _wrong_confidence,
    "dynamic_score": _wrong_score,
    "intrinsics": _wrong_intrinsics,
}
