import numpy as np
from scipy.ndimage import gaussian_filter

from easi3r.alignment import DISFlow, FlowEstimator, estimate_flow
from easi3r.tensors import PairGraph


def shifted_textures(shift: tuple[int, int]) -> list[np.ndarray]:
    """A smooth random texture and the same moved by (x, y) pixels."""
    noise = np.random.default_rng(0).standard_normal((120, 160, 3))
    texture = gaussian_filter(noise, (2, 2, 0))
    texture = (texture - texture.min()) / np.ptp(texture) * 255
    x, y = shift
    return [
        texture[20:100, 20:140].astype(np.uint8),
        texture[20 - y : 100 - y, 20 - x : 140 - x].astype(np.uint8),
    ]


def test_dis_flow_finds_a_known_shift() -> None:
    flow = DISFlow()(*shifted_textures((3, -2)))
    assert isinstance(DISFlow(), FlowEstimator)
    assert flow.shape == (80, 120, 2)
    np.testing.assert_allclose(np.median(flow[10:-10, 10:-10], axis=(0, 1)), (3, -2), atol=0.2)


def test_a_clip_gets_one_flow_per_pair_and_static_is_not_dynamic() -> None:
    images = np.stack(shifted_textures((2, 0)))
    dynamic = np.zeros(images.shape[:3], bool)
    dynamic[:, :10] = True
    graph = PairGraph(np.array([[0, 1], [1, 0]], np.int64), 2)
    term = estimate_flow(images, dynamic, graph, DISFlow())
    medians = np.median(term.flow[:, 15:-10, 10:-10, 0], axis=(1, 2))
    np.testing.assert_allclose(medians, (2, -2), atol=0.2)
    np.testing.assert_array_equal(term.static, ~dynamic)
