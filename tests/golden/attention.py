"""Statistics, dynamic maps and masks against the reference: from its key means, and from images."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from easi3r.attention import (
    attention_statistics,
    cluster_tokens,
    dynamic_map,
    fused_maps,
    pair_graph,
    smooth_over_clusters,
    threshold_score,
)
from easi3r.config import GraphSettings, SegmentationSettings
from easi3r.model import normalise
from easi3r.tensors import FrameFeatures, KeyMeans, PairGraph
from tests.golden.comparison import Comparison, compare_arrays, compare_at_most
from tests.golden.network import Arrays, explain, load, outputs

GRAPHS: dict[str, dict[str, object]] = {
    r"swinstride-(\d+)-noncyclic": {"kind": "window", "stride": 2},
    r"swin-(\d+)-noncyclic": {"kind": "window", "stride": 1},
    r"complete": {"kind": "complete"},
    r"oneref-0": {"kind": "star"},
}
KEY_MEANS = ("keymean_dec1", "keymean_dec2")
STAGES_FROM_IMAGES = ("dynamic_map", "refined_map", "masks")
UNEQUAL_PIXELS = 0.005
INERTIA = 0.01
HISTOGRAM_BIN = 1 / 256


def compare(folder: Path) -> list[Comparison]:
    """Every `segment*.npz`, of pass 1 or pass 2."""
    rows: list[Comparison] = []
    for path in sorted(folder.glob("segment*.npz")):
        arrays = load(path)
        labels = labels_of(path, arrays)
        rows += compare_graph(path.name, arrays)
        rows += compare_clusters(path.name, arrays)
        rows += compare_stages(path.name, arrays, labels)
        rows += compare_from_images(path, arrays, labels)
    return rows


def compare_graph(file: str, arrays: Arrays) -> list[Comparison]:
    """Pairs that only one of us has, where the file names a kind of graph that is ours too."""
    name = str(arrays.get("graph", ""))
    for pattern, kind in GRAPHS.items():
        if match := re.fullmatch(pattern, name):
            window = {"window": int(match[1])} if match.groups() else {}
            settings = GraphSettings.model_validate({**kind, **window})
            ours = {tuple(edge) for edge in pair_graph(len(arrays["images"]), settings).edges}
            theirs = {tuple(edge) for edge in arrays["edges"]}
            return [compare_at_most(file, "edges", len(ours ^ theirs), 0, f"pairs of {name}")]
    note = f"{name!r} is no graph of ours: the stored edges are used, not compared"
    return [compare_at_most(file, "edges", 0, 0, note)]


def compare_clusters(file: str, arrays: Arrays) -> list[Comparison]:
    """How much worse our k-means explains the stored features than the stored labels do."""
    if "features" not in arrays or "cluster_labels" not in arrays:
        return []
    reference = arrays["cluster_labels"].astype(np.int64)
    _, rows, columns, _ = arrays["features"].shape
    tokens = torch.from_numpy(arrays["features"]).flatten(1, 2)
    clusters = int(reference.max()) + 1
    ours = cluster_tokens(
        FrameFeatures(tokens, rows, columns), SegmentationSettings(clusters=clusters)
    ).numpy()
    least = inertia(arrays["features"], reference)
    excess = inertia(arrays["features"], ours) - least
    # As many clusters as distinct tokens leave no inertia: then any excess is too much.
    error = excess / least if least > 0 else excess
    return [compare_at_most(file, "cluster_labels", error, INERTIA, "excess of inertia")]


def compare_stages(file: str, arrays: Arrays, labels: np.ndarray) -> list[Comparison]:
    """Every stage from the key means in `arrays` on."""
    edges = arrays["edges"].astype(np.int64)
    key_means = KeyMeans(*(torch.from_numpy(arrays[name]) for name in KEY_MEANS))
    statistics = attention_statistics(key_means, PairGraph(edges, len(arrays["images"])))
    fused = fused_maps(statistics)
    score = dynamic_map(statistics)
    refined = smooth_over_clusters(score, torch.from_numpy(labels))
    segmentation = threshold_score(refined, *arrays["images"].shape[1:3])
    ours = {
        "mean_src": statistics.source_mean,
        "std_src": statistics.source_std,
        "mean_ref": statistics.reference_mean,
        "std_ref": statistics.reference_std,
        "fused_mean_src": fused.source_mean,
        "fused_std_src": fused.source_std,
        "fused_mean_ref": fused.reference_mean,
        "fused_std_ref": fused.reference_std,
        "dynamic_map": score,
        "refined_map": refined,
    }
    rows = [
        compare_arrays(file, name, ours[name].numpy(), arrays[name])
        for name in ours
        if name in arrays
    ]
    if "threshold" in arrays:
        reference = float(arrays["threshold"])
        error = (
            0.0 if segmentation.threshold == reference else abs(segmentation.threshold - reference)
        )
        note = "absolute; bound: a histogram bin"
        rows.append(compare_at_most(file, "threshold", error, HISTOGRAM_BIN, note))
    if "masks" in arrays:
        unequal = float((segmentation.mask.numpy() != arrays["masks"]).mean())
        note = f"share of unequal pixels; {arrays['masks'].mean():.1%} of the reference's move"
        rows.append(compare_at_most(file, "masks", unequal, UNEQUAL_PIXELS, note))
    return rows


def compare_from_images(path: Path, arrays: Arrays, labels: np.ndarray) -> list[Comparison]:
    """Maps and masks from key means of our network instead of the stored ones."""
    candidate = explain(path.parent, arrays)
    if candidate is None:  # a row of `network.compare` says so and fails
        return []
    rows = compare_stages(path.name, arrays | outputs(candidate, arrays), labels)
    # What the network just replaced is no reference any more.
    stages = [row for row in rows if row.array in STAGES_FROM_IMAGES]
    return [replace(row, array=f"{row.array} from images") for row in stages]


def labels_of(path: Path, arrays: Arrays) -> np.ndarray:
    """The stored clusters: in the file, or in another one of the same images.

    Where there are none, our clusters of our network's features.
    """
    for source in [arrays, *(load(other) for other in sorted(path.parent.glob("segment*.npz")))]:
        same = np.array_equal(source["images"], arrays["images"])
        if same and "cluster_labels" in source:
            return source["cluster_labels"].astype(np.int64)
    candidate = explain(path.parent, arrays)
    if candidate is None:
        raise ValueError(f"{path}: no cluster labels, and no network beside it to find them with")
    with torch.no_grad():
        features = candidate.network.encode(normalise(torch.from_numpy(arrays["images"])))
    return cluster_tokens(features, SegmentationSettings()).numpy()


def inertia(features: np.ndarray, labels: np.ndarray) -> float:
    """Sum of squared distances of tokens to the mean of their cluster."""
    points, members = features.reshape(-1, features.shape[-1]), labels.ravel()
    clusters = (points[members == label] for label in np.unique(members))
    return float(sum(((own - own.mean(axis=0)) ** 2).sum() for own in clusters))
