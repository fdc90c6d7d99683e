"""Parameters from their names, as the reference numbers were computed with (docs/method.md §7)."""

import re
import zlib

import numpy as np
import torch
from torch import Tensor, nn


def fill_tensor(name: str, shape: tuple[int, ...]) -> Tensor:
    """Standard normals seeded by the CRC-32 of the name, scaled by the tensor's kind.

    1-D weights are 1 + 0.02 z, other 1-D tensors 0.02 z, the rest z / sqrt(fan in), times 0.7 in
    the heads. The tied `scratch.layer_rn.(N-1)` takes the name `scratch.layerN_rn`.
    """
    name = re.sub(r"scratch\.layer_rn\.(\d)\.", lambda m: f"scratch.layer{int(m[1]) + 1}_rn.", name)
    generator = np.random.Generator(np.random.Philox(key=zlib.crc32(name.encode())))
    z = generator.standard_normal(shape, dtype=np.float32)
    if len(shape) == 1:
        return torch.from_numpy(1 + 0.02 * z if name.endswith("weight") else 0.02 * z)
    gain = 0.7 if "head" in name else 1.0
    return torch.from_numpy((gain * z / np.sqrt(np.prod(shape[1:]))).astype(np.float32))


def fill(network: nn.Module) -> None:
    """Fill every tensor of a network in place."""
    state = {name: fill_tensor(name, t.shape) for name, t in network.state_dict().items()}
    network.load_state_dict(state)
