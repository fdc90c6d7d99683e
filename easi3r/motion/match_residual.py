"""How far attention's matches are from where rigid motion puts them.

A token of a still surface finds its partner in the other image where depth and cameras put it; one
of a moving surface finds it elsewhere. Needs no optical flow, and sees no finer than tokens.
"""

import numpy as np
from jaxtyping import Float32, Int64

from easi3r.geometry import invert_rigid, project, transform_points, world_point_map
from easi3r.types import Reconstruction, TokenMatches

MOST = 10.0
"""Residuals end here, in tokens."""

_LEAST_CERTAIN = 1e-3  # keeps the mean defined where no match is certain


def match_residual(
    matches: TokenMatches, edges: Int64[np.ndarray, "pairs 2"], reconstruction: Reconstruction
) -> Float32[np.ndarray, "frames rows columns"]:
    """Mean distance of each token's matches from their rigid place, in tokens, 0..`MOST`.

    Weighted by how certain the matches are, over the pairs that put the token inside the other
    image; 0 where none does.
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
        total[first] += certainty * np.minimum(off, MOST)
        weight[first] += certainty
    return (total / np.maximum(weight, _LEAST_CERTAIN)).astype(np.float32)
