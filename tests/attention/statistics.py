"""Random attention statistics and features for the tests of this room."""

import torch
from torch import Tensor

from easi3r.tensors import AttentionStatistics, FrameFeatures

FRAMES, ROWS, COLUMNS, CHANNELS = 4, 6, 8, 10


def random_statistics(seed: int) -> AttentionStatistics:
    generator = torch.Generator().manual_seed(seed)
    stacks = torch.randn(4, FRAMES, ROWS, COLUMNS, CHANNELS, generator=generator)
    return AttentionStatistics(stacks[0], stacks[1].abs(), stacks[2], stacks[3].abs())


def features_of(values: Tensor) -> FrameFeatures:
    _, rows, columns, _ = values.shape
    return FrameFeatures(tokens=values.flatten(1, 2), rows=rows, columns=columns)
