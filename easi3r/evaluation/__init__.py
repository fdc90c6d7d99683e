"""Accuracy of annotations: masks, cameras, depth and points against ground truth, and baselines.

Start with `evaluate_clip`, which scores a clip of a store, and `scores_table`, which prints it.
"""

from easi3r.evaluation.camera_scores import (
    StillCameraScores,
    TrajectoryScores,
    score_still_camera,
    score_trajectory,
)
from easi3r.evaluation.clips import ClipScores, Estimate, Scores, evaluate_clip, score_estimate
from easi3r.evaluation.depth_scores import DepthScores, PointScores, score_depth, score_points
from easi3r.evaluation.mask_scores import MaskScores, score_masks
from easi3r.evaluation.table import scores_table
from easi3r.evaluation.truth import Truth, resample_truth

__all__ = [
    "ClipScores",
    "DepthScores",
    "Estimate",
    "MaskScores",
    "PointScores",
    "Scores",
    "StillCameraScores",
    "TrajectoryScores",
    "Truth",
    "evaluate_clip",
    "resample_truth",
    "score_depth",
    "score_estimate",
    "score_masks",
    "score_points",
    "score_still_camera",
    "score_trajectory",
    "scores_table",
]
