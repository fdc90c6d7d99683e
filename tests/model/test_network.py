import numpy as np
import pytest
import torch

from easi3r.model import DUSt3R, ModelConfig, normalise

TINY = ModelConfig(
    patch_size=16,
    encoder_depth=2,
    encoder_channels=32,
    encoder_heads=2,
    decoder_depth=4,
    decoder_channels=48,
    decoder_heads=3,
    head="dpt",
    long_side_px=64,
    dpt_hook_channels=(8, 8, 16, 16),
    dpt_channels=16,
)
EDGES = np.array([[0, 1], [1, 0], [0, 2]])


@pytest.fixture(scope="module")
def network() -> DUSt3R:
    torch.manual_seed(0)
    return DUSt3R(TINY).eval()


def images(height: int, width: int, frames: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (frames, height, width, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize(("height", "width"), [(48, 80), (80, 48), (16, 64), (64, 64)])
def test_any_grid_of_patches_gives_a_point_per_pixel(
    network: DUSt3R, height: int, width: int
) -> None:
    features = network.encode(normalise(images(height, width)))
    prediction, key_means = network.predict(features, EDGES)
    assert prediction.points_2.shape == (3, height, width, 3)
    assert prediction.confidence_1.shape == (3, height, width)
    assert (prediction.confidence_1 > 1).all()
    assert key_means.decoder_2.shape == (3, height // 16, width // 16, 4 * 3)
    assert all(torch.isfinite(p).all() for p in (prediction.points_1, prediction.points_2))
