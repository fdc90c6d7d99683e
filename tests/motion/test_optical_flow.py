import numpy as np
from scipy.ndimage import gaussian_filter

from easi3r.motion import DISFlow, FlowEstimator, clip_flow

MARGIN = 12


def sliding_texture(frames: int, shift: tuple[float, float]) -> np.ndarray:
    """A smooth random texture that moves by (x, y) whole pixels a frame."""
    noise = np.random.default_rng(0).standard_normal((200, 240, 3))
    texture = gaussian_filter(noise, (2, 2, 0))
    texture = (texture - texture.min()) / np.ptp(texture) * 255
    x, y = shift
    views = [
        texture[60 - y * n : 140 - y * n, 60 - x * n : 180 - x * n].astype(np.uint8)
        for n in range(frames)
    ]
    return np.stack(views)


def test_dis_flow_of_a_known_shift() -> None:
    images = sliding_texture(2, (3, -2))
    flow = DISFlow()(*images, guess=np.zeros((80, 120, 2), np.float32))
    assert isinstance(DISFlow(), FlowEstimator)
    assert flow.shape == (80, 120, 2)
    np.testing.assert_allclose(np.median(flow[10:-10, 10:-10], axis=(0, 1)), (3, -2), atol=0.2)


def test_dis_flow_starts_from_its_initial_flow() -> None:
    images = sliding_texture(2, (40, 0))
    zero = np.zeros((80, 120, 2), np.float32)
    guess = zero + np.array([39.0, 1.0], np.float32)
    overlap = (slice(10, -10), slice(10, 70))
    without, with_guess = (DISFlow()(*images, guess=begin)[overlap] for begin in (zero, guess))
    assert np.abs(np.median(without, axis=(0, 1)) - (40, 0)).max() > 1
    np.testing.assert_allclose(np.median(with_guess, axis=(0, 1)), (40, 0), atol=0.2)


def test_flow_to_distant_frames_is_chained_over_those_in_between() -> None:
    images = sliding_texture(6, (8, 0))
    edges = np.array([[0, 5], [5, 0], [2, 1]], np.int64)
    result = clip_flow(images, edges, DISFlow())
    np.testing.assert_array_equal(result.edges, edges)
    seen = result.flow[:, MARGIN:-MARGIN, 50:70, 0]
    np.testing.assert_allclose(np.median(seen, axis=(1, 2)), (40, -40, -8), atol=0.3)


def test_flow_that_leaves_the_image_or_fails_the_backward_check_is_inconsistent() -> None:
    images = sliding_texture(2, (6, 0))
    images[1, 30:50, 60:80] = np.random.default_rng(1).integers(0, 255, (20, 20, 3))
    result = clip_flow(images, np.array([[0, 1]], np.int64), DISFlow())
    inside = result.consistent[0, MARGIN:-MARGIN]
    assert inside[:, -4:].mean() < 0.1  # these went out at the right
    assert inside[:10, 10:100].mean() > 0.9
    covered = result.consistent[0, 32:48, 56:72]
    assert covered.mean() < 0.5


class ByBrightness:
    """Answers the guess; without one, the difference of the grey levels."""

    def __call__(self, image_a: np.ndarray, image_b: np.ndarray, guess: np.ndarray) -> np.ndarray:
        difference = float(image_b[0, 0, 0]) - float(image_a[0, 0, 0])
        return guess if guess.any() else np.full_like(guess, difference)


def test_any_estimator_is_chained() -> None:
    images = np.zeros((4, 40, 60, 3), np.uint8)
    images += np.arange(4, dtype=np.uint8)[:, None, None, None]  # grey level = position
    result = clip_flow(images, np.array([[0, 3], [3, 0]], np.int64), ByBrightness())
    np.testing.assert_allclose(result.flow[:, 20, 20], [(3, 3), (-3, -3)])
