"""The motion threshold: the score above which a pixel moves, one per clip (docs/method.md §4.4).

Chosen from the clip's own scores by multi-Otsu. The flow and match cues have fixed thresholds
instead: `FLOW_THRESHOLD` and `MATCH_THRESHOLD` of `easi3r.motion.cues`.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from easi3r.errors import NonFiniteError
from easi3r.tensors import DynamicMasks

_CLASS_COUNTS = (2, 3, 4)
_HISTOGRAM_BINS = 256


def threshold_score(
    score: Float[Tensor, "frames rows columns"], height: int, width: int
) -> DynamicMasks:
    """Masks at pixel resolution: scores upsampled bilinearly, one threshold for the clip.

    Args:
        score: motion score of each token, 0..1.
        height, width: pixels of the masks.

    Raises:
        NonFiniteError: the scores hold a NaN or an infinity.
    """
    pixels = functional.interpolate(
        score[:, None], size=(height, width), mode="bilinear", align_corners=False
    ).squeeze(1)
    threshold = clip_threshold(pixels)
    return DynamicMasks(score=score, mask=pixels > threshold, threshold=threshold)


def clip_threshold(scores: Float[Tensor, "frames height width"]) -> float:
    """The motion threshold of a clip: the score above which a pixel moves (docs/method.md §4.4).

    Multi-Otsu with 2, 3 and 4 classes; of these the number of classes that best separates the
    class means, and its highest threshold. Infinity, so that nothing moves, where the scores have
    fewer distinct values (of 256 bins) than classes.

    Raises:
        NonFiniteError: the scores hold a NaN or an infinity.
    """
    if not scores.isfinite().all():
        problem = "the network's attention holds values that are not finite"
        raise NonFiniteError("dynamic score", problem, "Run in float32, or check the weights")
    # Imported here: it takes a second, which every start would wait for.
    from skimage.filters import threshold_multiotsu

    counts, centres = _histogram(scores)
    if np.count_nonzero(counts) < max(_CLASS_COUNTS):
        return math.inf
    candidates = [
        threshold_multiotsu(classes=classes, hist=(counts, centres)) for classes in _CLASS_COUNTS
    ]
    best = max(candidates, key=lambda thresholds: _separation(scores, thresholds))
    return float(best[-1])


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
