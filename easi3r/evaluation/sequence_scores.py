"""Scores of one sequence, from its committed clips: masks, cameras, depth and points."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Float64, UInt8

from easi3r.evaluation.depth_scores import (
    PointDistances,
    known_depth,
    point_distances,
    score_depth,
    score_depth_per_frame,
)
from easi3r.evaluation.path_scores import known_poses, score_path
from easi3r.evaluation.region_scores import score_regions
from easi3r.evaluation.sequence import STILL, LeftOut, TrueSequence
from easi3r.evaluation.stored_clips import Mask, StoredClip
from easi3r.geometry import transform_intrinsics, world_point_map
from easi3r.geometry.similarity import best_similarity

Values = dict[str, float]
"""Figures by key (`easi3r.evaluation.sequence_tables`); NaN where one is not defined."""


@dataclass(frozen=True)
class SequenceResult:
    """A sequence of a data set: its scores, or why there are none.

    Attributes:
        frames: number of frames of the sequence.
        clips: number of clips that annotate it.
        values: figures by the name of the method, ours and baselines.
        problem: why there are no scores; empty where there are.
        notes: why single figures are missing.
        left_out: what the reader could not use.
        seconds: by what they were spent on.
    """

    name: str
    dataset: str
    frames: int
    clips: int = 0
    values: dict[str, Values] = field(default_factory=dict)
    problem: str = ""
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)


def mask_values(sequence: TrueSequence, masks: Iterable[tuple[int, Mask]]) -> Values:
    """J and F over the frames with a true mask, of masks at the source's pixels; none without any.

    DAVIS leaves the first and the last frame out.

    Args:
        masks: place and mask, in order; walked through once.
    """
    scores = score_regions(_judged(sequence, masks))
    if not scores.frames:
        return {}
    return {
        "jf": scores.region_and_boundary,
        "j_mean": scores.region.mean,
        "j_recall": scores.region.recall,
        "j_decay": scores.region.decay,
        "f_mean": scores.boundary.mean,
        "f_recall": scores.boundary.recall,
        "f_decay": scores.boundary.decay,
    }


def _judged(
    sequence: TrueSequence, masks: Iterable[tuple[int, Mask]]
) -> Iterator[tuple[Mask, UInt8[np.ndarray, "height width"]]]:
    ends = {0, len(sequence) - 1} if sequence.dataset == "davis" else set()
    for place, mask in masks:
        truth = sequence.motion(place)
        if truth is None and sequence.nothing_moves:
            truth = np.full(mask.shape, STILL, np.uint8)
        if truth is not None and place not in ends:
            yield mask, truth


def camera_values(
    sequence: TrueSequence,
    clips: Sequence[StoredClip],
    paths: Iterable[Float64[np.ndarray, "frames 4 4"]],
) -> tuple[Values, tuple[str, ...]]:
    """ATE and RPE, and notes on what is not defined; none where no pose is known.

    Args:
        paths: camera-to-world poses of each clip; each clip is judged in its own world.
    """
    if sequence.camera_to_world is None:
        return {}, ()
    parts: list[tuple[int, Values]] = []
    notes: list[str] = []
    for clip, path in zip(clips, paths, strict=True):
        scores = score_path(path, sequence.camera_to_world[clip.places])
        if scores.problem:
            notes.append(f"cameras: {scores.problem}")
        values = asdict(scores)
        del values["problem"]
        parts.append((len(clip), values))
    return averaged(parts), tuple(dict.fromkeys(notes))


def depth_values(
    depths: Sequence[Float[np.ndarray, "frames height width"]],
    truths: Sequence[Float[np.ndarray, "frames height width"]],
) -> Values:
    """Abs-rel and delta after one scale a clip, and after a scale and shift a frame.

    Args:
        depths: of each clip, > 0.
        truths: true depth of each clip at the same pixels; none where nothing is known.
    """
    parts: list[tuple[int, Values]] = []
    for depth, truth in zip(depths, truths, strict=True):
        if known_depth(truth).any():
            per_frame = asdict(score_depth_per_frame(depth, truth))
            values = asdict(score_depth(depth, truth))
            values |= {f"{key}_per_frame": value for key, value in per_frame.items()}
            parts.append((len(depth), values))
    return averaged(parts)


def depth_notes(sequence: TrueSequence) -> tuple[str, ...]:
    """How many true depths are left out for being nearer than any sensor measures."""
    pixels = sum(sequence.depth_left_out(place) for place in range(len(sequence)))
    return (f"depth: {pixels} pixels nearer than the least true depth left out",) if pixels else ()


def point_values(
    sequence: TrueSequence,
    clips: Sequence[StoredClip],
    depths: Sequence[Float[np.ndarray, "frames height width"]],
    truths: Sequence[Float[np.ndarray, "frames height width"]],
) -> tuple[Values, tuple[str, ...]]:
    """Accuracy, completeness and distance of world points, after the cameras' similarity.

    Args:
        depths, truths: as in `depth_values`.
    """
    if sequence.camera_to_world is None or sequence.intrinsics is None:
        return {}, ()
    parts = [
        (len(clip), asdict(_point_distances(sequence, clip, depth, truth)))
        for clip, depth, truth in zip(clips, depths, truths, strict=True)
    ]
    values = averaged(parts)
    lost = [key for key, value in values.items() if math.isnan(value)]
    return values, ("points: no similarity of the cameras, or no true depth",) if lost else ()


def _point_distances(
    sequence: TrueSequence,
    clip: StoredClip,
    depth: Float[np.ndarray, "frames height width"],
    truth: Float[np.ndarray, "frames height width"],
) -> PointDistances:
    assert sequence.camera_to_world is not None
    assert sequence.intrinsics is not None
    true_path = sequence.camera_to_world[clip.places]
    posed = known_poses(true_path)
    known = known_depth(truth) & posed[:, None, None]
    if math.isnan(score_path(clip.camera_to_world, true_path).ate) or not known.any():
        return PointDistances(*[math.nan] * 6)
    ours, true = (torch.from_numpy(p[posed, :3, 3]) for p in (clip.camera_to_world, true_path))
    onto_truth = best_similarity(ours, true)
    intrinsics = transform_intrinsics(sequence.intrinsics[clip.places], clip.source_to_stored)
    estimated = world_point_map(depth, clip.intrinsics, clip.camera_to_world)[known]
    expected = world_point_map(truth[posed], intrinsics[posed], true_path[posed])[known[posed]]
    return point_distances(onto_truth(torch.from_numpy(estimated)).numpy(), expected)


def averaged(parts: Sequence[tuple[int, Mapping[str, float]]]) -> Values:
    """Means of figures over clips, weighted by their frames; NaN where no clip has a figure."""
    keys = dict.fromkeys(key for _, values in parts for key in values)
    means = {}
    for key in keys:
        defined = [(n, v[key]) for n, v in parts if not math.isnan(v.get(key, math.nan))]
        frames = sum(n for n, _ in defined)
        means[key] = sum(n * value for n, value in defined) / frames if frames else math.nan
    return means
