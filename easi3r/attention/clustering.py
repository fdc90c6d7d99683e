"""Clusters of tokens with similar features, and scores averaged over them (docs/method.md §4.3)."""

import warnings

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from easi3r.attention.dynamic_map import normalise_frames
from easi3r.attention.kmeans import kmeans
from easi3r.config import SegmentationSettings
from easi3r.tensors import FrameFeatures


def cluster_tokens(
    features: FrameFeatures, settings: SegmentationSettings
) -> Int64[Tensor, "frames rows columns"]:
    """Cluster number of every token of the clip, 0..clusters - 1, by k-means on its features.

    On a CPU scikit-learn's k-means runs, which gives the reference's labels; on any other device
    our own, so that no token leaves the device. Both start and step alike; their labels differ as
    those of two seeds do. Clips with fewer tokens than `clusters`, or fewer distinct ones, use
    fewer clusters.
    """
    points = features.tokens.flatten(0, 1).float()
    clusters = min(settings.clusters, len(points))
    cluster = _kmeans_of_sklearn if points.device.type == "cpu" else kmeans
    labels = cluster(points, clusters, settings.seed)
    return labels.reshape(len(features.tokens), features.rows, features.columns)


def smooth_over_clusters(
    scores: Float[Tensor, "frames rows columns"],
    labels: Int64[Tensor, "frames rows columns"],
) -> Float[Tensor, "frames rows columns"]:
    """Each token's score replaced by its cluster's mean, then 0..1 in every frame."""
    members = labels.flatten()
    clusters = int(members.max()) + 1
    totals = scores.new_zeros(clusters).index_add_(0, members, scores.flatten())
    counts = torch.bincount(members, minlength=clusters).clamp(min=1)
    return normalise_frames((totals / counts)[labels])


def _kmeans_of_sklearn(
    points: Float[Tensor, "points channels"], clusters: int, seed: int
) -> Int64[Tensor, " points"]:
    # Imported here: it takes a second, which every start would wait for.
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    estimator = KMeans(n_clusters=clusters, random_state=seed)
    with warnings.catch_warnings():
        # Raised where tokens coincide (a black frame, say): then fewer clusters are what we want.
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = estimator.fit_predict(points.numpy())
    return torch.from_numpy(labels.astype(np.int64))
