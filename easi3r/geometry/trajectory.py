"""How far an estimated camera path is from the true one (METHOD section 7)."""

import numpy as np
import roma
import torch
from jaxtyping import Float

from easi3r.errors import DegenerateGeometryError


def trajectory_error(
    estimate: Float[np.ndarray, "frames 4 4"], truth: Float[np.ndarray, "frames 4 4"]
) -> float:
    """Absolute trajectory error (ATE), in the truth's unit.

    RMSE of the camera centres after the best similarity (Umeyama) takes the estimate onto the
    truth. An estimate that never moves is judged by the spread of the true path about its mean:
    the limit in which the similarity's scale is 0.

    Raises:
        DegenerateGeometryError: the true camera does not move, so every path scaled to 0 fits.
    """
    source = torch.from_numpy(estimate[:, :3, 3].astype(np.float64))
    target = torch.from_numpy(truth[:, :3, 3].astype(np.float64))
    if torch.equal(target, target[:1].expand_as(target)):
        raise DegenerateGeometryError(
            "trajectory error",
            f"the true camera stands still over all {len(target)} frames",
            "Judge such a clip by rotation or by its point maps",
        )
    if torch.equal(source, source[:1].expand_as(source)):
        aligned = target.mean(0).expand_as(target)
    else:
        rotation, translation, scale = roma.rigid_points_registration(
            source, target, compute_scaling=True
        )
        aligned = scale * source @ rotation.mT + translation
    return float((aligned - target).square().sum(-1).mean().sqrt())
