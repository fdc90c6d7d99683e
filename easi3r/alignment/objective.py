"""The objective of docs/method.md §6, recomputed from cameras and depths alone."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor

from easi3r.alignment.initial_state import PAIR_SCALE, register_pairs
from easi3r.alignment.problem import log_weights
from easi3r.alignment.terms import WeightedMotions
from easi3r.geometry import world_point_map
from easi3r.geometry.rotations import rotation_matrices
from easi3r.geometry.similarity import Similarity
from easi3r.geometry.tensor_cameras import lengths
from easi3r.tensors import PairGraph, PairPrediction

SOFTENING = 1e-3
TOLERANCE = 1e-6
MAX_STEPS = 100


def objective(
    graph: PairGraph,
    prediction: PairPrediction,
    camera_to_world: Float64[np.ndarray, "frames 4 4"],
    intrinsics: Float64[np.ndarray, "frames 3 3"],
    depth: Float[np.ndarray, "frames height width"],
) -> float:
    """The objective at these cameras and depths, with the best pair similarities of tied scale.

    Independent of any solver's own figures: the similarities are solved for here, to convergence.
    The unit of the world matters, since the geometric mean of the pair scales is 0.5 in it.

    Raises:
        DegenerateGeometryError: the points of a pair lie on one line.
    """
    near_zero = camera_to_world.copy()
    near_zero[:, :3, 3] -= camera_to_world[:, :3, 3].mean(0)
    device = prediction.points_1.device
    world = torch.from_numpy(world_point_map(depth, intrinsics, near_zero)).to(device).flatten(1, 2)
    source = torch.cat([prediction.points_1.flatten(1, 2), prediction.points_2.flatten(1, 2)], 1).mT
    confidence = [prediction.confidence_1.flatten(1), prediction.confidence_2.flatten(1)]
    weight = log_weights(torch.cat(confidence, 1)) / (len(graph) * depth[0].size)
    edges = torch.from_numpy(graph.edges).to(device)
    target = world[edges].flatten(1, 2).float().mT

    pair = register_pairs(graph, prediction, world)
    pair = replace(pair, scale=pair.scale * PAIR_SCALE / pair.scale.log().mean().exp())
    current = _value(pair, source, target, weight)
    for _ in range(MAX_STEPS):
        step = _tied_step(pair, source, target, weight)
        for fraction in (1.0, 0.5, 0.25, 0.125, 0.0625):
            trial = _moved(pair, step * fraction)
            value = _value(trial, source, target, weight)
            if value < current:
                break
        else:
            break
        gain = (current - value) / current
        pair, current = trial, value
        if gain < TOLERANCE:
            break
    return current


def _value(
    pair: Similarity,
    source: Float32[Tensor, "pairs 3 points"],
    target: Float32[Tensor, "pairs 3 points"],
    weight: Float32[Tensor, "pairs points"],
) -> float:
    return float((weight * lengths(target - pair.columns(source))).sum(dtype=torch.float64))


def _tied_step(
    pair: Similarity,
    source: Float32[Tensor, "pairs 3 points"],
    target: Float32[Tensor, "pairs 3 points"],
    weight: Float32[Tensor, "pairs points"],
) -> Float64[Tensor, "pairs 7"]:
    """One re-weighted least-squares step; a Lagrange multiplier keeps the mean log scale."""
    points = pair.columns(source)
    residual = target - points
    distance = lengths(residual)
    softening = SOFTENING * distance.mean()
    motions = WeightedMotions(points, weight / distance.clamp_min(softening))
    pull = motions.pull(residual).sum(2, dtype=torch.float64)
    scale = torch.zeros_like(pull)
    scale[:, 6] = 1
    free, tied = torch.linalg.solve(motions.curvature(), torch.stack([pull, scale], dim=-1)).unbind(
        -1
    )
    return free - tied * free[:, 6].sum() / tied[:, 6].sum()


def _moved(pair: Similarity, step: Float64[Tensor, "pairs 7"]) -> Similarity:
    turn = rotation_matrices(step[:, 3:6])
    growth = step[:, 6].exp()
    turned = (turn @ pair.translation[..., None])[..., 0]
    return Similarity(
        turn @ pair.rotation, growth[:, None] * turned + step[:, :3], pair.scale * growth
    )
