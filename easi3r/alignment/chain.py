"""Chaining pairs into one world: a maximum spanning tree of registrations (METHOD section 6)."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree
from torch import Tensor

from easi3r.alignment.problem import log_weights
from easi3r.errors import DisconnectedGraphError
from easi3r.geometry.similarity import Similarity, register
from easi3r.tensors import PairGraph, PairPrediction


@dataclass(frozen=True)
class ChainedPoints:
    """Every frame's points in one world of arbitrary pose and scale.

    Attributes:
        points: of each pixel.
        confidence: of the pair that placed the frame.
        anchor: per frame, the camera that the placing pair names for it (its own where it is the
            pair's first frame, else its neighbour's): where to stand if nothing better is found.
    """

    points: Float32[Tensor, "frames height width 3"]
    confidence: Float32[Tensor, "frames height width"]
    anchor: Float64[Tensor, "frames 4 4"]


def pair_scores(prediction: PairPrediction) -> Float64[np.ndarray, " pairs"]:
    """How sure the network is of each pair: mean(confidence_1) * mean(confidence_2)."""
    means = [c.double().mean((1, 2)) for c in (prediction.confidence_1, prediction.confidence_2)]
    return (means[0] * means[1]).cpu().numpy()


def spanning_pairs(
    graph: PairGraph, scores: Float64[np.ndarray, " pairs"]
) -> tuple[int, Int64[np.ndarray, " frames_but_one"]]:
    """The pairs of the maximum spanning tree in an order in which each meets one new frame.

    Returns:
        the best pair, whose first frame is the root of the tree, and the pairs in order.

    Raises:
        DisconnectedGraphError: some frames share no chain of pairs with the others.
    """
    require_connected(graph)
    best: dict[tuple[int, int], int] = {}
    for number in np.argsort(scores, kind="stable"):
        low, high = sorted(graph.edges[number].tolist())
        best[low, high] = int(number)
    ends = np.array(list(best))
    cost = 1 + scores.max() - scores[list(best.values())]
    shape = (graph.frames, graph.frames)
    tree = minimum_spanning_tree(coo_array((cost, (ends[:, 0], ends[:, 1])), shape=shape).tocsr())
    best_pair = int(scores.argmax())
    order, before = breadth_first_order(tree, int(graph.edges[best_pair, 0]), directed=False)
    pairs = [best[min(a, b), max(a, b)] for a, b in zip(order[1:], before[order[1:]], strict=True)]
    return best_pair, np.array(pairs, np.int64)


def require_connected(graph: PairGraph) -> None:
    """Raises DisconnectedGraphError unless pairs chain every frame to every other."""
    ends = (graph.edges[:, 0], graph.edges[:, 1])
    adjacency = coo_array((np.ones(len(graph)), ends), shape=(graph.frames, graph.frames))
    parts, label = connected_components(adjacency, directed=False)
    if parts > 1:
        lost = np.flatnonzero(label != label[0]).tolist()
        raise DisconnectedGraphError(
            "pair graph",
            f"no chain of its {len(graph)} pairs joins frame 0 and frames {lost}",
            "Give a graph whose pairs connect all frames: a larger window, or offset 1 in it",
        )


def chain_pairs(graph: PairGraph, prediction: PairPrediction) -> ChainedPoints:
    """Place frame after frame by registering its pair onto the points of a frame placed before.

    Raises:
        DisconnectedGraphError: see `spanning_pairs`.
        DegenerateGeometryError: a pair's points lie on one line.
    """
    best_pair, pairs = spanning_pairs(graph, pair_scores(prediction))
    sides = [
        (prediction.points_1, prediction.confidence_1),
        (prediction.points_2, prediction.confidence_2),
    ]
    frames, device = graph.frames, prediction.points_1.device
    points = torch.zeros(frames, *prediction.points_1.shape[1:], device=device)
    confidence = torch.zeros(points.shape[:-1], device=device)
    anchor = torch.eye(4, dtype=torch.float64, device=device).repeat(frames, 1, 1)
    root = int(graph.edges[best_pair, 0])
    points[root], confidence[root] = (part[best_pair] for part in sides[0])
    placed = {root}
    for pair in pairs.tolist():
        first, second = graph.edges[pair].tolist()
        known, side = (first, 1) if first in placed else (second, 0)
        new = second if side else first
        base_points, base_confidence = (part[pair] for part in sides[1 - side])
        onto_world = register(
            base_points.reshape(-1, 3),
            points[known].reshape(-1, 3),
            (log_weights(base_confidence) * log_weights(confidence[known])).flatten(),
            f"pair ({first}, {second})",
        )
        new_points, new_confidence = (part[pair] for part in sides[side])
        points[new] = onto_world(new_points.reshape(-1, 3)).view_as(new_points)
        confidence[new] = new_confidence
        anchor[new] = as_pose(onto_world)
        placed.add(new)
    return ChainedPoints(points, confidence, anchor)


def as_pose(similarity: Similarity) -> Float64[Tensor, "4 4"]:
    """The rigid part of a similarity, as a camera-to-world matrix."""
    pose = torch.eye(4, dtype=torch.float64, device=similarity.rotation.device)
    pose[:3, :3] = similarity.rotation
    pose[:3, 3] = similarity.translation
    return pose
