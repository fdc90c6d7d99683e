"""J and F: values worked out by hand, and a second reading of DAVIS's definition."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.evaluation.region_scores import (
    boundary_f,
    jaccard,
    score_regions,
    statistics,
)
from easi3r.evaluation.sequence import MOVING, STILL, VOID


def truth_of(mask: np.ndarray) -> np.ndarray:
    return np.where(mask, np.uint8(MOVING), np.uint8(STILL))


def strip(first: int, beyond: int, height: int = 64, width: int = 96) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[:, first:beyond] = True
    return mask


def blobs(seed: int, height: int, width: int) -> np.ndarray:
    """A few ellipses, some of them cut off by the border."""
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width), np.uint8)
    for _ in range(rng.integers(0, 4)):
        centre = rng.integers(0, (width, height)).tolist()
        axes = rng.integers(2, height // 2, 2).tolist()
        cv2.ellipse(image, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    return image.astype(bool)


def edges_by_loops(mask: np.ndarray) -> np.ndarray:
    """Pixels that differ from the one to the right, below, or both; inside the image."""
    height, width = mask.shape
    edge = np.zeros(mask.shape, bool)
    for y in range(height):
        for x in range(width):
            others = [
                mask[b, a]
                for b, a in ((y, x + 1), (y + 1, x), (y + 1, x + 1))
                if b < height and a < width
            ]
            edge[y, x] = any(other != mask[y, x] for other in others)
    return edge


def edges_by_extremes(mask: np.ndarray) -> np.ndarray:
    """The same, by the largest and smallest value of each square of two by two pixels."""
    wider = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    squares = np.lib.stride_tricks.sliding_window_view(wider, (2, 2))
    return squares.max(axis=(2, 3)) != squares.min(axis=(2, 3))


def second_reading(mask: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """J and F by sets of pixels and distances between all of them, without OpenCV."""
    counted = truth != VOID
    ours = {tuple(p) for p in np.argwhere(mask & counted)}
    true = {tuple(p) for p in np.argwhere((truth == MOVING) & counted)}
    region = len(ours & true) / len(ours | true) if ours | true else 1.0
    a, b = (np.argwhere(edges_by_loops(m)) for m in (mask & counted, truth == MOVING))
    if not len(a) or not len(b):
        return region, float(len(a) == len(b))
    reach = math.ceil(0.008 * math.sqrt(mask.shape[0] ** 2 + mask.shape[1] ** 2))
    near = ((a[:, None] - b[None]) ** 2).sum(axis=-1) <= reach**2
    precision, recall = near.any(axis=1).mean(), near.any(axis=0).mean()
    total = precision + recall
    return region, float(2 * precision * recall / total) if total else 0.0


def test_truth_itself_is_perfect_and_emptiness_agrees() -> None:
    full, empty = strip(0, 96), strip(0, 0)
    for mask in (strip(20, 60), full, empty):
        assert jaccard(mask, truth_of(mask)) == 1
        assert boundary_f(mask, truth_of(mask)) == 1
    assert jaccard(full, truth_of(empty)) == jaccard(empty, truth_of(full)) == 0
    assert boundary_f(strip(20, 60), truth_of(empty)) == 0
    assert boundary_f(empty, truth_of(strip(20, 60))) == 0


@pytest.mark.parametrize(("height", "width", "within"), [(64, 96, 1), (240, 320, 4)])
def test_a_mask_shifted_by_three_pixels(height: int, width: int, within: int) -> None:
    """Its edges are 3 px off: all wrong where the disc is 1 px wide, all right where it is 4."""
    truth = truth_of(strip(20, 60, height, width))
    shifted = strip(23, 63, height, width)
    assert jaccard(shifted, truth) == pytest.approx(37 / 43, abs=1e-12)
    assert boundary_f(shifted, truth) == (1.0 if within >= 3 else 0.0)


def test_half_a_boundary_counts_half() -> None:
    """Both of our edges are the truth's, which has two more: precision 1, recall 1/2."""
    truth = truth_of(strip(10, 20) | strip(50, 60))
    assert boundary_f(strip(10, 20), truth) == pytest.approx(2 * 0.5 / 1.5)


def test_void_takes_no_part() -> None:
    truth = truth_of(strip(20, 60))
    truth[:, 60:] = VOID
    assert jaccard(strip(20, 90), truth) == 1
    assert boundary_f(strip(20, 90), truth) == 1


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), height=st.integers(16, 40), width=st.integers(16, 60))
def test_a_second_reading_agrees(seed: int, height: int, width: int) -> None:
    mask, truth = blobs(seed, height, width), truth_of(blobs(seed + 1, height, width))
    truth[blobs(seed + 2, height, width)] = VOID
    region, contour = second_reading(mask, truth)
    assert jaccard(mask, truth) == pytest.approx(region, abs=1e-12)
    assert boundary_f(mask, truth) == pytest.approx(contour, abs=1e-12)


@pytest.mark.parametrize("size", [(480, 854), (320, 240)])
def test_a_second_reading_agrees_at_the_size_of_davis(size: tuple[int, int]) -> None:
    """The distance transform in place of the disc; it is off by rounding alone."""
    moving = blobs(9, *size)
    mask, truth = np.roll(moving, (5, -6), (0, 1)) | blobs(8, *size), truth_of(moving)
    edges = [edges_by_extremes(one) for one in (mask, moving)]
    away = [cv2.distanceTransform((~e).astype(np.uint8), cv2.DIST_L2, 0) for e in edges]
    reach = math.ceil(0.008 * math.hypot(*size)) + 1e-3
    precision, recall = (away[1][edges[0]] <= reach).mean(), (away[0][edges[1]] <= reach).mean()
    assert 0 < precision < 1
    expected = 2 * precision * recall / (precision + recall)
    assert boundary_f(mask, truth) == pytest.approx(expected, abs=5e-4)


def test_statistics_by_hand() -> None:
    values = np.array([1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
    # Quarters of 8 frames, the ends shared: 1, 2.75, 4.5, 6.25, 8 round to 1, 3, 5, 6, 8 (from 1).
    expected = np.mean([1.0, 0.9, 0.8]) - np.mean([0.5, 0.4, 0.3])
    ours = statistics(values)
    assert ours.mean == pytest.approx(0.65)
    assert ours.recall == pytest.approx(5 / 8)
    assert ours.decay == pytest.approx(expected)
    assert math.isnan(statistics(np.empty(0)).mean)


def test_a_sequence_is_the_mean_of_its_frames() -> None:
    truth = truth_of(strip(20, 60))
    pairs = [(strip(20, 60), truth), (strip(23, 63), truth)]
    scores = score_regions(iter(pairs))
    assert scores.frames == 2
    assert scores.region.mean == pytest.approx((1 + 37 / 43) / 2)
    assert scores.boundary.mean == pytest.approx(0.5)
    assert scores.region_and_boundary == pytest.approx((scores.region.mean + 0.5) / 2)
