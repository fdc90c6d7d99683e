"""From evidence to what moves: each cue alone, and flow and attention in a logistic model."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32
from scipy.ndimage import uniform_filter1d
from scipy.special import expit
from skimage.filters import apply_hysteresis_threshold

from easi3r.config import MotionCalibration
from easi3r.errors import SettingsError
from easi3r.motion.flow_evidence import FlowEvidence

FLOW_THRESHOLD = 2.0
"""Flow cue: residuals above this many expected errors move."""

MATCH_THRESHOLD = 1.0
"""Match cue: residuals above this many tokens move."""

NEIGHBOURHOOD = 1 / 12
"""Side of the square that nearby evidence is averaged over, as a share of the image's diagonal."""

FRAMES_AROUND = 5
"""Frames, its own in the middle, over which the evidence near a pixel is averaged in time."""


@dataclass(frozen=True)
class MotionEvidence:
    """What the combined cue weighs.

    Attributes:
        attention: Easi3R's dynamic map, averaged over clusters, 0..1 (METHOD section 4, step 3).
    """

    attention: Float32[np.ndarray, "frames rows columns"]
    flow: FlowEvidence


@dataclass(frozen=True)
class MotionScore:
    """What moves, as one cue sees it.

    Attributes:
        score: 0..1, higher where motion is likelier.
        mask: True where the score exceeds `threshold` (and, of the combined cue, touches a place
            where it is certain).
    """

    score: Float32[np.ndarray, "frames height width"]
    mask: Bool[np.ndarray, "frames height width"]
    threshold: float

    @classmethod
    def above(
        cls, score: Float[np.ndarray, "frames height width"], threshold: float
    ) -> "MotionScore":
        """Masks by one threshold for the clip."""
        score = score.astype(np.float32)
        return cls(score, score > threshold, threshold)


def flow_score(flow: FlowEvidence) -> MotionScore:
    """The flow cue alone: residual / (residual + `FLOW_THRESHOLD`), moving above one half."""
    return MotionScore.above(_squashed(flow.residual, FLOW_THRESHOLD), 0.5)


def match_score(
    residual: Float32[np.ndarray, "frames rows columns"], height: int, width: int
) -> MotionScore:
    """The match cue alone, upsampled bilinearly; as the flow cue, with `MATCH_THRESHOLD`.

    Args:
        residual: as `match_residual` gives it, in tokens.
        height, width: of the masks, in pixels.
    """
    return MotionScore.above(_upsampled(_squashed(residual, MATCH_THRESHOLD), height, width), 0.5)


def combined_score(evidence: MotionEvidence, calibration: MotionCalibration | None) -> MotionScore:
    """The combined cue: the probability that a pixel moves, given attention and flow.

    Raises:
        SettingsError: no calibration, or one of another number of features.
    """
    if calibration is None:
        problem = "the combined cue needs a calibration, and the weights bring none"
        remedy = "Choose the cue attention, flow or match, or give motion.calibration"
        raise SettingsError("motion.cue", problem, remedy)
    score = probability(evidence, calibration)
    return MotionScore(score, likely_mask(score, calibration), calibration.threshold)


def probability(
    evidence: MotionEvidence, calibration: MotionCalibration
) -> Float32[np.ndarray, "frames height width"]:
    """The logistic model of the features.

    Raises:
        SettingsError: a calibration of another number of features.
    """
    values = features(evidence)
    if len(calibration.coefficients) != values.shape[-1]:
        problem = f"{len(calibration.coefficients)} coefficients for {values.shape[-1]} features"
        raise SettingsError("motion.calibration", problem, "Calibrate again with this version")
    logit = values @ np.array(calibration.coefficients) + calibration.intercept
    return expit(logit).astype(np.float32)


def likely_mask(
    score: Float32[np.ndarray, "frames height width"], calibration: MotionCalibration
) -> Bool[np.ndarray, "frames height width"]:
    """Likely pixels that touch, in space or time, a chain of likely ones to a certain one.

    A low threshold alone calls still clips moving, a high one alone keeps the core of a mover.
    """
    return apply_hysteresis_threshold(score, calibration.threshold, calibration.certain)


def features(evidence: MotionEvidence) -> Float32[np.ndarray, "frames height width 11"]:
    """What the logistic model weighs, per pixel.

    Logarithms of 1 + residual, 1 + strict residual and 1 + worse look of the flow, each there and
    averaged over the neighbourhood; the share of pairs that see the pixel; attention; the first's
    median over the clip, which is high where cameras or flow are wrong and nothing is certain; and
    attention times the first's average over the neighbourhood in space and time, and times its
    median: attention lights up what could move, and counts for more where flow agrees. The matches
    take no part: with them, clips held out were told apart less well.
    """
    flow = evidence.flow
    height, width = flow.residual.shape[1:]
    of_flow = [
        np.log1p(values) for values in (flow.residual, flow.strict_residual, flow.worse_look)
    ]
    nearby = [_nearby(values) for values in of_flow]
    attention = _upsampled(evidence.attention, height, width)
    over_time = uniform_filter1d(nearby[0], FRAMES_AROUND, axis=0, mode="nearest")
    median = np.median(of_flow[0])
    maps = [
        *of_flow,
        *nearby,
        flow.seen,
        attention,
        np.broadcast_to(median, attention.shape),
        attention * over_time,
        attention * median,
    ]
    return np.stack(maps, axis=-1).astype(np.float32)


def _upsampled(
    tokens: Float[np.ndarray, "frames rows columns"], height: int, width: int
) -> Float32[np.ndarray, "frames height width"]:
    """Bilinear, at half-pixel centres, as METHOD section 4 upsamples scores."""
    size = (width, height)
    maps = [
        cv2.resize(one.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) for one in tokens
    ]
    return np.stack(maps)


def _squashed(residual: np.ndarray, middle: float) -> np.ndarray:
    """0..1, one half at `middle`."""
    return residual / (residual + middle)


def _nearby(
    values: Float32[np.ndarray, "frames height width"],
) -> Float32[np.ndarray, "frames height width"]:
    """Mean over a square around each pixel."""
    side = 1 + 2 * max(1, round(NEIGHBOURHOOD * np.hypot(*values.shape[1:]) / 2))
    return np.stack([cv2.blur(one, (side, side)) for one in values])
