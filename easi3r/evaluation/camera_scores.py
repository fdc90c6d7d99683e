"""Camera scores: ATE, RPE, relative rotation and direction; drift of a static camera."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from easi3r.errors import DegenerateGeometryError, MissingPackageError
from easi3r.geometry import invert_rigid
from easi3r.geometry.trajectory import align_path, trajectory_error

try:
    from evo.core.metrics import RPE, PoseRelation
    from evo.core.trajectory import PosePath3D
except ModuleNotFoundError as error:
    remedy = "Install it: pip install 'easi3r[evaluation]'"
    raise MissingPackageError("evaluation", f"needs the package {error.name}", remedy) from error

BASELINE_SHARE = 0.02
"""Two cameras closer than this share of the scene's median depth have no direction between them:
what a pixel at that depth shifts by is then below two pixels in images 100 pixels wide."""


@dataclass(frozen=True)
class PairErrors:
    """Errors of the relative poses of all pairs of frames, the earlier frame first.

    Attributes:
        gap: frames from one to the other.
        rotation_deg: angle between estimated and true relative rotation.
        direction_deg: angle between estimated and true direction from one camera to the other, in
            the axes of the first; 90 where the estimate does not move; NaN for pairs without
            baseline (see `BASELINE_SHARE`).
    """

    gap: Int64[np.ndarray, " pairs"]
    rotation_deg: Float64[np.ndarray, " pairs"]
    direction_deg: Float64[np.ndarray, " pairs"]


@dataclass(frozen=True)
class TrajectoryScores:
    """Camera errors, lower is better; lengths in the truth's unit.

    Attributes:
        ate: absolute trajectory error, RMSE of camera centres after the best similarity; NaN where
            the true camera stands still.
        rpe_translation, rpe_rotation_deg: relative pose error between consecutive frames (Sturm et
            al., IROS 2012), RMSE, after the same similarity; the translation is NaN where the true
            camera stands still.
        pairs: of every pair of frames.
    """

    ate: float
    rpe_translation: float
    rpe_rotation_deg: float
    pairs: PairErrors

    @property
    def rotation_deg(self) -> float:
        """Median over all pairs."""
        return float(np.median(self.pairs.rotation_deg))

    @property
    def direction_deg(self) -> float:
        """Median over the pairs with baseline; NaN without any."""
        defined = self.pairs.direction_deg[~np.isnan(self.pairs.direction_deg)]
        return float(np.median(defined)) if len(defined) else math.nan


@dataclass(frozen=True)
class StillCameraScores:
    """Apparent motion (drift) of a camera that truly stands still; lower is better.

    No similarity aligns a path with a point, so the scale comes from the depths: the estimate is
    divided by the median of estimated / true depth.

    Attributes:
        wander: RMS distance of the estimated centres from their mean, as a share of the scene's
            median depth.
        rotation_deg: median angle between two estimated cameras.
    """

    wander: float
    rotation_deg: float


def score_trajectory(
    estimate: Float64[np.ndarray, "frames 4 4"],
    truth: Float64[np.ndarray, "frames 4 4"],
    scene_depth: float,
) -> TrajectoryScores:
    """Errors of camera-to-world poses, after the similarity that best aligns them with the truth.

    Args:
        estimate, truth: camera-to-world poses of the same frames.
        scene_depth: median true depth, in the truth's unit; decides which pairs have a baseline.
    """
    pairs = _pair_errors(estimate, truth, BASELINE_SHARE * scene_depth)
    paths = (
        PosePath3D(poses_se3=list(truth)),
        PosePath3D(poses_se3=list(align_path(estimate, truth))),
    )
    rotation = _rmse(RPE(PoseRelation.rotation_angle_deg), paths)
    try:
        ate = trajectory_error(estimate, truth)
    except DegenerateGeometryError:  # the true camera stands still: documented as NaN
        return TrajectoryScores(math.nan, math.nan, rotation, pairs)
    return TrajectoryScores(ate, _rmse(RPE(PoseRelation.translation_part), paths), rotation, pairs)


def score_still_camera(
    camera_to_world: Float64[np.ndarray, "frames 4 4"],
    depth: Float32[np.ndarray, "frames height width"],
    true_depth: Float32[np.ndarray, "frames height width"],
) -> StillCameraScores:
    """Apparent motion of a camera that truly stands still.

    Args:
        depth: estimated, > 0.
        true_depth: pixels that are 0 or NaN are left out.
    """
    known = np.isfinite(true_depth) & (true_depth > 0)
    scale = np.median(depth[known] / true_depth[known])
    centres = camera_to_world[:, :3, 3]
    spread = np.sqrt(np.square(centres - centres.mean(axis=0)).sum(axis=1).mean())
    still = np.tile(np.eye(4), (len(camera_to_world), 1, 1))
    turned = _pair_errors(camera_to_world, still, 0.0).rotation_deg
    return StillCameraScores(
        wander=float(spread / scale / np.median(true_depth[known])),
        rotation_deg=float(np.median(turned)),
    )


def _rmse(metric: RPE, paths: tuple[PosePath3D, PosePath3D]) -> float:
    metric.process_data(paths)
    return float(metric.get_all_statistics()["rmse"])


def _pair_errors(
    estimate: Float64[np.ndarray, "frames 4 4"],
    truth: Float64[np.ndarray, "frames 4 4"],
    shortest_baseline: float,
) -> PairErrors:
    first, second = np.triu_indices(len(truth), k=1)
    ours = invert_rigid(estimate[first]) @ estimate[second]
    true = invert_rigid(truth[first]) @ truth[second]
    difference = np.swapaxes(true[:, :3, :3], 1, 2) @ ours[:, :3, :3]
    return PairErrors(
        gap=second - first,
        rotation_deg=np.degrees(_rotation_angles(difference)),
        direction_deg=_direction_errors(ours[:, :3, 3], true[:, :3, 3], shortest_baseline),
    )


def _rotation_angles(
    rotations: Float64[np.ndarray, "pairs 3 3"],
) -> Float64[np.ndarray, " pairs"]:
    # atan2 of sine and cosine: arccos of the trace alone loses small angles to rounding.
    skew = rotations - np.swapaxes(rotations, 1, 2)
    axis = np.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], axis=1)
    return np.arctan2(np.linalg.norm(axis, axis=1), np.trace(rotations, axis1=1, axis2=2) - 1)


def _direction_errors(
    ours: Float64[np.ndarray, "pairs 3"],
    true: Float64[np.ndarray, "pairs 3"],
    shortest_baseline: float,
) -> Float64[np.ndarray, " pairs"]:
    distance = np.linalg.norm(true, axis=1)
    sine = np.linalg.norm(np.cross(ours, true), axis=1)
    angles = np.degrees(np.arctan2(sine, (ours * true).sum(axis=1)))
    angles[np.linalg.norm(ours, axis=1) == 0] = 90.0
    angles[(distance == 0) | (distance < shortest_baseline)] = math.nan
    return angles
