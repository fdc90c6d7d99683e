"""Cameras by perspective-n-point with RANSAC, from points of known pixels (docs/method.md §6)."""

import cv2
import numpy as np
from jaxtyping import Float64

from easi3r.alignment.chain import Chain
from easi3r.alignment.problem import Pixels
from easi3r.config import AlignmentSettings
from easi3r.geometry import invert_rigid
from easi3r.tensors import PairPrediction

PNP_REPROJECTION_ERROR_PX = 5.0
"""Points that project farther from their pixel are outliers."""


def cameras_by_pnp(
    chain: Chain,
    prediction: PairPrediction,
    pixels: Pixels,
    intrinsics: Float64[np.ndarray, "frames 3 3"],
    settings: AlignmentSettings,
) -> tuple[Float64[np.ndarray, "frames 4 4"], int]:
    """Camera-to-world of each frame by PnP-RANSAC on its chained points, and how often that failed.

    Pixels over the confidence threshold take part, or the more confident half of the frame where
    fewer pass. A frame without a pose by PnP has that of the chain.

    Args:
        prediction: at these pixels.
    """
    pixel = pixels.position.T.cpu().numpy()
    cameras = chain.cameras()
    failures = 0
    for frame in range(len(cameras)):
        points, frame_confidence = chain.frame(frame, prediction)
        confidence = frame_confidence.float().flatten().cpu().numpy()
        threshold = min(settings.min_confidence, float(np.median(confidence)))
        chosen = np.flatnonzero(confidence >= threshold)
        seen = points.reshape(-1, 3).double().cpu().numpy()[chosen]
        cv2.setRNGSeed(settings.seed)
        pose = camera_by_pnp(seen, pixel[chosen], intrinsics[frame])
        if pose is None:
            failures += 1
        else:
            cameras[frame] = pose
    return cameras, failures


def camera_by_pnp(
    points: Float64[np.ndarray, "points 3"],
    pixels: Float64[np.ndarray, "points 2"],
    intrinsics: Float64[np.ndarray, "3 3"],
) -> Float64[np.ndarray, "4 4"] | None:
    """Camera-to-world by PnP-RANSAC; None where the points give none (degenerate, or fewer than 4).

    Args:
        pixels: (x, y) where the camera sees the points.
    """
    try:
        solved, turn, shift, inliers = cv2.solvePnPRansac(
            points,
            pixels,
            intrinsics,
            None,
            reprojectionError=PNP_REPROJECTION_ERROR_PX,
            flags=cv2.SOLVEPNP_SQPNP,
        )
    except cv2.error:  # OpenCV refuses some degenerate points so, and gives up on others
        return None
    if not solved or inliers is None or not np.isfinite([turn, shift]).all():
        return None
    world_to_camera = np.eye(4)
    world_to_camera[:3, :3] = cv2.Rodrigues(turn)[0]
    world_to_camera[:3, 3] = shift[:, 0]
    return invert_rigid(world_to_camera)
