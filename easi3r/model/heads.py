"""Regression heads: tokens to a point and a confidence per pixel (docs/method.md §1)."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from easi3r.model.network_config import ModelConfig
from easi3r.tensors import FrameFeatures

OUTPUT_CHANNELS = 4  # a point's three, and a confidence

PIXELS_AT_ONCE = 2**17
"""A DPT head takes as many images at once as have this many pixels together, one at least.

Its maps are by far the largest there are: more of them at once gain nothing, cost memory in
proportion, and on a CPU a page fault for every 4 KiB that the allocator does not keep.
"""


class LinearHead(nn.Module):
    """One linear map from the last tokens to the pixels of their patches.

    Attributes:
        hooks: the decoder layers, from 1, whose tokens it reads.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.hooks: tuple[int, ...] = (config.decoder_depth,)
        self.patch_size = config.patch_size
        self.proj = nn.Linear(config.decoder_channels, OUTPUT_CHANNELS * config.patch_size**2)

    def forward(
        self,
        features: FrameFeatures,
        frames: Int64[np.ndarray, " pairs"],
        hooked: Sequence[Float[Tensor, "pairs tokens _"]],
    ) -> Float[Tensor, "pairs 4 height width"]:
        """Raw output of every pair; reads nothing of the frames but their grid."""
        (tokens,) = hooked
        image = as_image(self.proj(tokens), features.rows, features.columns)
        return F.pixel_shuffle(image, self.patch_size)


class DPTHead(nn.Module):
    """Dense prediction from four depths of the network (names as in the published checkpoints).

    Attributes:
        hooks: the decoder layers, from 1, whose tokens it reads beside the encoder's.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        depth = config.decoder_depth
        self.hooks: tuple[int, ...] = (depth // 2, depth * 3 // 4, depth)
        self.patch_size = config.patch_size
        self.dpt = DensePrediction(config)

    def forward(
        self,
        features: FrameFeatures,
        frames: Int64[np.ndarray, " pairs"],
        hooked: Sequence[Float[Tensor, "pairs tokens _"]],
    ) -> Float[Tensor, "pairs 4 height width"]:
        """Raw output of every pair. The finest level is a frame's own, whatever it is paired with.

        Args:
            features: of the clip.
            frames: which frame each pair shows.
            hooked: tokens of the decoder layers that `hooks` names.
        """
        grid = features.rows, features.columns
        count = images_at_once(grid[0] * self.patch_size, grid[1] * self.patch_size)
        shown, frame_of_pair = features.shown_in(frames)
        own = as_image(shown.tokens.float(), *grid).split(count)
        finest = torch.cat([self.dpt.finest(tokens) for tokens in own])
        token_maps = [as_image(tokens, *grid).split(count) for tokens in hooked]
        batches = zip(frame_of_pair.split(count), *token_maps, strict=True)
        return torch.cat([self.dpt(finest[which], *maps) for which, *maps in batches])


class DensePrediction(nn.Module):
    """Four token maps to levels of 4x, 2x, 1x and 1/2x the token grid, fused from the coarsest."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.patch_size = config.patch_size
        width = config.dpt_channels
        self.scratch = Fusion(config.dpt_hook_channels, width)
        self.head = nn.Sequential(
            nn.Conv2d(width, width // 2, 3, padding=1),
            nn.Identity(),  # the upsampling, to a size only the input knows
            nn.Conv2d(width // 2, width // 2, 3, padding=1),
            nn.ReLU(inplace=True),  # of the largest tensor there is
            nn.Conv2d(width // 2, OUTPUT_CHANNELS, 1),
        )
        encoder, decoder = config.encoder_channels, config.decoder_channels
        a, b, c, d = config.dpt_hook_channels
        self.act_postprocess = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(encoder, a, 1), nn.ConvTranspose2d(a, a, 4, stride=4)),
                nn.Sequential(nn.Conv2d(decoder, b, 1), nn.ConvTranspose2d(b, b, 2, stride=2)),
                nn.Sequential(nn.Conv2d(decoder, c, 1)),
                nn.Sequential(nn.Conv2d(decoder, d, 1), nn.Conv2d(d, d, 3, stride=2, padding=1)),
            ]
        )

    def finest(
        self, tokens: Float[Tensor, "frames _ rows columns"]
    ) -> Float[Tensor, "frames channels fine_rows fine_columns"]:
        """Skip connection of the finest level: a fifth of the head's operations."""
        return self.scratch.finest_skip(self.act_postprocess[0](tokens))

    def forward(
        self,
        finest: Float[Tensor, "pairs channels fine_rows fine_columns"],
        *token_maps: Float[Tensor, "pairs _ rows columns"],
    ) -> Float[Tensor, "pairs 4 height width"]:
        """Raw output from the finest level's skip and the tokens of the three coarser ones."""
        rows, columns = token_maps[0].shape[-2:]
        coarser = self.act_postprocess[1:]
        levels = [level(x) for level, x in zip(coarser, token_maps, strict=True)]
        x = self.head[0](self.scratch(finest, *levels))
        x = upsample(x, (rows * self.patch_size, columns * self.patch_size))
        return self.head[2:](x)


class Fusion(nn.Module):
    """Adds the levels from the coarsest to the finest, each step twice as fine."""

    def __init__(self, level_channels: tuple[int, int, int, int], width: int) -> None:
        super().__init__()
        a, b, c, d = level_channels
        self.layer1_rn = nn.Conv2d(a, width, 3, padding=1, bias=False)
        self.layer2_rn = nn.Conv2d(b, width, 3, padding=1, bias=False)
        self.layer3_rn = nn.Conv2d(c, width, 3, padding=1, bias=False)
        self.layer4_rn = nn.Conv2d(d, width, 3, padding=1, bias=False)
        # The same tensors under a second name, as in the published checkpoints.
        self.layer_rn = nn.ModuleList(
            [self.layer1_rn, self.layer2_rn, self.layer3_rn, self.layer4_rn]
        )
        self.refinenet1 = FusionStep(width)
        self.refinenet2 = FusionStep(width)
        self.refinenet3 = FusionStep(width)
        self.refinenet4 = FusionStep(width)

    def finest_skip(
        self, level: Float[Tensor, "frames _ rows columns"]
    ) -> Float[Tensor, "frames channels rows columns"]:
        """Skip connection of the last step, added to the coarser levels."""
        return self.refinenet1.resConfUnit1(self.layer1_rn(level))

    def forward(
        self,
        finest_skip: Float[Tensor, "pairs channels _ _"],
        level_2: Float[Tensor, "pairs _ _ _"],
        level_3: Float[Tensor, "pairs _ _ _"],
        level_4: Float[Tensor, "pairs _ _ _"],
    ) -> Float[Tensor, "pairs channels rows columns"]:
        skip_3 = self.layer3_rn(level_3)
        x = self.refinenet4.refine(self.layer4_rn(level_4))
        # An odd grid halves to one row or column more than half of it.
        x = x[..., : skip_3.shape[-2], : skip_3.shape[-1]]
        x = self.refinenet3(x, skip_3)
        x = self.refinenet2(x, self.layer2_rn(level_2))
        return self.refinenet1.refine(x.add_(finest_skip))


class FusionStep(nn.Module):
    """Adds one level's skip, refines, and doubles the size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out_conv = nn.Conv2d(width, width, 1)
        self.resConfUnit1 = ResidualUnit(width)
        self.resConfUnit2 = ResidualUnit(width)

    def forward(
        self,
        x: Float[Tensor, "pairs channels rows columns"],
        skip: Float[Tensor, "pairs channels rows columns"],
    ) -> Float[Tensor, "pairs channels fine_rows fine_columns"]:
        return self.refine(self.resConfUnit1(skip).add_(x))

    def refine(
        self, x: Float[Tensor, "pairs channels rows columns"]
    ) -> Float[Tensor, "pairs channels fine_rows fine_columns"]:
        """The step without a skip, as the coarsest level takes it.

        `out_conv` mixes channels, the upsampling averages pixels: they commute, and a quarter of
        the pixels is enough for it.
        """
        rows, columns = x.shape[-2:]
        return upsample(self.out_conv(self.resConfUnit2(x)), (2 * rows, 2 * columns))


class ResidualUnit(nn.Module):
    """Two 3x3 convolutions, each after a ReLU, added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(
        self, x: Float[Tensor, "pairs channels rows columns"]
    ) -> Float[Tensor, "pairs channels rows columns"]:
        return self.conv2(F.relu(self.conv1(F.relu(x)), inplace=True)).add_(x)


def images_at_once(height: int, width: int) -> int:
    """Number of images of this size that a DPT head processes at once."""
    return max(1, PIXELS_AT_ONCE // (height * width))


def as_image(
    tokens: Float[Tensor, "pairs tokens channels"], rows: int, columns: int
) -> Float[Tensor, "pairs channels {rows} {columns}"]:
    """Row-major tokens as a channels-first map."""
    return tokens.transpose(1, 2).unflatten(-1, (rows, columns))


def upsample(
    x: Float[Tensor, "pairs channels _ _"], size: tuple[int, int]
) -> Float[Tensor, "pairs channels {size[0]} {size[1]}"]:
    """Bilinear, corners aligned."""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


def to_points(
    raw: Float[Tensor, "pairs 4 height width"],
) -> tuple[Float[Tensor, "pairs height width 3"], Float[Tensor, "pairs height width"]]:
    """Points and confidences (> 1) from a head's raw output."""
    vectors = raw[:, :3].permute(0, 2, 3, 1)
    length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True).clamp(min=1e-8)
    return vectors / length * length.expm1(), 1 + raw[:, 3].exp()
