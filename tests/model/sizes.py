"""A tiny network of every kind, and images to show it."""

import numpy as np
import torch

from easi3r.model import DUSt3R, ModelConfig

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


def build(config: ModelConfig, seed: int = 0) -> DUSt3R:
    """A network with random parameters, biases included, so that no term hides behind a zero."""
    torch.manual_seed(seed)
    network = DUSt3R(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter += 0.1 * torch.randn_like(parameter)
    return network


def images(height: int, width: int, frames: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (frames, height, width, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
