"""Table of the scores of many clips."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from easi3r.evaluation.clips import ClipScores, Scores
from easi3r.evaluation.mask_scores import MaskScores


@dataclass(frozen=True)
class _Figure:
    """A row of the table: where a score is read from, and whether more of it is better."""

    name: str
    of_scores: Callable[[Scores], float]
    more_is_better: bool = False
    of_masks: Callable[[MaskScores], float] | None = None


_FIGURES = (
    _Figure("mask JM", lambda s: s.masks.jaccard_mean, True, lambda m: m.jaccard_mean),
    _Figure("mask JR", lambda s: s.masks.jaccard_recall, True, lambda m: m.jaccard_recall),
    _Figure("mask AUC", lambda s: s.masks.auc, True, lambda m: m.auc),
    _Figure("camera ATE (truth's unit)", lambda s: s.trajectory.ate),
    _Figure("camera rotation, median (deg)", lambda s: s.trajectory.rotation_deg),
    _Figure("camera direction, median (deg)", lambda s: s.trajectory.direction_deg),
    _Figure("depth abs-rel", lambda s: s.depth.abs_rel),
    _Figure("depth delta < 1.25", lambda s: s.depth.delta_1_25, True),
    _Figure("point distance (truth's unit)", lambda s: s.points.distance),
)


def scores_table(clips: Sequence[ClipScores]) -> Table:
    """Means over clips, ours beside baselines, and in how many clips ours is the best.

    A clip where a figure is NaN takes no part in its mean; a dash stands where none is left, or
    where a baseline has no such figure.
    """
    table = Table(title=f"Against truth, means over clips ({len(clips)})")
    table.add_column("figure")
    table.add_column("ours", justify="right", style="bold")
    table.add_column("nothing moves,\nstill camera,\nconstant depth", justify="right")
    table.add_column("everything\nmoves", justify="right")
    table.add_column("ours best in", justify="right")
    for figure in _FIGURES:
        columns = _columns(figure, clips)
        means = (_mean(column) for column in columns)
        arrow = "↑" if figure.more_is_better else "↓"
        table.add_row(f"{figure.name} {arrow}", *means, _wins(columns, figure.more_is_better))
    return table


def _columns(figure: _Figure, clips: Sequence[ClipScores]) -> np.ndarray:
    """Rows ours, still, all moving; NaN where a score does not exist."""
    read_masks = figure.of_masks or (lambda _: math.nan)
    return np.array(
        [
            [figure.of_scores(clip.ours) for clip in clips],
            [figure.of_scores(clip.still) for clip in clips],
            [read_masks(clip.all_moving) for clip in clips],
        ]
    )


def _mean(values: np.ndarray) -> str:
    defined = values[~np.isnan(values)]
    return f"{defined.mean():.3f}" if len(defined) else "-"


def _wins(columns: np.ndarray, more_is_better: bool) -> str:
    judged = columns[:, ~np.isnan(columns[0])]
    baselines = judged[1:]
    if more_is_better:
        best = np.where(np.isnan(baselines), -math.inf, baselines).max(axis=0)
        wins = judged[0] > best
    else:
        best = np.where(np.isnan(baselines), math.inf, baselines).min(axis=0)
        wins = judged[0] < best
    return f"{int(wins.sum())} of {judged.shape[1]}"
