"""Requirements on the embedded network: bounds and goals, in one table, printed and tested."""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from easi3r.evaluation.benchmark_clips import Kind
from easi3r.evaluation.examination import OURS
from easi3r.evaluation.figures import STATIC_CAMERA, best_baseline, figure_named, pooled
from easi3r.evaluation.results import CONSTANT_DEPTH, ClipResult

Results = Sequence[ClipResult]
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le, "<": operator.lt, ">=": operator.ge, ">": operator.gt
}  # fmt: skip
MOVER_KINDS = tuple(kind.value for kind in Kind if kind.has_movers)


@dataclass(frozen=True)
class Requirement:
    """A figure with its bounds.

    Attributes:
        measure: reads the figure; NaN where the results do not have it.
        must: bound, or a function of the results where it is what a baseline reaches.
        goal: None where there is none beyond `must`.
    """

    name: str
    measure: Callable[[Results], float]
    comparison: Literal["<=", "<", ">=", ">"]
    must: float | Callable[[Results], float]
    goal: float | None


@dataclass(frozen=True)
class Verdict:
    """A requirement compared with results; `now` is NaN where nothing was measured."""

    name: str
    comparison: str
    must: float
    goal: float | None
    now: float

    @property
    def measured(self) -> bool:
        """False where the results lack the figure."""
        return not math.isnan(self.now)

    @property
    def meets_must(self) -> bool:
        """Whether the bound is met; False where nothing was measured."""
        return self.measured and _COMPARE[self.comparison](self.now, self.must)

    @property
    def meets_goal(self) -> bool:
        """Whether the goal is met, or the bound where there is no goal."""
        if self.goal is None:
            return self.meets_must
        at_least = ">=" if self.comparison.startswith(">") else "<="
        return self.meets_must and _COMPARE[at_least](self.now, self.goal)


def judge(requirements: Sequence[Requirement], results: Results) -> tuple[Verdict, ...]:
    """Every requirement compared with results."""
    return tuple(
        Verdict(
            name=one.name,
            comparison=one.comparison,
            must=one.must(results) if callable(one.must) else one.must,
            goal=one.goal,
            now=one.measure(results),
        )
        for one in requirements
    )


def _figure(key: str, groups: tuple[str, ...] = ()) -> Callable[[Results], float]:
    return lambda results: pooled(results, figure_named(key), OURS, groups)


def _over(key: str, baseline: str) -> Callable[[Results], float]:
    """Ours over a baseline's, both pooled over all clips first."""

    def ratio(results: Results) -> float:
        theirs = pooled(results, figure_named(key), baseline)
        return pooled(results, figure_named(key), OURS) / theirs if theirs else math.nan

    return ratio


def _best_jm(groups: tuple[str, ...] = ()) -> Callable[[Results], float]:
    return lambda results: best_baseline(results, figure_named("jm"), groups)[1]


SYNTHETIC = (
    Requirement("clip ATE / static camera's, median", _figure("ate_over_static"), "<=", 0.5, 0.25),
    Requirement("rotation error / identity's", _over("rotation", STATIC_CAMERA), "<=", 0.5, 0.25),
    Requirement("translation direction, median (deg)", _figure("direction"), "<=", 35.0, 15.0),
    Requirement("depth abs-rel / constant's", _over("abs_rel", CONSTANT_DEPTH), "<=", 0.75, 0.5),
    Requirement(
        "masks JM, clips with movers", _figure("jm", MOVER_KINDS), ">", _best_jm(MOVER_KINDS), 0.6
    ),
    Requirement("masks JM, all clips", _figure("jm"), ">", _best_jm(), None),
    Requirement("AUC", _figure("auc"), ">=", 0.90, 0.95),
    Requirement("AUCobj", _figure("auc_objects"), ">=", 0.80, 0.90),
    Requirement(
        "false-positive share, frozen clips",
        _figure("false_positive_share", (Kind.FROZEN.value,)), "<=", 0.05, 0.01,
    ),
    Requirement(
        "ATE, pass 2 / pass 1, clips with movers, median",
        _figure("ate_second_over_first", MOVER_KINDS), "<=", 1.0, 0.9,
    ),
)  # fmt: skip
"""The figures of `easi3r evaluate synthetic`."""

POSED_VIDEO = (
    Requirement(
        "share of pixels called dynamic", _figure("false_positive_share"), "<=", 0.10, 0.02
    ),
    Requirement("ATE / static camera's", _figure("ate_over_static"), "<", 1.0, 0.5),
)
"""Those of real video in which nothing moves and the camera is known (7-Scenes)."""
