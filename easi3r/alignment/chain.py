"""Chaining pairs into one world: a maximum spanning tree of registrations (docs/method.md §6)."""

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
class Chain:
    """Every frame's place in one world of arbitrary pose and scale.

    Attributes:
        map_number: the map of each frame (as `ClipMaps` counts them) that was registered.
        to_world: from that map's own frame.
    """

    map_number: Int64[Tensor, " frames"]
    to_world: Similarity

    def frame(
        self, number: int, prediction: PairPrediction
    ) -> tuple[Float32[Tensor, "height width 3"], Float32[Tensor, "height width"]]:
        """World points of a frame's pixels, and their confidence."""
        points, confidence = map_of(prediction, int(self.map_number[number]))
        place = Similarity(
            self.to_world.rotation[number],
            self.to_world.translation[number],
            self.to_world.scale[number],
        )
        return place(points.float().reshape(-1, 3)).view(points.shape), confidence

    def cameras(self) -> Float64[np.ndarray, "frames 4 4"]:
        """Camera-to-world of the first frame of each frame's map: its own camera where it is that
        frame, else its neighbour's. The fallback where PnP gives no pose."""
        pose = np.tile(np.eye(4), (len(self.map_number), 1, 1))
        pose[:, :3, :3] = self.to_world.rotation.cpu().numpy()
        pose[:, :3, 3] = self.to_world.translation.cpu().numpy()
        return pose


def map_of(prediction: PairPrediction, number: int) -> tuple[Tensor, Tensor]:
    """Points and confidence of a map, as `ClipMaps` counts them."""
    pairs = len(prediction.points_1)
    if number < pairs:
        return prediction.points_1[number], prediction.confidence_1[number]
    return prediction.points_2[number - pairs], prediction.confidence_2[number - pairs]


def pair_scores(prediction: PairPrediction) -> Float64[np.ndarray, " pairs"]:
    """Confidence of each pair: mean(confidence_1) * mean(confidence_2)."""
    means = [c.double().mean((1, 2)) for c in (prediction.confidence_1, prediction.confidence_2)]
    return (means[0] * means[1]).cpu().numpy()


def spanning_pairs(
    graph: PairGraph, scores: Float64[np.ndarray, " pairs"]
) -> tuple[int, Int64[np.ndarray, " frames_but_one"]]:
    """The pairs of the maximum spanning tree in an order in which each adds one new frame.

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


def chain_pairs(graph: PairGraph, prediction: PairPrediction) -> Chain:
    """Place frame after frame by registering its pair onto the map of a frame placed before.

    Raises:
        DisconnectedGraphError: see `spanning_pairs`.
        DegenerateGeometryError: a pair's points lie on one line.
    """
    best_pair, pairs = spanning_pairs(graph, pair_scores(prediction))
    root = int(graph.edges[best_pair, 0])
    numbers = {root: best_pair}
    bases, sources, targets, weights = [], [], [], []
    for pair in pairs.tolist():
        first, second = graph.edges[pair].tolist()
        base, new = (first, second) if first in numbers else (second, first)
        numbers[new] = pair if new == first else len(graph) + pair
        ends = (pair if base == first else len(graph) + pair, numbers[base])
        maps = [map_of(prediction, end) for end in ends]
        (source, source_confidence), (target, target_confidence) = maps
        bases.append((base, new))
        sources.append(source.reshape(-1, 3))
        targets.append(target.reshape(-1, 3))
        weight = log_weights(source_confidence) * log_weights(target_confidence)
        weights.append(weight.flatten())
    names = [f"pair {tuple(graph.edges[pair].tolist())}" for pair in pairs]
    onto = register(torch.stack(sources), torch.stack(targets), torch.stack(weights), names)
    identity = torch.eye(3, dtype=torch.float64, device=onto.scale.device)
    places = {root: Similarity(identity, identity[0] * 0, identity[0, 0])}
    for k, (base, new) in enumerate(bases):
        at = places[base]
        places[new] = Similarity(
            at.rotation @ onto.rotation[k],
            at.scale * at.rotation @ onto.translation[k] + at.translation,
            at.scale * onto.scale[k],
        )
    ordered = [places[frame] for frame in range(graph.frames)]
    return Chain(
        torch.tensor([numbers[frame] for frame in range(graph.frames)]),
        Similarity(
            torch.stack([one.rotation for one in ordered]),
            torch.stack([one.translation for one in ordered]),
            torch.stack([one.scale for one in ordered]),
        ),
    )
