"""Camera paths: the best similarity between two, and how far they are apart after it."""

import numpy as np
import torch
from jaxtyping import Float, Float64

from easi3r.errors import DegenerateGeometryError
from easi3r.geometry.similarity import best_similarity

_ROUNDING = 1e-9  # in the unit of the poses: what products of float64 matrices leave behind


def align_path(
    estimate: Float[np.ndarray, "frames 4 4"], truth: Float[np.ndarray, "frames 4 4"]
) -> Float64[np.ndarray, "frames 4 4"]:
    """Estimated poses after the similarity (Umeyama) that takes their centres onto the true ones.

    A path on a line, of which no rotation is the best, takes any of the best ones. An estimate that
    never moves ends at the mean of the true centres: the limit in which the scale is 0.
    """
    source = torch.from_numpy(estimate[:, :3, 3].astype(np.float64))
    target = torch.from_numpy(truth[:, :3, 3].astype(np.float64))
    aligned = estimate.astype(np.float64)
    if torch.equal(source, source[:1].expand_as(source)):
        aligned[:, :3, 3] = target.mean(0).numpy()
        return aligned
    onto_truth = best_similarity(source, target)
    aligned[:, :3, :3] = onto_truth.rotation.numpy() @ aligned[:, :3, :3]
    aligned[:, :3, 3] = onto_truth(source).numpy()
    return aligned


def trajectory_error(
    estimate: Float[np.ndarray, "frames 4 4"], truth: Float[np.ndarray, "frames 4 4"]
) -> float:
    """Absolute trajectory error (ATE), in the truth's unit (docs/method.md §7).

    RMSE of the camera centres after `align_path`. An estimate that never moves is judged by the
    spread of the true path about its mean.

    Raises:
        DegenerateGeometryError: the true camera does not move, so every path scaled to 0 fits.
    """
    centres = truth[:, :3, 3].astype(np.float64)
    if np.ptp(centres, axis=0).max() <= _ROUNDING:
        raise DegenerateGeometryError(
            "trajectory error",
            f"the true camera stands still over all {len(truth)} frames",
            "Judge such a clip by rotation or by its point maps",
        )
    offset = align_path(estimate, truth)[:, :3, 3] - centres
    return float(np.sqrt(np.square(offset).sum(axis=1).mean()))
