"""Pair predictions of made-up scenes whose cameras and depths are known exactly."""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from scipy.spatial.transform import Rotation

from easi3r.geometry import centred_intrinsics, invert_rigid, transform_points, world_point_map
from easi3r.tensors import PairGraph, PairPrediction


@dataclass(frozen=True)
class KnownScene:
    """Predictions beside the truth they were made from."""

    graph: PairGraph
    prediction: PairPrediction
    camera_to_world: Float64[np.ndarray, "frames 4 4"]
    intrinsics: Float64[np.ndarray, "frames 3 3"]
    depth: Float32[np.ndarray, "frames height width"]


def chosen_pairs(scene: KnownScene, keep: Int64[np.ndarray, " pairs"]) -> KnownScene:
    """The scene with some of its pairs only."""
    tensors = (getattr(scene.prediction, one.name)[keep] for one in fields(PairPrediction))
    graph = PairGraph(scene.graph.edges[keep], scene.graph.frames)
    return replace(scene, graph=graph, prediction=PairPrediction(*tensors))


def known_scene(
    frames: int = 5,
    noise: float = 0.0,
    focal_px: tuple[float, ...] = (30.0,),
    confidence: float = 3.0,
    size: tuple[int, int] = (18, 24),
    pixel_aspect: float = 1.0,
) -> KnownScene:
    """Wavy depths seen by a turning camera; every pair in both directions, its scale its own.

    Args:
        noise: standard deviation of the points, in parts of their distance.
        focal_px: of frame 0, 1, ..; the last one repeats; in x.
        pixel_aspect: width of a pixel over its height.
    """
    random = np.random.default_rng(3)
    height, width = size
    focals = [focal_px[min(frame, len(focal_px) - 1)] for frame in range(frames)]
    intrinsics = np.stack([centred_intrinsics(focal, width, height) for focal in focals])
    intrinsics[:, 1, 1] *= pixel_aspect
    time = np.arange(frames)
    poses = np.tile(np.eye(4), (frames, 1, 1))
    turns = np.stack([0.05 * np.sin(time), 0.06 * time, 0.02 * np.cos(time)], axis=1)
    poses[:, :3, :3] = Rotation.from_rotvec(turns).as_matrix()
    poses[:, :3, 3] = np.stack([0.3 * time, 0.2 * np.sin(time), 0.1 * time**1.5], axis=1)
    y, x = np.mgrid[:height, :width]
    depth = np.stack([4 + np.sin(x / 5 + t) + 0.7 * np.cos(y / 3 - t) for t in time])
    world = world_point_map(depth, intrinsics, poses).reshape(frames, -1, 3)
    edges = np.array([(a, b) for a in range(frames) for b in range(frames) if a != b], np.int64)
    points = [[], []]
    for first, *_ in zip(edges, strict=True):
        to_first = invert_rigid(poses[first[0]])
        scale = np.exp(0.3 * random.standard_normal())
        for side, frame in enumerate(first):
            exact = transform_points(to_first, world[frame]) * scale
            spread = noise * np.linalg.norm(exact, axis=1, keepdims=True)
            noisy = exact + spread * random.standard_normal(exact.shape)
            points[side].append(noisy.reshape(height, width, 3))
    shape = (len(edges), height, width)
    levels = [1 + (confidence - 1) * random.uniform(0.5, 1, shape) for _ in range(2)]
    arrays = [np.stack(points[0]), np.stack(points[1]), *levels]
    prediction = PairPrediction(*(torch.from_numpy(a.astype(np.float32)) for a in arrays))
    return KnownScene(
        PairGraph(edges, frames), prediction, poses, intrinsics, depth.astype(np.float32)
    )
