"""The figures of a sequence: their keys, headings, and means over sequences."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from easi3r.evaluation.sequence_scores import SequenceResult


@dataclass(frozen=True)
class SequenceFigure:
    """A column of a table.

    Attributes:
        key: in `SequenceResult.values`, in JSON and CSV.
        heading: above the column, with the unit where it has one; lines are short.
        more_is_better: else less is.
    """

    key: str
    heading: str
    more_is_better: bool = False


@dataclass(frozen=True)
class FigureGroup:
    """Figures that share a table, because the same truth gives them.

    Attributes:
        remark: what a reader has to know to compare them with others'.
    """

    title: str
    figures: tuple[SequenceFigure, ...]
    remark: str = ""


MASKS = FigureGroup(
    "Masks",
    (
        SequenceFigure("jf", "J&F", True),
        SequenceFigure("j_mean", "J\nmean", True),
        SequenceFigure("j_recall", "J\nrecall", True),
        SequenceFigure("j_decay", "J\ndecay"),
        SequenceFigure("f_mean", "F\nmean", True),
        SequenceFigure("f_recall", "F\nrecall", True),
        SequenceFigure("f_decay", "F\ndecay"),
    ),
    "At the source's pixels; what the crop lost does not move; void takes no part.",
)
CAMERAS = FigureGroup(
    "Cameras",
    (
        SequenceFigure("ate", "ATE"),
        SequenceFigure("rpe_translation", "RPE\ntranslation"),
        SequenceFigure("rpe_rotation_deg", "RPE\nrotation, deg"),
    ),
    "After the best similarity, RMSE; lengths in the truth's unit; RPE from frame to frame.",
)
DEPTH = FigureGroup(
    "Depth",
    (
        SequenceFigure("abs_rel", "abs-rel"),
        SequenceFigure("delta_1_25", "delta\n< 1.25", True),
        SequenceFigure("abs_rel_per_frame", "abs-rel,\neach frame"),
        SequenceFigure("delta_1_25_per_frame", "delta,\neach frame", True),
    ),
    "After one scale a clip; `each frame`: after a scale and a shift of every frame.",
)
POINTS = FigureGroup(
    "Points",
    (
        SequenceFigure("accuracy", "accuracy\nmean"),
        SequenceFigure("accuracy_median", "\nmedian"),
        SequenceFigure("completeness", "complete.\nmean"),
        SequenceFigure("completeness_median", "\nmedian"),
        SequenceFigure("distance", "distance\nmean"),
        SequenceFigure("distance_median", "\nmedian"),
    ),
    "After the cameras' similarity, in the truth's unit.",
)
GROUPS = (MASKS, CAMERAS, DEPTH, POINTS)
DAVIS_REMARK = "First and last frame left out, as DAVIS does; objects united."


def methods_of(results: Sequence[SequenceResult]) -> tuple[str, ...]:
    """Names of all methods, in the order of their first appearance."""
    return tuple(dict.fromkeys(method for one in results for method in one.values))


def mean_of(results: Sequence[SequenceResult], method: str, key: str) -> float:
    """Mean of a figure over the sequences where it is defined; NaN without any."""
    values = [one.values.get(method, {}).get(key, math.nan) for one in results]
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan
