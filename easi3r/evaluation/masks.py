"""How well masks of moving objects agree with the truth."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from sklearn.metrics import roc_auc_score

_RECALL_IOU = 0.5


@dataclass(frozen=True)
class MaskScores:
    """Agreement of masks and scores with the truth; all 0..1, higher is better.

    Attributes:
        jaccard_mean: JM, intersection over union averaged over frames.
        jaccard_recall: JR, share of frames whose intersection over union exceeds 0.5.
        auc: probability that a moving pixel scores over a still one, over the whole clip; NaN
            where the clip has only one of the two.
    """

    jaccard_mean: float
    jaccard_recall: float
    auc: float


def score_masks(
    mask: Bool[np.ndarray, "frames height width"],
    score: Float[np.ndarray, "frames height width"],
    truth: Bool[np.ndarray, "frames height width"],
) -> MaskScores:
    """Judge masks, and the scores they come from.

    A frame where mask and truth are both empty agrees fully: its intersection over union is 1.
    """
    intersection = (mask & truth).sum(axis=(1, 2))
    union = (mask | truth).sum(axis=(1, 2))
    jaccard = np.where(union > 0, intersection / np.maximum(union, 1), 1.0)
    one_sided = truth.all() or not truth.any()
    return MaskScores(
        jaccard_mean=float(jaccard.mean()),
        jaccard_recall=float((jaccard > _RECALL_IOU).mean()),
        auc=math.nan if one_sided else float(roc_auc_score(truth.ravel(), score.ravel())),
    )
