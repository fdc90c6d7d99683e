"""The figures of a benchmark: what each one is, and how it is pooled over clips."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from easi3r.evaluation.cameras import PairErrors, TrajectoryScores
from easi3r.evaluation.examination import OURS
from easi3r.evaluation.results import FIRST_PASS, STATIC_CAMERA, ClipResult, GeometryScores

Values = Float64[np.ndarray, " values"]
GAPS = ((1, 2), (3, 5), (6, math.inf))
"""Bounds, inclusive, of the groups of pairs, in frames from one to the other."""


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
    values: Callable[[ClipResult, str], Values]
    pool: Callable[[Values], np.floating] = np.mean
    more_is_better: bool = False
    relative: bool = False


def pooled(
    results: Sequence[ClipResult], figure: Figure, method: str, groups: Collection[str] = ()
) -> float:
    """A figure of one method over the clips of some groups (none given: of all); NaN if absent."""
    chosen = [result for result in results if not groups or result.group in groups]
    values = np.concatenate([np.empty(0), *(figure.values(one, method) for one in chosen)])
    values = values[~np.isnan(values)]
    return float(figure.pool(values)) if len(values) else math.nan


def methods_of(results: Sequence[ClipResult]) -> tuple[str, ...]:
    """Names of all methods, in the order of their first appearance."""
    return tuple(dict.fromkeys(name for one in results for name in (*one.masks, *one.geometry)))


def _mask(field: str) -> Callable[[ClipResult, str], Values]:
    def values(result: ClipResult, method: str) -> Values:
        scores = result.masks.get(method)
        return np.array([] if scores is None else [getattr(scores, field)], np.float64)

    return values


def _geometry(
    read: Callable[[GeometryScores, ClipResult], object],
) -> Callable[[ClipResult, str], Values]:
    def values(result: ClipResult, method: str) -> Values:
        scores = result.geometry.get(method)
        found = None if scores is None else read(scores, result)
        return np.atleast_1d(np.array([] if found is None else found, np.float64))

    return values


def _trajectory(
    read: Callable[[TrajectoryScores, ClipResult], object],
) -> Callable[[ClipResult, str], Values]:
    return _geometry(lambda scores, result: scores.trajectory and read(scores.trajectory, result))


def _ate_over(baseline: str) -> Callable[[ClipResult, str], Values]:
    """ATE of a method over that of another one, on the same clip."""
    ate = _trajectory(lambda path, _: path.ate)

    def values(result: ClipResult, method: str) -> Values:
        ours, theirs = ate(result, method), ate(result, baseline)
        return ours / theirs if len(ours) and len(theirs) else np.empty(0)

    return values


def _within(pairs: PairErrors, gap: tuple[float, float], errors: Values) -> Values:
    return errors[(pairs.gap >= gap[0]) & (pairs.gap <= gap[1])]


def _pair_figures(key: str, name: str, field: str) -> list[Figure]:
    """Medians over pairs, all of them and by gap."""

    def values(gap: tuple[float, float]) -> Callable[[ClipResult, str], Values]:
        return _trajectory(lambda path, _: _within(path.pairs, gap, getattr(path.pairs, field)))

    every = Figure(key, f"{name}, all pairs (deg)", values((1, math.inf)), np.median)
    by_gap = []
    for low, high in GAPS:
        label = f"{low}+" if math.isinf(high) else f"{low}-{high:.0f}"
        by_gap.append(
            Figure(f"{key}_gap_{label}", f"  {label} frames apart", values((low, high)), np.median)
        )
    return [every, *by_gap]


FIGURES: tuple[Figure, ...] = (
    Figure("jm", "masks JM", _mask("jaccard_mean"), more_is_better=True),
    Figure("jr", "masks JR", _mask("jaccard_recall"), more_is_better=True),
    Figure("auc", "AUC", _mask("auc"), more_is_better=True),
    Figure("auc_objects", "AUCobj", _mask("auc_objects"), more_is_better=True),
    Figure("false_positive_share", "false-positive share", _mask("false_positive_share")),
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
    Figure("ate", "ATE / scene depth", _trajectory(lambda path, r: path.ate / r.scene_depth)),
    Figure(
        "rpe_translation", "RPE translation / scene depth",
        _trajectory(lambda path, r: path.rpe_translation / r.scene_depth),
    ),
    Figure(
        "rpe_rotation", "RPE rotation (deg)", _trajectory(lambda path, _: path.rpe_rotation_deg)
    ),
    *_pair_figures("rotation", "rotation", "rotation_deg"),
    *_pair_figures("direction", "direction", "direction_deg"),
    Figure(
        "still_wander", "still camera: wander / scene depth",
        _geometry(lambda s, _: s.still_camera and s.still_camera.wander),
    ),
    Figure(
        "still_rotation", "still camera: rotation (deg)",
        _geometry(lambda s, _: s.still_camera and s.still_camera.rotation_deg),
    ),
    Figure("abs_rel", "depth abs-rel", _geometry(lambda s, _: s.depth and s.depth.abs_rel)),
    Figure(
        "delta_1_25", "depth delta < 1.25", _geometry(lambda s, _: s.depth and s.depth.delta_1_25),
        more_is_better=True,
    ),
    Figure(
        "accuracy", "points: accuracy / scene depth",
        _geometry(lambda s, r: s.points and s.points.accuracy / r.scene_depth),
    ),
    Figure(
        "completeness", "points: completeness / scene depth",
        _geometry(lambda s, r: s.points and s.points.completeness / r.scene_depth),
    ),
    Figure(
        "distance", "points: distance / scene depth",
        _geometry(lambda s, r: s.points and s.points.distance / r.scene_depth),
    ),
)  # fmt: skip


def figure_named(key: str) -> Figure:
    """The figure of a key."""
    [found] = [figure for figure in FIGURES if figure.key == key]
    return found


BASELINES = (
    "all dynamic", "empty masks", "frame difference", "flow vs homography",
    STATIC_CAMERA, "constant velocity", "constant depth",
)  # fmt: skip
"""Methods that use no network."""


def best_baseline(
    results: Sequence[ClipResult], figure: Figure, groups: Collection[str] = ()
) -> tuple[str, float]:
    """The baseline that does best in a figure, and its value; ("", NaN) where none has it."""
    values = {name: pooled(results, figure, name, groups) for name in BASELINES}
    defined = {name: value for name, value in values.items() if not math.isnan(value)}
    if figure.relative or not defined:
        return "", math.nan
    choose = max if figure.more_is_better else min
    name = choose(defined, key=lambda one: defined[one])
    return name, defined[name]


__all__ = [
    "BASELINES",
    "FIGURES",
    "OURS",
    "Figure",
    "best_baseline",
    "figure_named",
    "methods_of",
    "pooled",
]
