"""The solver's initial state (docs/method.md §6): focals, cameras by PnP, similarities, depths."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from easi3r.alignment.chain import Chain, chain_pairs
from easi3r.alignment.pnp import cameras_by_pnp
from easi3r.alignment.problem import (
    Pixels,
    State,
    focal_limits,
    log_weights,
    stride_for,
    strided_slice,
    subsampled,
)
from easi3r.config import AlignmentSettings
from easi3r.errors import DegenerateGeometryError
from easi3r.geometry import centred_intrinsics, invert_rigid, world_point_map
from easi3r.geometry.rotations import nearest_rotation
from easi3r.geometry.similarity import Similarity, register
from easi3r.knowledge import KnownCameras
from easi3r.tensors import PairGraph, PairPrediction
from easi3r.types import Reconstruction

PAIR_SCALE = 0.5
"""Geometric mean of the pairs' scales: fixes the unit of the reconstruction."""

START_PIXELS = 768
"""Pixels of a frame from which registrations, focals and cameras are computed, roughly."""

REGISTERED_POINTS = 2**18
"""Points per batch of registrations."""

MIN_DEPTH = 0.05
"""A chained point nearer to its camera than this fraction of the median depth starts there."""


@dataclass(frozen=True)
class InitialState:
    """A first reconstruction: all pixels, pair scales tied, world = the first frame's camera.

    Attributes:
        pnp_failures: number of frames without a pose by PnP; they have that of the chain.
    """

    state: State
    pnp_failures: int


def initial_state(
    graph: PairGraph,
    prediction: PairPrediction,
    known: KnownCameras,
    settings: AlignmentSettings,
) -> InitialState:
    """Chain the pairs; focals, cameras, pair similarities and depths follow from the points.

    Raises:
        DisconnectedGraphError: pairs do not chain all frames.
        DegenerateGeometryError: a registration or every focal is undetermined.
    """
    height, width = prediction.confidence_1.shape[1:]
    stride = stride_for(height, width, START_PIXELS)
    few = subsampled(prediction, stride)
    pixels = Pixels.every(stride, height, width, prediction.points_1.device)
    chain = chain_pairs(graph, few)
    intrinsics = known.intrinsics
    if intrinsics is None:
        focals = estimate_focals(graph, few, pixels, width, height)
        if settings.shared_focal:
            focals = np.full_like(focals, np.median(focals))
        intrinsics = np.stack([centred_intrinsics(focal, width, height) for focal in focals])
    cameras, failures = cameras_by_pnp(chain, few, pixels, intrinsics, settings)
    if known.camera_to_world is None:
        to_world = invert_rigid(cameras[0])
        cameras = to_world @ cameras
        cameras[0] = np.eye(4)
    else:
        path = invert_rigid(known.camera_to_world[0]) @ known.camera_to_world
        to_world, cameras = fit_known_path(cameras, path)
    depth = chained_depths(chain, prediction, invert_rigid(cameras) @ to_world)
    points = torch.stack([chain.frame(frame, few)[0] for frame in range(graph.frames)])
    onto = torch.from_numpy(to_world).to(depth.device)
    world = points.flatten(1, 2).double() @ onto[:3, :3].mT + onto[:3, 3]
    pair = register_pairs(graph, few, world)
    return InitialState(tied_state(cameras, intrinsics, pair, depth), failures)


def initial_state_from(
    graph: PairGraph, prediction: PairPrediction, earlier: Reconstruction
) -> InitialState:
    """The final state of an alignment of earlier predictions of the same pairs.

    Raises:
        DegenerateGeometryError: the points of a pair lie on one line.
    """
    height, width = prediction.confidence_1.shape[1:]
    stride = stride_for(height, width, START_PIXELS)
    cameras = invert_rigid(earlier.camera_to_world[0]) @ earlier.camera_to_world
    few = np.s_[strided_slice(height, stride), strided_slice(width, stride)]
    frames = zip(earlier.depth, earlier.intrinsics, cameras, strict=True)
    seen = np.stack([world_point_map(*frame)[few].reshape(-1, 3) for frame in frames])
    device = prediction.points_1.device
    world, depth = (torch.from_numpy(array).to(device) for array in (seen, earlier.depth))
    pair = register_pairs(graph, subsampled(prediction, stride), world)
    state = tied_state(cameras, earlier.intrinsics, pair, depth.flatten(1))
    return InitialState(state, int(earlier.quality["pnp_failures"]))


def tied_state(
    camera_to_world: Float64[np.ndarray, "frames 4 4"],
    intrinsics: Float64[np.ndarray, "frames 3 3"],
    pair: Similarity,
    depth: Float32[Tensor, "frames pixels"],
) -> State:
    """The state in the unit in which the pair scales have the geometric mean `PAIR_SCALE`."""
    arrays = (camera_to_world, intrinsics)
    pose, camera = (torch.from_numpy(array).to(depth.device) for array in arrays)
    state = State(
        rotation=pose[:, :3, :3].contiguous(),
        centre=pose[:, :3, 3].contiguous(),
        focal=camera.diagonal(dim1=1, dim2=2)[:, :2].contiguous(),
        principal=camera[:, :2, 2].contiguous(),
        pair=pair,
        depth=depth,
    )
    return state.rescaled(PAIR_SCALE / float(pair.scale.log().mean().exp()))


def chained_depths(
    chain: Chain, prediction: PairPrediction, to_camera: Float64[np.ndarray, "frames 4 4"]
) -> Float32[Tensor, "frames pixels"]:
    """Depths of the chained points in the cameras, none nearer than `MIN_DEPTH`.

    Args:
        to_camera: from the chain's world.
    """
    matrix = torch.from_numpy(to_camera).to(prediction.points_1.device).float()
    depths = []
    for frame in range(len(to_camera)):
        points, _ = chain.frame(frame, prediction)
        depth = points.reshape(-1, 3) @ matrix[frame, 2, :3] + matrix[frame, 2, 3]
        floor = (MIN_DEPTH * depth.abs().median()).clamp_min(1e-12)
        depths.append(torch.maximum(depth, floor))
    return torch.stack(depths)


def estimate_focals(
    graph: PairGraph, prediction: PairPrediction, pixels: Pixels, width: int, height: int
) -> Float64[np.ndarray, " frames"]:
    """Focal of each frame, pixels, from the maps in which it is the first of the pair.

    Weiszfeld's geometric-median iteration (10 re-weightings) on `pixel ~ f * (x, y) / z`, over the
    points with z > 0. A frame that is never first gets the median of the others.

    Args:
        prediction: at these pixels of images of this width and height.

    Raises:
        DegenerateGeometryError: no pair has a point in front of its first camera.
    """
    device = prediction.points_1.device
    centre = torch.tensor([width / 2, height / 2], dtype=torch.float64, device=device)
    pixel = (pixels.position.T - centre).float()
    focals = np.full(graph.frames, np.nan)
    for frame in range(graph.frames):
        pairs = torch.from_numpy(np.flatnonzero(graph.edges[:, 0] == frame)).to(device)
        points = prediction.points_1[pairs].flatten(1, 2).float()
        front = points[..., 2] > 0
        if not bool(front.any()):
            continue
        direction = (points[..., :2] / points[..., 2:])[front]
        observed = pixel.expand(len(pairs), -1, -1)[front]
        agreement, length = (observed * direction).sum(-1), direction.square().sum(-1)
        focal = agreement.sum() / length.sum()
        for _ in range(10):
            apart = (observed - focal * direction).square().sum(-1).sqrt()
            weight = 1 / apart.clamp_min(1e-8)
            focal = (weight * agreement).sum() / (weight * length).sum()
        focals[frame] = float(focal)
    if np.isnan(focals).all():
        raise DegenerateGeometryError(
            "focal length",
            "no predicted point lies in front of its camera",
            "Use weights that were trained for point maps, or give the intrinsics",
        )
    focals = np.clip(focals, *focal_limits(max(width, height)))
    return np.where(np.isnan(focals), np.nanmedian(focals), focals)


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
    turn = nearest_rotation(torch.from_numpy(agreement)).numpy()
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
    per_batch = max(1, REGISTERED_POINTS // (2 * world.shape[1]))
    registered = []
    for first_pair in range(0, len(graph), per_batch):
        some = slice(first_pair, first_pair + per_batch)
        first, second = torch.from_numpy(graph.edges[some]).unbind(1)
        maps = [prediction.points_1[some], prediction.points_2[some]]
        confidence = [prediction.confidence_1[some], prediction.confidence_2[some]]
        registered.append(
            register(
                torch.cat(maps, dim=1).flatten(1, 2),
                torch.cat([world[first], world[second]], dim=1),
                log_weights(torch.cat(confidence, dim=1)).flatten(1),
                [f"pair {tuple(edge)}" for edge in graph.edges[some].tolist()],
            )
        )
    return Similarity(
        torch.cat([one.rotation for one in registered]),
        torch.cat([one.translation for one in registered]),
        torch.cat([one.scale for one in registered]),
    )
