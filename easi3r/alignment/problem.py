"""What the solver works on: the pixels that take part, and the unknowns (docs/method.md §6)."""

import math
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from easi3r.geometry.similarity import Similarity
from easi3r.geometry.tensor_cameras import pixel_rays
from easi3r.tensors import PairPrediction

MIN_WEIGHT = 1e-3
"""Floor of the weight log(confidence): a network whose confidences sit at 1 still registers, by
plain averages, and confidences above 1.001 are weighted exactly as docs/method.md §6 says."""


FIELD_OF_VIEW_DEGREES = (5.0, 150.0)
"""Of the longer side. Focals stay within: towards parallel rays a poor clip's objective may fall
for ever, its depths growing with the focal."""


def focal_limits(longer_px: int) -> tuple[float, float]:
    """The shortest and the longest focal, pixels, of an image with this longer side."""
    narrow, wide = (longer_px / 2 / math.tan(math.radians(a) / 2) for a in FIELD_OF_VIEW_DEGREES)
    return wide, narrow


@dataclass(frozen=True)
class State:
    """Every unknown of the alignment. Small ones in float64, depths in float32.

    Attributes:
        rotation, centre: camera-to-world.
        focal, principal: pixels, (x, y).
        pair: per directed pair, from its first camera's frame to the world.
        depth: of the pixels the problem holds.
    """

    rotation: Float64[Tensor, "frames 3 3"]
    centre: Float64[Tensor, "frames 3"]
    focal: Float64[Tensor, "frames 2"]
    principal: Float64[Tensor, "frames 2"]
    pair: Similarity
    depth: Float32[Tensor, "frames pixels"]

    def rays(
        self, frames: slice, pixels: Float64[Tensor, "2 pixels"]
    ) -> Float32[Tensor, "frames 3 pixels"]:
        """What pixels of some frames see at depth 1, in the cameras' own frames."""
        return pixel_rays(pixels, self.focal[frames], self.principal[frames]).float()

    def focal_limits(self) -> tuple[float, float]:
        """See `focal_limits`; the image's centre is the principal point where focals may move."""
        return focal_limits(round(2 * float(self.principal.max())))

    def camera_to_world(self) -> Float64[np.ndarray, "frames 4 4"]:
        """Poses as matrices, in host memory."""
        matrices = np.tile(np.eye(4), (len(self.centre), 1, 1))
        matrices[:, :3, :3] = self.rotation.cpu().numpy()
        matrices[:, :3, 3] = self.centre.cpu().numpy()
        return matrices

    def intrinsics(self) -> Float64[np.ndarray, "frames 3 3"]:
        """Intrinsics as matrices, in host memory."""
        matrices = np.tile(np.eye(3), (len(self.focal), 1, 1))
        matrices[:, [0, 1], [0, 1]] = self.focal.cpu().numpy()
        matrices[:, :2, 2] = self.principal.cpu().numpy()
        return matrices

    def rescaled(self, factor: float) -> "State":
        """The same reconstruction in a unit 1/factor as large."""
        pair = replace(
            self.pair,
            translation=self.pair.translation * factor,
            scale=self.pair.scale * factor,
        )
        return replace(self, centre=self.centre * factor, pair=pair, depth=self.depth * factor)


@dataclass(frozen=True)
class Pixels:
    """The pixels of an image that take part, every `stride`-th in both directions.

    Attributes:
        index: into the flattened image.
        position: (x, y), pixel centres at integers.
    """

    index: Int64[Tensor, " pixels"]
    position: Float64[Tensor, "2 pixels"]

    @classmethod
    def every(cls, stride: int, height: int, width: int, device: torch.device) -> "Pixels":
        """A regular grid of pixels, centred in its cells."""
        y = torch.arange(height, device=device)[strided_slice(height, stride)]
        x = torch.arange(width, device=device)[strided_slice(width, stride)]
        rows, columns = torch.meshgrid(y, x, indexing="ij")
        position = torch.stack([columns.flatten(), rows.flatten()]).double()
        return cls((rows * width + columns).reshape(-1), position)


def stride_for(height: int, width: int, pixels: int) -> int:
    """The stride at which an image of this size has about so many pixels."""
    return max(1, round((height * width / pixels) ** 0.5))


def strided_slice(length: int, stride: int) -> slice:
    """Every `stride`-th of so many, centred in their cells."""
    return slice(min(stride // 2, length - 1), length, stride)


def subsampled(prediction: PairPrediction, stride: int) -> PairPrediction:
    """A copy of every `stride`-th pixel in both directions, as `Pixels.every` chooses them."""
    height, width = (strided_slice(length, stride) for length in prediction.confidence_1.shape[1:])
    return PairPrediction(
        *(
            getattr(prediction, one.name)[:, height, width].contiguous()
            for one in fields(PairPrediction)
        )
    )


def log_weights(confidence: Float[Tensor, "*shape"]) -> Float32[Tensor, "*shape"]:
    """The objective's weights, `log(confidence)`, at least `MIN_WEIGHT`."""
    return confidence.float().log().clamp_min(MIN_WEIGHT)
