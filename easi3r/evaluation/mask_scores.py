"""Mask scores: accuracy of motion segmentation (Jaccard index, AUC, false positives)."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

_RECALL_IOU = 0.5


@dataclass(frozen=True)
class MaskScores:
    """Agreement of masks and scores with the truth; all 0..1.

    Attributes:
        jaccard_mean: JM, intersection over union averaged over frames; higher is better.
        jaccard_recall: JR, share of frames whose intersection over union exceeds 0.5.
        auc: probability that a moving pixel scores over a still one, over the whole clip; NaN
            where the clip has only one of the two.
        auc_objects: the same against the still pixels of objects only: high for scores that
            follow motion, not the appearance of things that move. NaN where no object stands
            still or none moves, or where objects are not known.
        false_positive_share: share of the still pixels that the mask calls moving; lower is
            better; NaN where every pixel moves.
    """

    jaccard_mean: float
    jaccard_recall: float
    auc: float
    auc_objects: float
    false_positive_share: float


def score_masks(
    mask: Bool[np.ndarray, "frames height width"],
    score: Float[np.ndarray, "frames height width"],
    truth: Bool[np.ndarray, "frames height width"],
    objects: Bool[np.ndarray, "frames height width"] | None = None,
    counted: Bool[np.ndarray, "frames height width"] | None = None,
) -> MaskScores:
    """Accuracy of masks, and of the scores they come from.

    A frame where mask and truth are both empty agrees fully: its intersection over union is 1.
    Shares are NaN where no frame counts.

    Args:
        score: higher where something is more likely to move.
        truth: True where something moves.
        objects: True on whatever could move, whether it does or not; None where not known.
        counted: pixels whose truth is known; None: all of them. A frame without any is left out.
    """
    if counted is None:
        counted = np.ones(truth.shape, bool)
    truth, still = truth & counted, ~truth & counted
    intersection = (mask & truth).sum(axis=(1, 2))
    union = ((mask & counted) | truth).sum(axis=(1, 2))
    jaccard = np.where(union > 0, intersection / np.maximum(union, 1), 1.0)
    jaccard = jaccard[counted.any(axis=(1, 2))]
    return MaskScores(
        jaccard_mean=float(jaccard.mean()) if len(jaccard) else math.nan,
        jaccard_recall=float((jaccard > _RECALL_IOU).mean()) if len(jaccard) else math.nan,
        auc=_auc(score, truth, still),
        auc_objects=math.nan if objects is None else _auc(score, truth, still & objects),
        false_positive_share=float(mask[still].mean()) if still.any() else math.nan,
    )


def _auc(
    score: Float[np.ndarray, "frames height width"],
    positive: Bool[np.ndarray, "frames height width"],
    negative: Bool[np.ndarray, "frames height width"],
) -> float:
    if not positive.any() or not negative.any():
        return math.nan
    # Imported here: scikit-learn takes a second to import.
    from sklearn.metrics import roc_auc_score

    used = positive | negative
    return float(roc_auc_score(positive[used], score[used]))
