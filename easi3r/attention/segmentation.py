"""Motion segmentation: from attention statistics to masks of what moves (docs/method.md §4, 5).

The steps have files of their own: `dynamic_map.py` scores tokens, `clustering.py` averages the
scores over clusters of features, `threshold.py` chooses the score above which a pixel moves.
"""

from jaxtyping import Bool, Int64
from torch import Tensor

from easi3r.attention.clustering import smooth_over_clusters
from easi3r.attention.dynamic_map import dynamic_map
from easi3r.attention.threshold import threshold_score
from easi3r.tensors import AttentionStatistics, DynamicMasks


def segment(
    statistics: AttentionStatistics,
    clusters: Int64[Tensor, "frames rows columns"],
    height: int,
    width: int,
) -> DynamicMasks:
    """Masks of the moving pixels of a clip (docs/method.md §4).

    Args:
        statistics: of pass 1, or of pass 2 to estimate the masks anew.
        clusters: of the same frames' tokens, from `cluster_tokens`; they serve both passes.
        height, width: pixels of the masks.

    Raises:
        NonFiniteError: the statistics hold a NaN or an infinity.
    """
    score = smooth_over_clusters(dynamic_map(statistics), clusters)
    return threshold_score(score, height, width)


def token_masks(
    mask: Bool[Tensor, "frames height width"], patch_size: int
) -> Bool[Tensor, "frames rows columns"]:
    """True for each token whose patch holds a moving pixel (docs/method.md §5).

    Args:
        mask: True where a pixel moves; height and width are multiples of `patch_size`.
        patch_size: side of a patch, in pixels.
    """
    patches = mask.unflatten(2, (-1, patch_size)).unflatten(1, (-1, patch_size))
    return patches.any(dim=4).any(dim=2)
