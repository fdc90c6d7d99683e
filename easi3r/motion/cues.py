"""Motion cues: masks from flow or matches alone, or from flow and attention in a logistic model."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

from easi3r.config import MotionCalibration
from easi3r.errors import SettingsError
from easi3r.motion.flow_evidence import FlowEvidence
from easi3r.motion.pooling import neighbourhood_mean, superpixel_mean, trajectory_mean
from easi3r.types import OpticalFlow

FLOW_THRESHOLD = 2.0
"""Motion threshold of the flow cue: residual, in expected errors, above which a pixel moves."""

MATCH_THRESHOLD = 1.0
"""Motion threshold of the match cue: residual, in tokens, above which a token moves."""

FRAMES_AROUND = 5
"""Number of frames, centred on a pixel's own, over which evidence near it is averaged in time."""

FEATURES = 22
"""Number of features of a pixel; see `features`."""


@dataclass(frozen=True)
class MotionEvidence:
    """Inputs of the combined cue.

    Attributes:
        attention: Easi3R's dynamic map, averaged over clusters, 0..1 (docs/method.md §4, step 3).
        flow: residuals of optical flow against the reconstruction.
        tracks: the flow itself, along which evidence is averaged.
        patches: superpixels of each frame, over which evidence is averaged.
    """

    attention: Float32[np.ndarray, "frames rows columns"]
    flow: FlowEvidence
    tracks: OpticalFlow
    patches: Int64[np.ndarray, "frames height width"]


@dataclass(frozen=True)
class MotionScore:
    """Motion score and mask of one cue.

    Attributes:
        score: 0..1, higher where motion is likelier.
        mask: True where the score exceeds `threshold` (for the combined cue: in a region that
            somewhere exceeds the calibration's `certain` too).
        threshold: motion threshold of the clip, 0..1.
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
    return MotionScore.above(_saturated(flow.residual, FLOW_THRESHOLD), 0.5)


def match_score(
    residual: Float32[np.ndarray, "frames rows columns"], height: int, width: int
) -> MotionScore:
    """The match cue alone, upsampled bilinearly; as the flow cue, with `MATCH_THRESHOLD`.

    Args:
        residual: as `match_residual` gives it, in tokens.
        height, width: of the masks, in pixels.
    """
    return MotionScore.above(_upsampled(_saturated(residual, MATCH_THRESHOLD), height, width), 0.5)


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
    # scipy and scikit-image are slow to import: only the combined cue needs them and waits.
    from scipy.special import expit

    if len(calibration.coefficients) != FEATURES:
        problem = f"{len(calibration.coefficients)} coefficients for {FEATURES} features"
        raise SettingsError("motion.calibration", problem, "Calibrate again with this version")
    logit = np.full(evidence.flow.seen.shape, calibration.intercept, np.float32)
    # One map at a time: together they would take more memory than anything else of a clip.
    for coefficient, values in zip(calibration.coefficients, _features(evidence), strict=True):
        logit += np.float32(coefficient) * values
    return expit(logit)


def likely_mask(
    score: Float32[np.ndarray, "frames height width"], calibration: MotionCalibration
) -> Bool[np.ndarray, "frames height width"]:
    """Hysteresis threshold: likely pixels that connect, in space and time, to a certain one.

    A low threshold alone calls still clips moving, a high one alone keeps the core of a mover.
    """
    from skimage.filters import apply_hysteresis_threshold  # here: see `probability`

    return apply_hysteresis_threshold(score, calibration.threshold, calibration.certain)


def features(evidence: MotionEvidence) -> Float32[np.ndarray, "frames height width 22"]:
    """Inputs of the logistic model, per pixel.

    For each of six pieces of evidence (logarithms of 1 + residual, strict, loose and the two
    photometric residuals of the flow; attention) the mean near the pixel, along its trajectory,
    and along the trajectories of its superpixel. Then the share of pairs that see the pixel; the
    residual's median over the clip, which is high where cameras or flow are wrong and nothing is
    certain; and attention times the residual nearby in space and time, and times that median:
    attention is high on what could move, and counts for more where flow agrees. Matches are left
    out: held-out accuracy was lower with them.
    """
    return np.stack(list(_features(evidence)), axis=-1)


def _features(evidence: MotionEvidence) -> Iterator[Float32[np.ndarray, "frames height width"]]:
    """The maps of `features`, one after the other."""
    from scipy.ndimage import uniform_filter1d  # here: see `probability`

    flow = evidence.flow
    residual = np.log1p(flow.residual)
    attention = _upsampled(evidence.attention, *residual.shape[1:])
    others = (
        flow.strict_residual,
        flow.loose_residual,
        flow.photometric_residual,
        flow.loose_photometric_residual,
    )
    for values in (residual, *map(np.log1p, others), attention):
        followed = trajectory_mean(values, evidence.tracks)
        yield neighbourhood_mean(values)
        yield followed
        yield superpixel_mean(followed, evidence.patches)
    yield flow.seen
    median = np.median(residual)
    yield np.broadcast_to(median, residual.shape)
    yield attention * uniform_filter1d(
        neighbourhood_mean(residual), FRAMES_AROUND, axis=0, mode="nearest"
    )
    yield attention * median


def _upsampled(
    tokens: Float[np.ndarray, "frames rows columns"], height: int, width: int
) -> Float32[np.ndarray, "frames height width"]:
    """Bilinear, at half-pixel centres, as docs/method.md §4 upsamples scores."""
    size = (width, height)
    maps = [
        cv2.resize(one.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) for one in tokens
    ]
    return np.stack(maps)


def _saturated(residual: np.ndarray, middle: float) -> np.ndarray:
    """0..1, one half at `middle`."""
    return residual / (residual + middle)
