"""Where the solver starts (METHOD section 6): focals, cameras by PnP, pair similarities, depths."""

from dataclasses import dataclass

import cv2
import numpy as np
import roma
import torch
from jaxtyping import Float64
from torch import Tensor

from easi3r.alignment.chain import ChainedPoints, chain_pairs
from easi3r.alignment.problem import Pixels, State, log_weights
from easi3r.config import AlignmentSettings
from easi3r.errors import DegenerateGeometryError
from easi3r.geometry import centred_intrinsics, invert_rigid, pixel_grid, transform_points
from easi3r.geometry.similarity import Similarity, register
from easi3r.tensors import PairGraph, PairPrediction
from easi3r.types import KnownCameras

PAIR_SCALE = 0.5
"""Geometric mean of the pairs' scales: fixes the unit of the reconstruction."""

PNP_MAX_PIXELS = 10_000
PNP_ERROR_PX = 5.0

FIELD_OF_VIEW_DEGREES = (5.0, 150.0)
"""Of the longer side; a focal estimated outside of it (from poor points) is clipped to it."""

MIN_DEPTH = 0.05
"""A chained point nearer to its camera than this fraction of the median depth starts there."""


@dataclass(frozen=True)
class Start:
    """A first reconstruction: all pixels, pair scales tied, world = the first frame's camera.

    Attributes:
        pnp_failures: frames whose camera PnP did not find; they stand where chaining put them.
    """

    state: State
    pnp_failures: int


def start(
    graph: PairGraph,
    prediction: PairPrediction,
    known: KnownCameras,
    settings: AlignmentSettings,
) -> Start:
    """Chain the pairs, then read focals, cameras, pair similarities and depths off the points.

    Raises:
        DisconnectedGraphError: pairs do not chain all frames.
        DegenerateGeometryError: a registration or every focal is undetermined.
    """
    chained = chain_pairs(graph, prediction)
    height, width = chained.confidence.shape[1:]
    device = chained.points.device
    intrinsics = known.intrinsics
    if intrinsics is None:
        focals = estimate_focals(graph, prediction)
        if settings.shared_focal:
            focals = np.full_like(focals, np.median(focals))
        intrinsics = np.stack([centred_intrinsics(focal, width, height) for focal in focals])
    cameras, failures = find_cameras(chained, intrinsics, settings)
    points = chained.points.flatten(1, 2).double().cpu().numpy()
    if known.camera_to_world is None:
        to_world = invert_rigid(cameras[0])
        cameras = to_world @ cameras
        cameras[0] = np.eye(4)
    else:
        path = invert_rigid(known.camera_to_world[0]) @ known.camera_to_world
        to_world, cameras = fit_known_path(cameras, path)
    points = transform_points(np.broadcast_to(to_world, cameras.shape), points)
    depth = transform_points(invert_rigid(cameras), points)[..., 2]
    floor = np.maximum(MIN_DEPTH * np.median(np.abs(depth), axis=1, keepdims=True), 1e-12)
    focal_and_centre = torch.from_numpy(intrinsics).to(device)
    pose = torch.from_numpy(cameras).to(device)
    state = State(
        rotation=pose[:, :3, :3].contiguous(),
        centre=pose[:, :3, 3].contiguous(),
        focal=focal_and_centre.diagonal(dim1=1, dim2=2)[:, :2].contiguous(),
        principal=focal_and_centre[:, :2, 2].contiguous(),
        pair=register_pairs(graph, prediction, torch.from_numpy(points).to(device)),
        depth=torch.from_numpy(np.maximum(depth, floor)).float().to(device),
    )
    mean_scale = float(state.pair.scale.log().mean().exp())
    return Start(state.rescaled(PAIR_SCALE / mean_scale), failures)


def estimate_focals(graph: PairGraph, prediction: PairPrediction) -> Float64[np.ndarray, " frames"]:
    """Focal of each frame, pixels, from the maps in which it is the first of the pair.

    Weiszfeld's geometric-median iteration (10 re-weightings) on `pixel ~ f * (x, y) / z`, over the
    points with z > 0. A frame that is never first gets the median of the others.

    Raises:
        DegenerateGeometryError: no pair has a point in front of its first camera.
    """
    height, width = prediction.confidence_1.shape[1:]
    device = prediction.points_1.device
    centre = torch.tensor([width / 2, height / 2], dtype=torch.float64, device=device)
    pixel = Pixels.every(1, height, width, device).position.T - centre
    focals = np.full(graph.frames, np.nan)
    for frame in range(graph.frames):
        pairs = torch.from_numpy(np.flatnonzero(graph.edges[:, 0] == frame)).to(device)
        points = prediction.points_1[pairs].flatten(1, 2).double()
        front = points[..., 2] > 0
        if not bool(front.any()):
            continue
        direction = (points[..., :2] / points[..., 2:])[front]
        observed = pixel.expand(len(pairs), -1, -1)[front]
        agreement, length = (observed * direction).sum(-1), direction.square().sum(-1)
        focal = agreement.sum() / length.sum()
        for _ in range(10):
            weight = 1 / (observed - focal * direction).norm(dim=-1).clamp_min(1e-8)
            focal = (weight * agreement).sum() / (weight * length).sum()
        focals[frame] = float(focal)
    if np.isnan(focals).all():
        raise DegenerateGeometryError(
            "focal length",
            "no predicted point lies in front of its camera",
            "Use weights that were trained for point maps, or give the intrinsics",
        )
    nearest, widest = (
        max(width, height) / 2 / np.tan(np.radians(angle) / 2) for angle in FIELD_OF_VIEW_DEGREES
    )
    focals = np.clip(focals, widest, nearest)
    return np.where(np.isnan(focals), np.nanmedian(focals), focals)


def find_cameras(
    chained: ChainedPoints,
    intrinsics: Float64[np.ndarray, "frames 3 3"],
    settings: AlignmentSettings,
) -> tuple[Float64[np.ndarray, "frames 4 4"], int]:
    """Camera-to-world of each frame by PnP-RANSAC on its chained points, and how many it missed.

    Pixels over the confidence threshold take part, or the more confident half of the frame where
    fewer pass. A frame without a pose keeps the one that chaining gave it.
    """
    height, width = chained.confidence.shape[1:]
    pixel = pixel_grid(height, width).reshape(-1, 2)
    cameras = chained.anchor.cpu().numpy().copy()
    failures = 0
    for frame, confidence in enumerate(chained.confidence.flatten(1).cpu().numpy()):
        threshold = min(settings.min_confidence, float(np.median(confidence)))
        chosen = np.flatnonzero(confidence >= threshold)
        chosen = chosen[:: -(-len(chosen) // PNP_MAX_PIXELS)]
        points = chained.points[frame].reshape(-1, 3)[chosen].double().cpu().numpy()
        cv2.setRNGSeed(settings.seed)
        found, turn, shift, inliers = cv2.solvePnPRansac(
            points,
            pixel[chosen],
            intrinsics[frame],
            None,
            reprojectionError=PNP_ERROR_PX,
            flags=cv2.SOLVEPNP_SQPNP,
        )
        if not found or inliers is None or not np.isfinite([turn, shift]).all():
            failures += 1
            continue
        world_to_camera = np.eye(4)
        world_to_camera[:3, :3] = cv2.Rodrigues(turn)[0]
        world_to_camera[:3, 3] = shift[:, 0]
        cameras[frame] = invert_rigid(world_to_camera)
    return cameras, failures


def fit_known_path(
    cameras: Float64[np.ndarray, "frames 4 4"], path: Float64[np.ndarray, "frames 4 4"]
) -> tuple[Float64[np.ndarray, "4 4"], Float64[np.ndarray, "frames 4 4"]]:
    """Turn estimated cameras onto known ones, and bring the known ones to the estimate's scale.

    Rotation from the rotations (a straight path fixes none), scale and translation from the
    centres; where those disagree so much that the scale is negative, the ratio of their spreads.

    Returns:
        the rigid transform of the estimate's world, and the rescaled known cameras.
    """
    agreement = (path[:, :3, :3] @ np.swapaxes(cameras[:, :3, :3], 1, 2)).sum(0)
    turn = roma.special_procrustes(torch.from_numpy(agreement)).numpy()
    centres = cameras[:, :3, 3] @ turn.T
    spread = centres - centres.mean(0)
    known_spread = path[:, :3, 3] - path[:, :3, 3].mean(0)
    size = np.square(known_spread).sum()
    scale = (spread * known_spread).sum() / size if size > 0 else 1.0
    if scale <= 0:
        scale = np.sqrt(np.square(spread).sum() / size) or 1.0
    rescaled = path.copy()
    rescaled[:, :3, 3] *= scale
    to_world = np.eye(4)
    to_world[:3, :3] = turn
    to_world[:3, 3] = rescaled[:, :3, 3].mean(0) - centres.mean(0)
    return to_world, rescaled


def register_pairs(
    graph: PairGraph,
    prediction: PairPrediction,
    world: Float64[Tensor, "frames pixels 3"],
) -> Similarity:
    """Each pair's similarity, from both its maps onto the frames' world points.

    Raises:
        DegenerateGeometryError: the points of a pair lie on one line.
    """
    found = []
    for pair, (first, second) in enumerate(graph.edges.tolist()):
        maps = torch.stack([prediction.points_1[pair], prediction.points_2[pair]])
        confidence = torch.stack([prediction.confidence_1[pair], prediction.confidence_2[pair]])
        found.append(
            register(
                maps.reshape(-1, 3),
                torch.cat([world[first], world[second]]),
                log_weights(confidence).flatten(),
                f"pair ({first}, {second})",
            )
        )
    return Similarity(
        torch.stack([one.rotation for one in found]),
        torch.stack([one.translation for one in found]),
        torch.stack([one.scale for one in found]),
    )
