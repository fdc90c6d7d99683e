"""All scores of one clip, every method beside the others."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from easi3r.evaluation.baselines import (
    MotionMasks,
    constant_velocity,
    mask_baselines,
    static_camera,
)
from easi3r.evaluation.camera_scores import (
    StillCameraScores,
    TrajectoryScores,
    score_still_camera,
    score_trajectory,
)
from easi3r.evaluation.depth_scores import (
    DepthScores,
    PointScores,
    known_depth,
    score_depth,
    score_points,
)
from easi3r.evaluation.examination import OURS, ExaminedClip
from easi3r.evaluation.mask_scores import MaskScores, score_masks
from easi3r.evaluation.path_scores import known_poses
from easi3r.evaluation.truth import Truth
from easi3r.geometry import world_point_map
from easi3r.motion import FlowEstimator
from easi3r.types import Frames, Reconstruction
from easi3r.viz import TruthRow

FIRST_PASS = "first pass"
STATIC_CAMERA = "static camera"
CONSTANT_VELOCITY = "constant velocity"
CONSTANT_DEPTH = "constant depth"


@dataclass(frozen=True)
class GeometryScores:
    """Scores of one method; None where it estimates nothing, or the clip has no truth for it.

    Attributes:
        trajectory: of clips whose true camera moves.
        still_camera: of clips whose true camera stands still.
    """

    trajectory: TrajectoryScores | None = None
    still_camera: StillCameraScores | None = None
    depth: DepthScores | None = None
    points: PointScores | None = None


@dataclass(frozen=True)
class ClipResult:
    """One clip of a benchmark.

    Attributes:
        name: of the clip.
        group: what it is averaged with: its kind, or the name of a real sequence.
        frames, height, width: as the network saw it.
        scene_depth: median true depth, in the truth's unit; NaN where not known.
        moving_share: share of pixels that truly move; NaN where not known.
        masks, geometry: scores by the name of the method; empty where there is no truth.
        seconds: the pipeline's.
        pictures: some frames beside their truth.
    """

    name: str
    group: str
    frames: int
    height: int
    width: int
    scene_depth: float
    moving_share: float
    masks: dict[str, MaskScores]
    geometry: dict[str, GeometryScores]
    seconds: float
    pictures: tuple[TruthRow, ...]


def motion_methods(
    examined: ExaminedClip, frames: Frames, flow_estimator: FlowEstimator
) -> tuple[MotionMasks, ...]:
    """Our masks, those of every cue alone, and the baselines', all of the same frames."""
    baselines = mask_baselines(frames.images, flow_estimator)
    return (examined.masks, *examined.cues, *baselines)


def score_motion(
    methods: Iterable[MotionMasks],
    truth: Bool[np.ndarray, "frames height width"],
    objects: Bool[np.ndarray, "frames height width"] | None = None,
    counted: Bool[np.ndarray, "frames height width"] | None = None,
) -> dict[str, MaskScores]:
    """Scores of the masks of each method; for the other arguments see `score_masks`."""
    return {
        one.method: score_masks(one.mask, one.score, truth, objects, counted) for one in methods
    }


def score_geometry(
    examined: ExaminedClip, truth: Truth, camera_moves: bool
) -> dict[str, GeometryScores]:
    """Our cameras, depths and points, those of the first pass, and the baselines.

    Args:
        truth: depth of 0 or NaN where it is not known, poses of NaN where they are not.
        camera_moves: whether the true camera moves; decides which camera scores apply.
    """
    frames = len(truth)
    plane = np.ones_like(truth.depth)
    ours = examined.reconstruction
    scores = {
        OURS: _score_reconstruction(ours, truth, camera_moves),
        CONSTANT_DEPTH: GeometryScores(
            depth=score_depth(plane, truth.depth),
            points=_score_points(plane, ours.intrinsics, static_camera(frames), truth),
        ),
    }
    first = examined.first_reconstruction
    scores[FIRST_PASS] = _score_reconstruction(first, truth, camera_moves)
    if camera_moves:
        for name, poses in (
            (STATIC_CAMERA, static_camera(frames)),
            (CONSTANT_VELOCITY, constant_velocity(frames)),
        ):
            if (path := _score_path(poses, truth)) is not None:
                scores[name] = GeometryScores(trajectory=path)
    return scores


def _score_reconstruction(ours: Reconstruction, truth: Truth, camera_moves: bool) -> GeometryScores:
    poses = ours.camera_to_world
    trajectory, still_camera = None, None
    if camera_moves:
        trajectory = _score_path(poses, truth)
    else:
        still_camera = score_still_camera(poses, ours.depth, truth.depth)
    return GeometryScores(
        trajectory=trajectory,
        still_camera=still_camera,
        depth=score_depth(ours.depth, truth.depth),
        points=_score_points(ours.depth, ours.intrinsics, poses, truth),
    )


def _score_path(poses: Float64[np.ndarray, "frames 4 4"], truth: Truth) -> TrajectoryScores | None:
    """Over the frames whose true pose is known; None where no two are."""
    known = known_poses(truth.camera_to_world)
    if known.sum() < 2:
        return None
    return score_trajectory(poses[known], truth.camera_to_world[known], truth.scene_depth)


def _score_points(
    depth: np.ndarray, intrinsics: np.ndarray, poses: np.ndarray, truth: Truth
) -> PointScores:
    posed = known_poses(truth.camera_to_world)
    true_depth = truth.depth[posed]
    return score_points(
        world_point_map(depth[posed], intrinsics[posed], poses[posed]),
        world_point_map(true_depth, truth.intrinsics[posed], truth.camera_to_world[posed]),
        known_depth(true_depth),
    )
