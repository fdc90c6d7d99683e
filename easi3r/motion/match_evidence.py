"""How far attention's matches are from where rigid motion puts them.

A token of a still surface finds its partner in the other image where depth and cameras put it; one
of a moving surface finds it elsewhere. Needs no optical flow, and sees no finer than tokens.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from easi3r.geometry import invert_rigid, project, transform_points, world_point_map
from easi3r.types import Reconstruction, TokenMatches

MOST = 10.0
"""Residuals end here, in tokens."""

_LEAST_CERTAIN = 1e-3  # keeps the mean defined where no match is certain


@dataclass(frozen=True)
class MatchEvidence:
    """What the matches of each token say.

    Attributes:
        residual: mean distance of its matches from their rigid place, in tokens, weighted by how
            certain they are, 0..`MOST`; over the pairs that put it inside the other image.
        certain: mean certainty of those matches, 0..1; 0 where there is none.
    """

    residual: Float32[np.ndarray, "frames rows columns"]
    certain: Float32[np.ndarray, "frames rows columns"]


def match_evidence(
    matches: TokenMatches, edges: Int64[np.ndarray, "pairs 2"], found: Reconstruction
) -> MatchEvidence:
    """Compare the matches of a clip's pairs with a reconstruction of its frames."""
    frames, height, width = found.depth.shape
    rows, columns = matches.certainty.shape[1:]
    patch = np.array([width / columns, height / rows])
    row = ((np.arange(rows) + 0.5) * patch[1]).astype(int)
    column = ((np.arange(columns) + 0.5) * patch[0]).astype(int)
    world = world_point_map(found.depth, found.intrinsics, found.camera_to_world)
    middle = world[:, row[:, None], column].reshape(frames, -1, 3)
    total, weight, seen = np.zeros((3, frames, rows, columns))
    for pair, (first, second) in enumerate(edges.tolist()):
        points = transform_points(invert_rigid(found.camera_to_world[second]), middle[first])
        front = points[:, 2] > 0
        points[~front, 2] = 1.0
        place = project(points, found.intrinsics[second]) / patch - 0.5  # in tokens
        inside = front & (place > -0.5).all(-1) & (place < (columns - 0.5, rows - 0.5)).all(-1)
        inside = inside.reshape(rows, columns)
        off = np.linalg.norm(place.reshape(rows, columns, 2) - matches.place[pair], axis=-1)
        certainty = np.where(inside, matches.certainty[pair], 0.0)
        total[first] += certainty * np.minimum(off, MOST)
        weight[first] += certainty
        seen[first] += inside
    residual = total / np.maximum(weight, _LEAST_CERTAIN)
    certain = weight / np.maximum(seen, 1)
    return MatchEvidence(residual.astype(np.float32), certain.astype(np.float32))
