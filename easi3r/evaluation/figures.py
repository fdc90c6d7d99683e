"""The figures of a benchmark: definition of each, and its pooling over clips."""

import math
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from easi3r.evaluation.camera_scores import PairErrors
from easi3r.evaluation.results import FIRST_PASS, STATIC_CAMERA, ClipResult, GeometryScores

Values = Float64[np.ndarray, " values"]
Read = Callable[[ClipResult, str], Values]
_GAPS = {"1-2": (1, 2), "3-5": (3, 5), "6+": (6, sys.maxsize)}
"""Groups of pairs: least and greatest number of frames from one to the other."""


@dataclass(frozen=True)
class Figure:
    """A row of the table.

    Attributes:
        key: its name in JSON.
        name: its name for people, with the unit.
        values: of one clip and one method; empty where there is none.
        pool: of the values of all clips that are not NaN.
        more_is_better: else less is.
        relative: it compares two methods, so that no baseline stands beside it.
    """

    key: str
    name: str
    values: Read
    pool: Callable[[Values], np.floating] = np.mean
    more_is_better: bool = False
    relative: bool = False


def pooled(
    results: Sequence[ClipResult], figure: Figure, method: str, groups: Collection[str] = ()
) -> float:
    """A figure of one method over the clips of some groups (default: all); NaN if absent."""
    chosen = [result for result in results if not groups or result.group in groups]
    values = np.concatenate([np.empty(0), *(figure.values(one, method) for one in chosen)])
    values = values[~np.isnan(values)]
    return float(figure.pool(values)) if len(values) else math.nan


def methods_of(results: Sequence[ClipResult]) -> tuple[str, ...]:
    """Names of all methods, in the order of their first appearance."""
    return tuple(dict.fromkeys(name for one in results for name in (*one.masks, *one.geometry)))


def _score(part: str, field: str) -> Read:
    """A field of `ClipResult.masks`, or of a part of `ClipResult.geometry`."""

    def values(result: ClipResult, method: str) -> Values:
        if part == "masks":
            scores: object = result.masks.get(method)
        else:
            scores = getattr(result.geometry.get(method), part, None)
        return np.array([] if scores is None else [getattr(scores, field)], np.float64)

    return values


def _length(part: str, field: str) -> Read:
    """A length as a share of the scene's median depth, so that clips of any size compare."""
    length = _score(part, field)
    return lambda result, method: length(result, method) / result.scene_depth


def _ate_over(baseline: str) -> Read:
    """ATE of a method over that of another one, on the same clip."""
    ate = _score("trajectory", "ate")

    def values(result: ClipResult, method: str) -> Values:
        ours, theirs = ate(result, method), ate(result, baseline)
        return ours / theirs if len(ours) and len(theirs) else np.empty(0)

    return values


def _pair_figures(key: str, name: str, errors: Callable[[PairErrors], Values]) -> list[Figure]:
    """Medians over pairs: over all of them, and by gap."""

    def between(least: int, most: int) -> Read:
        def values(result: ClipResult, method: str) -> Values:
            scores = result.geometry.get(method, GeometryScores()).trajectory
            if scores is None:
                return np.empty(0)
            gap = scores.pairs.gap
            return errors(scores.pairs)[(gap >= least) & (gap <= most)]

        return values

    every = Figure(key, f"{name}, all pairs (deg)", between(1, sys.maxsize), np.median)
    return [
        every,
        *(
            Figure(f"{key}_gap_{gap}", f"  {gap} frames apart", between(*bounds), np.median)
            for gap, bounds in _GAPS.items()
        ),
    ]


FIGURES: tuple[Figure, ...] = (
    Figure("jm", "masks JM", _score("masks", "jaccard_mean"), more_is_better=True),
    Figure("jr", "masks JR", _score("masks", "jaccard_recall"), more_is_better=True),
    Figure("auc", "AUC", _score("masks", "auc"), more_is_better=True),
    Figure("auc_objects", "AUCobj", _score("masks", "auc_objects"), more_is_better=True),
    Figure(
        "false_positive_share", "false-positive share", _score("masks", "false_positive_share")
    ),
    Figure(
        "ate_over_static", "ATE / static camera's, median", _ate_over(STATIC_CAMERA), np.median
    ),
    Figure("ate_over_static_mean", "ATE / static camera's, mean", _ate_over(STATIC_CAMERA)),
    Figure(
        "ate_second_over_first", "ATE, pass 2 / pass 1, median", _ate_over(FIRST_PASS), np.median,
        relative=True,
    ),
    Figure(
        "ate_second_over_first_mean", "ATE, pass 2 / pass 1, mean", _ate_over(FIRST_PASS),
        relative=True,
    ),
    Figure("ate", "ATE / scene depth", _length("trajectory", "ate")),
    Figure(
        "rpe_translation", "RPE translation / scene depth", _length("trajectory", "rpe_translation")
    ),
    Figure("rpe_rotation", "RPE rotation (deg)", _score("trajectory", "rpe_rotation_deg")),
    *_pair_figures("rotation", "rotation", lambda pairs: pairs.rotation_deg),
    *_pair_figures("direction", "direction", lambda pairs: pairs.direction_deg),
    Figure("still_wander", "still camera: wander / scene depth", _score("still_camera", "wander")),
    Figure("still_rotation", "still camera: turn (deg)", _score("still_camera", "rotation_deg")),
    Figure("abs_rel", "depth abs-rel", _score("depth", "abs_rel")),
    Figure("delta_1_25", "depth delta < 1.25", _score("depth", "delta_1_25"), more_is_better=True),
    Figure("accuracy", "points: accuracy / scene depth", _length("points", "accuracy")),
    Figure("completeness", "points: completeness / scene depth", _length("points", "completeness")),
    Figure("distance", "points: distance / scene depth", _length("points", "distance")),
)  # fmt: skip


def figure_named(key: str) -> Figure:
    """The figure with this key."""
    [figure] = [one for one in FIGURES if one.key == key]
    return figure


BASELINES = (
    "all dynamic", "empty masks", "frame difference", "flow vs homography",
    "flow vs homography, wide",
    STATIC_CAMERA, "constant velocity", "constant depth",
)  # fmt: skip
"""Methods that use no network."""


def best_baseline(
    results: Sequence[ClipResult], figure: Figure, groups: Collection[str] = ()
) -> tuple[str, float]:
    """Name and value of the best baseline in a figure; ("", NaN) where no baseline has it."""
    values = {name: pooled(results, figure, name, groups) for name in BASELINES}
    defined = {name: value for name, value in values.items() if not math.isnan(value)}
    if figure.relative or not defined:
        return "", math.nan
    choose = max if figure.more_is_better else min
    name = choose(defined, key=lambda one: defined[one])
    return name, defined[name]
