"""The combined cue's calibration, on evidence with known motion."""

import numpy as np
import pytest
from pydantic import ValidationError

from easi3r.evaluation.mask_scores import score_masks
from easi3r.motion import FlowEvidence, MotionEvidence, combined_score
from easi3r.synthetic import sample_scene
from easi3r.training.batches import first_seed
from easi3r.training.calibration import FIRST_SEED, KnownClip, calibration_scenes, fit
from easi3r.training.training_settings import TrainingSettings
from easi3r.types import OpticalFlow

SHAPE = (4, 24, 32)
EDGES = np.array([[0, 1], [1, 2], [2, 3], [1, 0], [2, 1], [3, 2]], np.int64)
MOVER = (slice(None), slice(6, 16), slice(8, 20))


def clip(seed: int, moves: bool) -> KnownClip:
    """Flow that disagrees on the mover, more or less, and noise; attention that sees an object."""
    rng = np.random.default_rng(seed)
    residual = rng.exponential(0.4, SHAPE).astype(np.float32)
    attention = rng.uniform(0, 0.3, (SHAPE[0], 3, 4)).astype(np.float32)
    attention[:, 1, 1:3] += 0.5  # objects look like movers whether they move or not
    moving = np.zeros(SHAPE, bool)
    if moves:
        moving[MOVER] = True
        residual[MOVER] += rng.uniform(0.5, 6, (10, 12)).astype(np.float32)
    look = residual * 0.2
    flow = FlowEvidence(residual, residual, residual, look, look, np.ones(SHAPE, np.float32))
    tracks = OpticalFlow(
        EDGES,
        np.zeros((len(EDGES), *SHAPE[1:], 2), np.float32),
        np.ones((len(EDGES), *SHAPE[1:]), bool),
    )
    patches = np.broadcast_to(np.arange(SHAPE[1] * SHAPE[2]).reshape(SHAPE[1:]), SHAPE)
    objects = np.zeros(SHAPE, bool)
    objects[MOVER] = True
    return KnownClip(MotionEvidence(attention, flow, tracks, patches), moving, objects)


def test_the_calibrated_cue_masks_movers_and_no_still_clips() -> None:
    calibration = fit([clip(seed, moves=seed % 2 == 0) for seed in range(8)])
    for seed in (100, 101):
        known = clip(seed, moves=seed == 100)
        motion = combined_score(known.evidence, calibration)
        scores = score_masks(motion.mask, motion.score, known.moving)
        assert scores.false_positive_share < 0.02
        if known.moving.any():
            assert scores.auc > 0.95
            assert scores.jaccard_mean > 0.7


def test_calibration_needs_clips_with_and_without_movers() -> None:
    with pytest.raises(ValueError, match="with movers and clips without"):
        fit([clip(0, moves=True), clip(1, moves=True)])


def test_calibration_scenes_are_not_training_scenes() -> None:
    last_run = TrainingSettings(seed=999)
    with pytest.raises(ValidationError):
        TrainingSettings(seed=last_run.seed + 1)
    assert first_seed(last_run, step=0) + 10_000_000 <= FIRST_SEED


def test_a_quarter_of_calibration_scenes_is_still_and_a_quarter_has_a_static_camera() -> None:
    for number, moves in ((0, False), (1, True)):
        scene = sample_scene(FIRST_SEED + number, calibration_scenes(number))
        assert bool(scene.moving.any()) == moves
    assert np.ptp(scene.camera_to_room, axis=0).max() == 0  # that of clip 1
