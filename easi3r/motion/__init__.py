"""Motion segmentation from geometry: flow and matches that a rigid scene does not explain.

Beside Easi3R's attention map (`easi3r.attention`), which needs no geometry. `clip_flow` estimates
flow, `flow_evidence` and `match_residual` compare it and attention's matches with a
reconstruction, `combined_score` weighs flow and attention. `pose_disagreement` holds poses that
the user gave against the flow.
"""

from easi3r.motion.cues import (
    MotionEvidence,
    MotionScore,
    combined_score,
    features,
    flow_score,
    likely_mask,
    match_score,
    probability,
)
from easi3r.motion.flow_evidence import FlowEvidence, flow_evidence
from easi3r.motion.match_residual import match_residual
from easi3r.motion.optical_flow import DISFlow, FlowEstimator, clip_flow
from easi3r.motion.pooling import superpixels
from easi3r.motion.pose_disagreement import (
    DISAGREEMENT_LIMIT,
    POSES_DISAGREE,
    pose_disagreement,
)

__all__ = [
    "DISAGREEMENT_LIMIT",
    "POSES_DISAGREE",
    "DISFlow",
    "FlowEstimator",
    "FlowEvidence",
    "MotionEvidence",
    "MotionScore",
    "clip_flow",
    "combined_score",
    "features",
    "flow_evidence",
    "flow_score",
    "likely_mask",
    "match_residual",
    "match_score",
    "pose_disagreement",
    "probability",
    "superpixels",
]
