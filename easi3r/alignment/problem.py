"""What the solver works on: predictions regrouped by frame, and the unknowns (METHOD section 6)."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from easi3r.geometry.similarity import Similarity
from easi3r.geometry.tensor_cameras import pixel_rays
from easi3r.tensors import PairGraph, PairPrediction

MIN_WEIGHT = 1e-3
"""Floor of the weight log(confidence): a network whose confidences sit at 1 still registers, by
plain averages, and confidences above 1.001 are weighted exactly as METHOD says."""


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

    def rays(self, frame: int, pixels: Float64[Tensor, "2 pixels"]) -> Float32[Tensor, "3 pixels"]:
        """What each pixel of a frame sees at depth 1, in the camera's frame."""
        return pixel_rays(pixels, self.focal[frame], self.principal[frame]).float()

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
class FrameMaps:
    """Every point map predicted for one frame: one for each directed pair it takes part in.

    Attributes:
        pair: number of the pair.
        points: in the frame of the pair's first camera.
        weight: log(confidence) over (pixels x pairs), so that weighted distances just add up.
    """

    pair: Int64[Tensor, " maps"]
    points: Float32[Tensor, "maps 3 pixels"]
    weight: Float32[Tensor, "maps pixels"]

    def in_camera(
        self, state: State, frame: int
    ) -> tuple[Float32[Tensor, "maps 3 pixels"], Float64[Tensor, "maps 3"]]:
        """The points in the frame's own camera, and there the pairs' first camera centres."""
        to_camera = state.rotation[frame].T
        scale = state.pair.scale[self.pair, None, None]
        linear = (scale * (to_camera @ state.pair.rotation[self.pair])).float()
        origin = (state.pair.translation[self.pair] - state.centre[frame]) @ to_camera.T
        return torch.baddbmm(origin.float()[..., None], linear, self.points), origin


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
        y = torch.arange(min(stride // 2, height - 1), height, stride, device=device)
        x = torch.arange(min(stride // 2, width - 1), width, stride, device=device)
        rows, columns = torch.meshgrid(y, x, indexing="ij")
        position = torch.stack([columns.flatten(), rows.flatten()]).double()
        return cls((rows * width + columns).reshape(-1), position)


def log_weights(confidence: Float[Tensor, "*shape"]) -> Float32[Tensor, "*shape"]:
    """The objective's weights, `log(confidence)`, at least `MIN_WEIGHT`."""
    return confidence.float().log().clamp_min(MIN_WEIGHT)


def maps_by_frame(
    graph: PairGraph, prediction: PairPrediction, pixels: Pixels
) -> tuple[FrameMaps, ...]:
    """The predictions of the chosen pixels, regrouped by the frame they are about."""
    flat_1, flat_2 = prediction.points_1.flatten(1, 2), prediction.points_2.flatten(1, 2)
    confidence_1, confidence_2 = (
        prediction.confidence_1.flatten(1),
        prediction.confidence_2.flatten(1),
    )
    chosen = pixels.index
    terms = len(chosen) * len(graph)
    maps = []
    for frame in range(graph.frames):
        first, second = (
            torch.from_numpy(np.flatnonzero(graph.edges[:, side] == frame)).to(chosen.device)
            for side in (0, 1)
        )
        points = torch.cat([flat_1[first][:, chosen], flat_2[second][:, chosen]])
        confidence = torch.cat([confidence_1[first][:, chosen], confidence_2[second][:, chosen]])
        maps.append(
            FrameMaps(
                torch.cat([first, second]),
                points.float().mT.contiguous(),
                log_weights(confidence) / terms,
            )
        )
    return tuple(maps)
