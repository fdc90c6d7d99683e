"""Match residual: distance of attention's matches from their reprojection in a rigid scene.

A token of a static surface matches where depth and cameras reproject it; one of a moving surface
matches elsewhere. Needs no optical flow; its resolution is that of tokens.
"""

import numpy as np
from jaxtyping import Float32, Int64

from easi3r.geometry import invert_rigid, project, transform_points, world_point_map
from easi3r.types import Reconstruction, TokenMatches

LARGEST_RESIDUAL = 10.0
"""Residuals end here, in tokens."""

_LEAST_CERTAIN = 1e-3  # keeps the mean defined where no match is certain


def match_residual(
    matches: TokenMatches, edges: Int64[np.ndarray, "pairs 2"], reconstruction: Reconstruction
) -> Float32[np.ndarray, "frames rows columns"]:
    """Mean reprojection error of each token's matches, in tokens, 0..`LARGEST_RESIDUAL`.

    Weighted by the matches' certainty, over the pairs in which the token reprojects into the other
    image; 0 where there is none.

    Args:
        matches: of every pair of `edges`, in the same order.
        edges: (first, second) frame of each pair.
        reconstruction: of the same frames.
    """
    frames, height, width = reconstruction.depth.shape
    rows, columns = matches.certainty.shape[1:]
    patch = np.array([width / columns, height / rows])
    row = ((np.arange(rows) + 0.5) * patch[1]).astype(int)
    column = ((np.arange(columns) + 0.5) * patch[0]).astype(int)
    world = world_point_map(
        reconstruction.depth, reconstruction.intrinsics, reconstruction.camera_to_world
    )
    middle = world[:, row[:, None], column].reshape(frames, -1, 3)
    total, weight = np.zeros((2, frames, rows, columns))
    for pair, (first, second) in enumerate(edges.tolist()):
        points = transform_points(
            invert_rigid(reconstruction.camera_to_world[second]), middle[first]
        )
        front = points[:, 2] > 0
        points[~front, 2] = 1.0
        place = project(points, reconstruction.intrinsics[second]) / patch - 0.5  # in tokens
        inside = front & (place > -0.5).all(-1) & (place < (columns - 0.5, rows - 0.5)).all(-1)
        inside = inside.reshape(rows, columns)
        off = np.linalg.norm(place.reshape(rows, columns, 2) - matches.place[pair], axis=-1)
        certainty = np.where(inside, matches.certainty[pair], 0.0)
        total[first] += certainty * np.minimum(off, LARGEST_RESIDUAL)
        weight[first] += certainty
    return (total / np.maximum(weight, _LEAST_CERTAIN)).astype(np.float32)
