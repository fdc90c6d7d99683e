"""Calibration of the combined motion cue: a logistic model fitted on scenes that training may see.

`python -m easi3r.training.calibration W.safetensors` writes the calibration into the weights' own
file, so that their hash covers it. The benchmark's clips (other seeds, textures and shapes) are
not used.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
import typer
from jaxtyping import Bool, Float32

from easi3r.config import MotionCalibration, Settings, WeightDefaults
from easi3r.evaluation.benchmark import read_frames, truth_of
from easi3r.evaluation.mask_scores import score_masks
from easi3r.model import load_checkpoint, save_checkpoint
from easi3r.motion import MotionEvidence, features, likely_mask, probability
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
from easi3r.training.losses import MATCH_HEAD, MATCH_LAYERS

FIRST_SEED = 10_001_000_000  # beyond the seeds of every training run
FRAMES = 14
_SIZES = ((240, 320), (180, 320), (240, 320), (320, 240))
# Share of a still clip's pixels that may be called moving: a fifth of what the benchmark allows,
# since scenes unlike those of the calibration show about three times as much.
_MOST_FALSE = 0.01
_PIXELS_PER_CLIP = 4000
_WEIGHT_OF_STILL_OBJECTS = 2.0  # of their pixels: they look as if they moved
_LOGITS = np.arange(-3.0, 2.1, 0.5)  # of thresholds that are tried


@dataclass(frozen=True)
class KnownClip:
    """Evidence of a clip whose motion is known.

    Attributes:
        objects: True on whatever could move, whether it does or not.
    """

    evidence: MotionEvidence
    moving: Bool[np.ndarray, "frames height width"]
    objects: Bool[np.ndarray, "frames height width"]


def calibration_scenes(number: int) -> SceneSettings:
    """Settings of a clip's scene: of four, one without movers, one with a static camera."""
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
    # A calibration that the weights carry already is ignored.
    model = replace(load_checkpoint(weights), recommended=WeightDefaults())
    rendered = render(sample_scene(FIRST_SEED + number, calibration_scenes(number)))
    with TemporaryDirectory() as folder:
        video = write_clip(rendered, Path(folder), "clip", crf=20 + number % 7)
        frames = read_frames(video, len(rendered), settings, model)
    examination = examine_frames(frames, model, settings)
    truth = truth_of(rendered, frames)
    assert truth.objects is not None  # rendered clips have them
    return KnownClip(examination.evidence, truth.dynamic_mask, truth.objects)


def fit(clips: Sequence[KnownClip]) -> MotionCalibration:
    """Fit a logistic model of the features, and the two thresholds that do best on these clips.

    Of the thresholds under which at most `_MOST_FALSE` of the still clips' pixels are called
    moving, those with the highest mean JM over the clips with movers.

    Raises:
        ValueError: no clip has movers, or none is still.
    """
    if len({bool(clip.moving.any()) for clip in clips}) != 2:
        raise ValueError("calibration needs clips with movers and clips without")
    # Imported here: scikit-learn takes a second, which every process of the pool would wait for.
    from scipy.special import expit
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    rows, labels, weights = [], [], []
    for clip in clips:
        chosen = rng.choice(
            clip.moving.size, min(clip.moving.size, _PIXELS_PER_CLIP), replace=False
        )
        rows.append(features(clip.evidence).reshape(clip.moving.size, -1)[chosen])
        labels.append(clip.moving.reshape(-1)[chosen])
        still_objects = clip.objects.reshape(-1)[chosen] & ~labels[-1]
        weights.append(np.where(still_objects, _WEIGHT_OF_STILL_OBJECTS, 1.0))
    values, moving, weight = map(np.concatenate, (rows, labels, weights))
    scaler = StandardScaler().fit(values)
    model = LogisticRegression(max_iter=1000)
    model.fit(scaler.transform(values), moving, sample_weight=weight)
    coefficients = model.coef_[0] / scaler.scale_
    intercept = float(model.intercept_[0] - coefficients @ scaler.mean_)
    candidates = [
        MotionCalibration(
            coefficients=tuple(coefficients.tolist()),
            intercept=intercept,
            threshold=float(expit(low)),
            certain=float(expit(high)),
        )
        for low in _LOGITS
        for high in _LOGITS
        if high >= low
    ]
    scores = [probability(clip.evidence, candidates[0]) for clip in clips]
    return max(candidates, key=lambda candidate: _agreement(clips, scores, candidate))


def _agreement(
    clips: Sequence[KnownClip],
    scores: Sequence[Float32[np.ndarray, "frames height width"]],
    calibration: MotionCalibration,
) -> tuple[bool, float]:
    """Whether still clips stay almost still, and the mean JM of those with movers."""
    agreement, false = [], []
    for clip, score in zip(clips, scores, strict=True):
        judged = score_masks(likely_mask(score, calibration), score, clip.moving)
        if clip.moving.any():
            agreement.append(judged.jaccard_mean)
        else:
            false.append(judged.false_positive_share)
    return bool(np.mean(false) <= _MOST_FALSE), float(np.mean(agreement))


def examine_clips(
    count: int, weights: str, settings: Settings, processes: int
) -> Iterator[KnownClip]:
    """Evidence of the first calibration clips, as they are finished."""
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, context) as executor:
        futures = [executor.submit(examine_clip, n, weights, settings) for n in range(count)]
        try:
            for future in futures:
                yield future.result()
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


def calibrate(
    weights: Path,
    clips: int = 80,
    flow_weight: float = 2.5,
    flow_check: bool = True,
    processes: int = 2,
) -> None:
    """Calibrates the combined cue of nano-like weights and writes it into their file.

    The match cue reads the attention that training supervises.
    """
    recommended = WeightDefaults(
        cue="flow",
        match_layers=MATCH_LAYERS,
        match_heads=(MATCH_HEAD,),
        flow_weight=flow_weight,
        flow_check=flow_check,
    )
    settings = Settings().completed(recommended)
    known = []
    start = time.monotonic()
    for clip in examine_clips(clips, str(weights), settings, processes):
        known.append(clip)
        left = (time.monotonic() - start) / len(known) * (clips - len(known)) / 60
        print(f"{len(known)} of {clips} clips, {left:.0f} min left", flush=True)
    calibration = fit(known)
    chosen = recommended.model_copy(update={"cue": "combined", "calibration": calibration})
    loaded = load_checkpoint(str(weights))
    save_checkpoint(weights, loaded.network, loaded.licence, chosen)
    print(chosen.model_dump_json(indent=2))


if __name__ == "__main__":
    typer.run(calibrate)
