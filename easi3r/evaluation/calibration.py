"""How much each piece of evidence says about motion, fitted on scenes that training may see.

`python -m easi3r.evaluation.calibration --weights W.safetensors` writes what it finds into the
weights' own file, so that their hash covers it. The benchmark's clips (other seeds, textures and
shapes) take no part.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float32
from sklearn.linear_model import LogisticRegression

from easi3r.config import MotionCalibration, Settings
from easi3r.evaluation.masks import score_masks
from easi3r.evaluation.benchmark import read_frames, truth_of
from easi3r.model import load_checkpoint
from easi3r.motion import combined_score, features
from easi3r.motion.combination import MotionEvidence
from easi3r.pipeline import examine_frames
from easi3r.synthetic import (
    CameraKind,
    CameraSettings,
    MoverSettings,
    SceneSettings,
    render,
    sample_scene,
    write_clip,
)

FIRST_SEED = 9_990_000_000  # of training's seeds, those that no run of fewer than 999 has
FRAMES = 14
_SIZES = ((240, 320), (180, 320), (240, 320), (320, 240))
_MOST_FALSE = 0.01  # share of a still clip's pixels that may be called moving
_PIXELS_PER_CLIP = 4000
_THRESHOLDS = np.arange(0.3, 0.96, 0.025)


@dataclass(frozen=True)
class KnownClip:
    """Evidence of a clip whose motion is known."""

    evidence: MotionEvidence
    moving: Bool[np.ndarray, "frames height width"]


def calibration_scenes(number: int) -> SceneSettings:
    """Of a clip: every fourth still, every fourth by a camera on a tripod, the rest of movers."""
    height, width = _SIZES[number // 4 % len(_SIZES)]
    still_camera = CameraSettings(kinds=(CameraKind.STILL,))
    travelling = CameraSettings(
        kinds=tuple(kind for kind in CameraKind if kind != CameraKind.STILL)
    )
    movers = MoverSettings(visible=(1, 4), look_alikes=0.4)
    if number % 4 == 0:
        movers = MoverSettings(static_scene_probability=1.0)
    return SceneSettings(
        frames=FRAMES,
        height=height,
        width=width,
        frames_per_second=float(8 + number % 7),
        camera=still_camera if number % 4 == 1 else travelling,
        movers=movers,
    )


def examine_clip(number: int, weights: str, settings: Settings) -> KnownClip:
    """Evidence of the calibration clip of this number, steered by the flow cue."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    model = load_checkpoint(weights)
    rendered = render(sample_scene(FIRST_SEED + number, calibration_scenes(number)))
    with TemporaryDirectory() as folder:
        video = write_clip(rendered, Path(folder), "clip", crf=20 + number % 7)
        frames = read_frames(video, len(rendered), settings, model)
    found = examine_frames(frames, model, settings)
    return KnownClip(found.evidence, truth_of(rendered, frames).dynamic_mask)


def fit(clips: Sequence[KnownClip]) -> MotionCalibration:
    """A logistic model of the features, and the threshold that serves these clips best.

    The threshold maximises the mean JM over all clips, still ones included (there only an empty
    mask counts), among those that call at most `_MOST_FALSE` of the still clips' pixels moving.

    Raises:
        ValueError: no clip has movers, or none is still.
    """
    if len({bool(clip.moving.any()) for clip in clips}) != 2:
        raise ValueError("calibration needs clips with movers and clips without")
    rng = np.random.default_rng(0)
    rows, labels = [], []
    for clip in clips:
        chosen = rng.choice(
            clip.moving.size, min(clip.moving.size, _PIXELS_PER_CLIP), replace=False
        )
        rows.append(features(clip.evidence).reshape(clip.moving.size, -1)[chosen])
        labels.append(clip.moving.reshape(-1)[chosen])
    values, moving = np.concatenate(rows), np.concatenate(labels)
    spread = values.std(axis=0) + 1e-6
    model = LogisticRegression(max_iter=1000).fit(values / spread, moving)
    fitted = MotionCalibration(
        coefficients=tuple((model.coef_[0] / spread).tolist()),
        intercept=float(model.intercept_[0]),
        threshold=0.5,
    )
    return fitted.model_copy(update={"threshold": _best_threshold(clips, fitted)})


def _best_threshold(clips: Sequence[KnownClip], fitted: MotionCalibration) -> float:
    scores = [combined_score(clip.evidence, fitted).score for clip in clips]

    def agreement(threshold: float) -> tuple[bool, float]:
        judged = [score_masks(s > threshold, s, c.moving) for s, c in zip(scores, clips)]
        still = [one.false_positive_share for one, c in zip(judged, clips) if not c.moving.any()]
        return bool(np.mean(still) <= _MOST_FALSE), float(np.mean([j.jaccard_mean for j in judged]))

    return float(max(_THRESHOLDS, key=lambda threshold: agreement(float(threshold))))
