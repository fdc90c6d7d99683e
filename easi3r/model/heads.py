"""Regression heads: tokens to a point and a confidence per pixel (METHOD section 1)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from easi3r.model.config import ModelConfig

OUTPUT_CHANNELS = 4  # a point's three, and a confidence


class LinearHead(nn.Module):
    """One linear map from the last tokens to the pixels of their patches.

    Attributes:
        hooks: which entries of [encoder output, decoder layer 1, .., layer L] it reads.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.hooks: tuple[int, ...] = (config.decoder_depth,)
        self.patch_size = config.patch_size
        self.proj = nn.Linear(config.decoder_channels, OUTPUT_CHANNELS * config.patch_size**2)

    def forward(
        self, hooked: Sequence[Float[Tensor, "pairs tokens _"]], rows: int, columns: int
    ) -> Float[Tensor, "pairs 4 height width"]:
        (tokens,) = hooked
        return F.pixel_shuffle(as_image(self.proj(tokens), rows, columns), self.patch_size)


class DPTHead(nn.Module):
    """Dense prediction from four depths of the network (names as in the published checkpoints).

    Attributes:
        hooks: which entries of [encoder output, decoder layer 1, .., layer L] it reads.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        depth = config.decoder_depth
        self.hooks: tuple[int, ...] = (0, depth // 2, depth * 3 // 4, depth)
        self.dpt = DensePrediction(config)

    def forward(
        self, hooked: Sequence[Float[Tensor, "pairs tokens _"]], rows: int, columns: int
    ) -> Float[Tensor, "pairs 4 height width"]:
        return self.dpt([as_image(tokens, rows, columns) for tokens in hooked])


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

    def forward(
        self, token_maps: Sequence[Float[Tensor, "pairs _ rows columns"]]
    ) -> Float[Tensor, "pairs 4 height width"]:
        rows, columns = token_maps[0].shape[-2:]
        levels = [level(x) for level, x in zip(self.act_postprocess, token_maps, strict=True)]
        x = self.head[0](self.scratch(levels))
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
        self.layer_rn = nn.ModuleList(
            [self.layer1_rn, self.layer2_rn, self.layer3_rn, self.layer4_rn]
        )
        self.refinenet1 = FusionStep(width)
        self.refinenet2 = FusionStep(width)
        self.refinenet3 = FusionStep(width)
        self.refinenet4 = FusionStep(width)

    def forward(
        self, levels: Sequence[Float[Tensor, "pairs _ _ _"]]
    ) -> Float[Tensor, "pairs channels rows columns"]:
        skip_1, skip_2, skip_3, coarsest = (
            layer(level) for layer, level in zip(self.layer_rn, levels, strict=True)
        )
        x = self.refinenet4.refine(coarsest)
        # An odd grid halves to one row or column more than half of it.
        x = x[..., : skip_3.shape[-2], : skip_3.shape[-1]]
        x = self.refinenet3(x, skip_3)
        x = self.refinenet2(x, skip_2)
        return self.refinenet1(x, skip_1)


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
        return self.refine(x + self.resConfUnit1(skip))

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
        return x + self.conv2(F.relu(self.conv1(F.relu(x)), inplace=True))


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
