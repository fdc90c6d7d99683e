"""A few hundred pixels of every pair of frames: where flow leads them, what the scene says."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from easi3r.geometry import invert_rigid, project, transform_points
from easi3r.types import OpticalFlow, Reconstruction

POINTS_PER_FRAME = 800

NOISE_PX = 0.3
NOISE_SHARE = 0.05
"""A flow is expected to err by `NOISE_PX` plus this share of its length."""

NEAREST = 1e-3
"""A point is never nearer to a camera than this share of the scene's median depth."""


@dataclass(frozen=True)
class PairSamples:
    """A regular grid of pixels of each pair's first frame; lengths in median depths of the clip.

    Attributes:
        edges: (first, second) frame of each pair.
        pixels: (x, y) of the grid, the same in every frame.
        targets: where optical flow finds them in the second frame.
        consistent: the flow back leads to the pixel again.
        moving: the motion mask says that the pixel moves.
        points: of the estimated depth, in the first camera.
        to_second: from the first camera to the second, as estimated.
        intrinsics: per frame, stored pixels.
    """

    edges: Int64[np.ndarray, "pairs 2"]
    pixels: Float64[np.ndarray, "points 2"]
    targets: Float64[np.ndarray, "pairs points 2"]
    consistent: Bool[np.ndarray, "pairs points"]
    moving: Bool[np.ndarray, "pairs points"]
    points: Float64[np.ndarray, "pairs points 3"]
    to_second: Float64[np.ndarray, "pairs 4 4"]
    intrinsics: Float64[np.ndarray, "frames 3 3"]

    @cached_property
    def usable(self) -> Bool[np.ndarray, "pairs points"]:
        """Static and of consistent flow: what cameras and depths have to explain."""
        return self.consistent & ~self.moving

    @cached_property
    def noise(self) -> Float64[np.ndarray, "pairs points"]:
        """Expected error of the flow, pixels."""
        return NOISE_PX + NOISE_SHARE * np.linalg.norm(self.targets - self.pixels, axis=-1)

    @cached_property
    def gaps(self) -> Int64[np.ndarray, " pairs"]:
        """Frames from the first to the second of each pair, without sign."""
        return np.abs(self.edges[:, 1] - self.edges[:, 0])

    @cached_property
    def links(self) -> Bool[np.ndarray, " pairs"]:
        """The pairs that are nearest in time."""
        return self.gaps == self.gaps.min()

    @cached_property
    def widest(self) -> Bool[np.ndarray, " pairs"]:
        """The pairs that are farthest apart in time."""
        return self.gaps == self.gaps.max()

    def part(self, chosen: Bool[np.ndarray, " points"]) -> "PairSamples":
        """Some of the pixels alone."""
        return replace(
            self,
            pixels=self.pixels[chosen],
            targets=self.targets[:, chosen],
            consistent=self.consistent[:, chosen],
            moving=self.moving[:, chosen],
            points=self.points[:, chosen],
        )

    def blocks(self, pairs: int) -> Iterator["PairSamples"]:
        """So many pairs at a time, in order."""
        for start in range(0, len(self.edges), pairs):
            some = slice(start, start + pairs)
            yield replace(
                self,
                edges=self.edges[some],
                targets=self.targets[some],
                consistent=self.consistent[some],
                moving=self.moving[some],
                points=self.points[some],
                to_second=self.to_second[some],
            )

    def landing(
        self, to_second: Float64[np.ndarray, "pairs 4 4"]
    ) -> tuple[Float64[np.ndarray, "pairs points 3"], Float64[np.ndarray, "pairs points 2"]]:
        """The points in the second camera, in front of it, and the pixels that show them."""
        seen = transform_points(to_second, self.points)
        seen[..., 2] = np.maximum(seen[..., 2], NEAREST)
        return seen, project(seen, self.intrinsics[self.edges[:, 1]])


def sample_pairs(
    flow: OpticalFlow,
    moving: Bool[np.ndarray, "frames height width"],
    reconstruction: Reconstruction,
) -> PairSamples:
    """The samples of every pair that has flow."""
    height, width = moving.shape[1:]
    rows, columns = grid(height, width)
    unit = float(np.median(reconstruction.depth))
    depth = reconstruction.depth[:, rows, columns].astype(np.float64) / unit
    poses = reconstruction.camera_to_world.copy()
    poses[:, :3, 3] /= unit
    first, second = flow.edges.T
    pixels = np.stack([columns, rows], axis=-1).astype(np.float64)
    cameras = reconstruction.intrinsics[:, None]
    lateral = (pixels - cameras[..., :2, 2]) / cameras[..., [0, 1], [0, 1]] * depth[..., None]
    points = np.concatenate([lateral, depth[..., None]], axis=-1)
    return PairSamples(
        edges=flow.edges,
        pixels=pixels,
        targets=pixels + flow.flow[:, rows, columns],
        consistent=flow.consistent[:, rows, columns],
        moving=moving[:, rows, columns][first],
        points=points[first],
        to_second=invert_rigid(poses[second]) @ poses[first],
        intrinsics=reconstruction.intrinsics,
    )


def grid(
    height: int, width: int
) -> tuple[Int64[np.ndarray, " points"], Int64[np.ndarray, " points"]]:
    """Rows and columns of about `POINTS_PER_FRAME` pixels, evenly spread."""
    step = max(1, round(np.sqrt(height * width / POINTS_PER_FRAME)))
    rows, columns = np.meshgrid(
        np.arange(step // 2, height, step), np.arange(step // 2, width, step), indexing="ij"
    )
    return rows.ravel(), columns.ravel()


def values_at(
    maps: Shaped[np.ndarray, "frames height width"],
    frames: Int64[np.ndarray, " pairs"],
    places: Float64[np.ndarray, "pairs points 2"],
) -> tuple[Shaped[np.ndarray, "pairs points"], Bool[np.ndarray, "pairs points"]]:
    """Values of maps at the pixels nearest to (x, y), and whether those are inside the image."""
    height, width = maps.shape[1:]
    nearest = np.rint(np.clip(places, -1e6, 1e6)).astype(np.int64)
    inside = ((nearest >= 0) & (nearest < (width, height))).all(axis=-1)
    column, row = np.clip(nearest, 0, (width - 1, height - 1)).transpose(2, 0, 1)
    return maps[frames[:, None], row, column], inside
