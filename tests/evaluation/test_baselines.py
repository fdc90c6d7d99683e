"""Baselines on images with known motion."""

import cv2
import numpy as np
import pytest

from easi3r.evaluation.baselines import (
    MotionMasks,
    constant_velocity,
    frame_difference,
    homography_residuals,
    mask_baselines,
    static_camera,
)
from easi3r.evaluation.mask_scores import score_masks
from easi3r.motion import DISFlow

HEIGHT, WIDTH, FRAMES = 96, 128, 6


def texture(seed: int, height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 255, size=(height, width, 3))
    return cv2.GaussianBlur(noise, (0, 0), 2.0) * 3 - 255


def clip(pan_px: float, mover_px: float) -> tuple[np.ndarray, np.ndarray]:
    """A panned and zoomed wall, and a square that goes across it: images and masks."""
    wall, square = texture(0, 2 * HEIGHT, 2 * WIDTH), texture(1, 32, 32)
    images, masks = [], []
    for frame in range(FRAMES):
        zoom = 1 + 0.01 * pan_px * frame
        view = np.array([[zoom, 0, -40 - pan_px * frame], [0, zoom, -30]])
        image = cv2.warpAffine(wall, view, (WIDTH, HEIGHT))
        mask = np.zeros((HEIGHT, WIDTH), bool)
        left = 20 + round(mover_px * frame)
        image[30:62, left : left + 32], mask[30:62, left : left + 32] = square, True
        images.append(np.clip(image, 0, 255).astype(np.uint8))
        masks.append(mask)
    return np.stack(images), np.stack(masks)


def named(images: np.ndarray, method: str) -> MotionMasks:
    [baseline] = [one for one in mask_baselines(images, DISFlow()) if one.method == method]
    return baseline


@pytest.mark.parametrize("method", ["flow vs homography", "flow vs homography, wide"])
def test_a_flat_wall_is_explained_and_a_mover_is_not(method: str) -> None:
    images, masks = clip(pan_px=2.0, mover_px=6.0)
    baseline = named(images, method)
    assert np.median(baseline.score[~masks]) < 0.2
    assert np.median(baseline.score[masks]) > 2.0
    scores = score_masks(baseline.mask, baseline.score, masks)
    assert scores.jaccard_mean > 0.6
    assert scores.auc > 0.95


def test_a_flat_wall_alone_leaves_nothing_unexplained() -> None:
    images, _ = clip(pan_px=2.0, mover_px=0.0)
    near, wide = homography_residuals(images[:, :, 56:], DISFlow())
    assert np.median(near) < 0.1
    assert np.median(wide) < 0.1


def test_frame_difference_sees_a_mover_before_a_still_camera_only() -> None:
    images, masks = clip(pan_px=0.0, mover_px=6.0)
    still = named(images, "frame difference")
    assert score_masks(still.mask, still.score, masks).auc > 0.9
    assert still.mask[~masks].mean() < 0.2
    panned, masks = clip(pan_px=3.0, mover_px=6.0)
    assert named(panned, "frame difference").mask[~masks].mean() > 0.3


def test_brightness_of_the_whole_frame_is_no_motion() -> None:
    images, _ = clip(pan_px=0.0, mover_px=0.0)
    brighter = np.clip(images // 2 + 10 * np.arange(FRAMES)[:, None, None, None], 0, 255)
    assert frame_difference(brighter.astype(np.uint8)).max() < 2.0


def test_all_dynamic_and_empty_masks() -> None:
    images, _ = clip(pan_px=0.0, mover_px=0.0)
    assert named(images, "all dynamic").mask.all()
    assert not named(images, "empty masks").mask.any()


def test_static_camera_and_constant_velocity_paths() -> None:
    assert np.ptp(static_camera(5), axis=0).max() == 0
    path = constant_velocity(5)
    np.testing.assert_array_equal(path[:, :3, :3], np.tile(np.eye(3), (5, 1, 1)))
    steps = np.diff(path[:, :3, 3], axis=0)
    assert steps == pytest.approx(np.tile([0, 0, 1], (4, 1)))
