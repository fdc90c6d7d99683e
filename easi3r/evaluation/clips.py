"""Every score of one annotated clip, beside those of trivial baselines."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Float32, Float64
from skimage.transform import resize

from easi3r.evaluation.camera_scores import TrajectoryScores, score_trajectory
from easi3r.evaluation.depth_scores import (
    DepthScores,
    PointScores,
    known_depth,
    score_depth,
    score_points,
)
from easi3r.evaluation.mask_scores import MaskScores, score_masks
from easi3r.evaluation.truth import Truth, resample_truth
from easi3r.geometry import world_point_map


@dataclass(frozen=True)
class Estimate:
    """Masks, cameras and depths of a clip, by an annotation or a baseline.

    Attributes:
        depth: > 0.
        camera_to_world: OpenCV axes.
        intrinsics: pixels of these arrays.
        dynamic_mask: True where something moves.
        dynamic_score: higher where something is more likely to move.
    """

    depth: Float32[np.ndarray, "frames height width"]
    camera_to_world: Float64[np.ndarray, "frames 4 4"]
    intrinsics: Float64[np.ndarray, "frames 3 3"]
    dynamic_mask: Bool[np.ndarray, "frames height width"]
    dynamic_score: Float[np.ndarray, "frames height width"]


@dataclass(frozen=True)
class Scores:
    """All scores of one estimate.

    Attributes:
        points: NaN where no true depth is known.
    """

    masks: MaskScores
    trajectory: TrajectoryScores
    depth: DepthScores
    points: PointScores


@dataclass(frozen=True)
class ClipScores:
    """An annotated clip and its baselines.

    Attributes:
        ours: of the annotation.
        still: of the answer that nothing moves: empty masks, a camera that stands still, a depth
            that is the same everywhere; with the annotation's intrinsics.
        all_moving: of masks that cover every frame.
    """

    clip_id: str
    ours: Scores
    still: Scores
    all_moving: MaskScores


def evaluate_clip(clip: xr.Dataset, truth: Truth) -> ClipScores:
    """Score a clip as `easi3r.open_dataset` gives it.

    Args:
        clip: every frame counts, the context around the owned range too.
        truth: of every frame of the source video, at its resolution; read at `frame_index`.

    Raises:
        ValueError: the truth has fewer frames than the clip names.
    """
    frames = clip["frame_index"].to_numpy()
    if frames.max() >= len(truth):
        raise ValueError(f"the clip names frame {frames.max()}, the truth has {len(truth)}")
    estimate = _estimate_of(clip)
    height, width = estimate.depth.shape[1:]
    source_to_stored = np.asarray(clip.attrs["source_to_stored"], np.float64).reshape(3, 3)
    target = resample_truth(truth, frames, source_to_stored, height, width)
    everything = np.ones_like(target.dynamic_mask)
    return ClipScores(
        clip_id=clip.attrs["clip_id"],
        ours=score_estimate(estimate, target),
        still=score_estimate(_still(estimate), target),
        all_moving=score_masks(everything, everything.astype(np.float32), target.dynamic_mask),
    )


def score_estimate(estimate: Estimate, truth: Truth) -> Scores:
    """Score arrays against the truth of the same frames at the same resolution."""
    masks = (estimate.dynamic_mask, estimate.dynamic_score)
    poses = (estimate.camera_to_world, truth.camera_to_world)
    return Scores(
        masks=score_masks(*masks, truth.dynamic_mask, truth.objects),
        trajectory=score_trajectory(*poses, truth.scene_depth),
        depth=score_depth(estimate.depth, truth.depth),
        points=score_points(
            world_point_map(estimate.depth, estimate.intrinsics, estimate.camera_to_world),
            world_point_map(truth.depth, truth.intrinsics, truth.camera_to_world),
            known_depth(truth.depth),
        ),
    )


def _estimate_of(clip: xr.Dataset) -> Estimate:
    depth = clip["depth"].to_numpy().astype(np.float32)
    score = clip["dynamic_score"].to_numpy()
    # Bilinear at half-pixel centres, as the masks were made from the scores.
    pixels = resize(score, depth.shape, order=1, mode="edge", anti_aliasing=False)
    return Estimate(
        depth=depth,
        camera_to_world=clip["camera_to_world"].to_numpy().astype(np.float64),
        intrinsics=clip["intrinsics"].to_numpy().astype(np.float64),
        dynamic_mask=clip["dynamic_mask"].to_numpy().astype(bool),
        dynamic_score=pixels,
    )


def _still(estimate: Estimate) -> Estimate:
    return Estimate(
        depth=np.ones_like(estimate.depth),
        camera_to_world=np.tile(np.eye(4), (len(estimate.depth), 1, 1)),
        intrinsics=estimate.intrinsics,
        dynamic_mask=np.zeros_like(estimate.dynamic_mask),
        dynamic_score=np.zeros_like(estimate.depth),
    )
