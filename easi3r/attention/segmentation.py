"""From motion scores to masks (docs/method.md §4, steps 2 to 4, and the token masks of 5)."""

import math
import warnings

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from skimage.filters import threshold_multiotsu
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor
from torch.nn import functional

from easi3r.attention.dynamic_map import dynamic_map, normalise_frames
from easi3r.attention.kmeans import kmeans
from easi3r.config import SegmentationSettings
from easi3r.errors import NonFiniteError
from easi3r.tensors import AttentionStatistics, DynamicMasks, FrameFeatures

_CLASS_COUNTS = (2, 3, 4)
_HISTOGRAM_BINS = 256


def segment(
    statistics: AttentionStatistics,
    clusters: Int64[Tensor, "frames rows columns"],
    height: int,
    width: int,
) -> DynamicMasks:
    """What moves in a clip (docs/method.md §4).

    Args:
        statistics: of pass 1, or of pass 2 to estimate the masks anew.
        clusters: of the same frames' tokens, from `cluster_tokens`; they serve both passes.
        height, width: pixels of the masks.

    Raises:
        NonFiniteError: the statistics hold a NaN or an infinity.
    """
    score = smooth_over_clusters(dynamic_map(statistics), clusters)
    return threshold_score(score, height, width)


def cluster_tokens(
    features: FrameFeatures, settings: SegmentationSettings
) -> Int64[Tensor, "frames rows columns"]:
    """A cluster, from 0 on, for every token of the clip.

    By scikit-learn's k-means on a CPU, which gives the reference's labels; by our own on any other
    device, so that no token leaves it. Both start and step alike; their labels differ as those of
    two seeds do. Clips with fewer tokens than `clusters`, or fewer distinct ones, use fewer
    clusters.
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
    """Each token's score replaced by its cluster's average, then 0..1 in every frame."""
    members = labels.flatten()
    clusters = int(members.max()) + 1
    totals = scores.new_zeros(clusters).index_add_(0, members, scores.flatten())
    counts = torch.bincount(members, minlength=clusters).clamp(min=1)
    return normalise_frames((totals / counts)[labels])


def threshold_score(
    score: Float[Tensor, "frames rows columns"], height: int, width: int
) -> DynamicMasks:
    """Masks at pixel resolution: bilinear upsampling, one threshold for the clip."""
    pixels = functional.interpolate(
        score[:, None], size=(height, width), mode="bilinear", align_corners=False
    ).squeeze(1)
    threshold = clip_threshold(pixels)
    return DynamicMasks(score=score, mask=pixels > threshold, threshold=threshold)


def clip_threshold(scores: Float[Tensor, "frames height width"]) -> float:
    """The score above which a pixel moves (docs/method.md §4, step 4).

    Multi-Otsu with 2, 3 and 4 classes; the number of classes that best separates the class means,
    and the highest threshold of that number. Infinity, nothing moves, where the scores have fewer
    distinct values (of 256 bins) than classes.

    Raises:
        NonFiniteError: the scores hold a NaN or an infinity.
    """
    if not scores.isfinite().all():
        problem = "the network's attention holds values that are not finite"
        raise NonFiniteError("dynamic score", problem, "Run in float32, or check the weights")
    counts, centres = _histogram(scores)
    if np.count_nonzero(counts) < max(_CLASS_COUNTS):
        return math.inf
    candidates = [
        threshold_multiotsu(classes=classes, hist=(counts, centres)) for classes in _CLASS_COUNTS
    ]
    best = max(candidates, key=lambda thresholds: _separation(scores, thresholds))
    return float(best[-1])


def token_masks(
    mask: Bool[Tensor, "frames height width"], patch_size: int
) -> Bool[Tensor, "frames rows columns"]:
    """True for each patch that holds a moving pixel (docs/method.md §5).

    Args:
        mask: height and width are multiples of `patch_size`.
        patch_size: side of a patch, in pixels.
    """
    patches = mask.unflatten(2, (-1, patch_size)).unflatten(1, (-1, patch_size))
    return patches.any(dim=4).any(dim=2)


def _kmeans_of_sklearn(
    points: Float[Tensor, "points channels"], clusters: int, seed: int
) -> Int64[Tensor, " points"]:
    estimator = KMeans(n_clusters=clusters, random_state=seed)
    with warnings.catch_warnings():
        # Raised where tokens coincide (a black frame, say): then fewer clusters are what we want.
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = estimator.fit_predict(points.numpy())
    return torch.from_numpy(labels.astype(np.int64))


def _histogram(scores: Float[Tensor, "frames height width"]) -> tuple[np.ndarray, np.ndarray]:
    """Counts and centres of equal bins, those of `numpy.histogram`, counted frame by frame."""
    bounds = torch.stack(scores.aminmax()).cpu().numpy()
    edges = np.histogram_bin_edges(bounds, bins=_HISTOGRAM_BINS)
    inner = torch.from_numpy(edges[1:-1]).to(scores)
    counts = torch.zeros(_HISTOGRAM_BINS, dtype=torch.int64, device=scores.device)
    for frame in scores:
        bins = torch.bucketize(frame.flatten(), inner, right=True)
        counts += torch.bincount(bins, minlength=_HISTOGRAM_BINS)
    return counts.cpu().numpy(), (edges[:-1] + edges[1:]) / 2


def _separation(scores: Float[Tensor, "frames height width"], thresholds: np.ndarray) -> float:
    """Variance of the class means over the root of the number of classes; -1 for an empty class."""
    bounds = torch.from_numpy(thresholds).to(scores)
    sizes, sums = (scores.new_zeros(len(bounds) + 1, dtype=torch.float64) for _ in range(2))
    for frame in scores:
        members = torch.bucketize(frame, bounds, right=True)
        for number in range(len(sizes)):
            inside = members == number
            sizes[number] += inside.sum()
            sums[number] += torch.where(inside, frame, 0).sum(dtype=torch.float64)
    if not sizes.all():
        return -1.0
    return float((sums / sizes).var(correction=0)) / math.sqrt(len(sizes))
