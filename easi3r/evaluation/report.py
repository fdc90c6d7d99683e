"""Reports of a benchmark: tables for people, JSON for programs."""

import math
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from easi3r.evaluation.examination import OURS
from easi3r.evaluation.figures import FIGURES, Figure, best_baseline, methods_of, pooled
from easi3r.evaluation.requirements import Verdict
from easi3r.evaluation.results import ClipResult

_MASK_FIGURES = tuple(f for f in FIGURES if f.key in {"jm", "jr", "auc", "auc_objects"})
_FALSE_POSITIVES = next(f for f in FIGURES if f.key == "false_positive_share")


def figures_table(results: Sequence[ClipResult]) -> Table:
    """Table with a row per figure: ours / the best baseline's, by group and over all clips."""
    groups = _groups(results)
    table = Table(title=f"Ours / the best baseline, {len(results)} clips")
    table.add_column("figure", no_wrap=True)
    for group in groups:
        table.add_column(group, justify="right")
    if len(groups) > 1:
        table.add_column("all", justify="right", style="bold")
    table.add_column("best baseline", no_wrap=True)
    columns = [*((group,) for group in groups), *([()] if len(groups) > 1 else [])]
    for figure in FIGURES:
        cells = [_cell(results, figure, column) for column in columns]
        if any(cell != "-" for cell in cells):
            arrow = "↑" if figure.more_is_better else "↓"
            best, _ = best_baseline(results, figure)
            table.add_row(f"{figure.name} {arrow}", *cells, best)
    return table


def masks_table(results: Sequence[ClipResult], title: str, still_group: str = "") -> Table:
    """Table with a row per method: our masks, every cue alone, every baseline.

    Args:
        still_group: clips in which nothing moves. Where there are any, they alone are judged by
            false positives, and the other figures are of the other clips.
    """
    movers = [one for one in results if one.group != still_group]
    still = [one for one in results if one.group == still_group] or results
    table = Table(title=title)
    table.add_column("method", no_wrap=True)
    for figure in _MASK_FIGURES:
        table.add_column(f"{figure.name} ↑", justify="right")
    table.add_column(f"false positives ↓{still_group and chr(10) + still_group}", justify="right")
    table.add_column("JM, all clips ↑", justify="right")
    for method in methods_of(results):
        if any(method in one.masks for one in results):
            cells = [_number(pooled(movers, figure, method)) for figure in _MASK_FIGURES]
            cells.append(_number(pooled(still, _FALSE_POSITIVES, method)))
            cells.append(_number(pooled(results, _MASK_FIGURES[0], method)))
            table.add_row(method, *cells, style="bold" if method == OURS else None)
    return table


def verdicts_table(verdicts: Sequence[Verdict]) -> Table:
    """Table of requirements: bound, goal, current value, whether it is met."""
    table = Table(title="Required")
    table.add_column("figure", no_wrap=True)
    for heading in ("must", "goal", "now", "met"):
        table.add_column(heading, justify="right")
    for one in verdicts:
        at_least = ">=" if one.comparison.startswith(">") else "<="
        met, style = _met(one)
        table.add_row(
            one.name,
            f"{one.comparison} {one.must:.3g}",
            "-" if one.goal is None else f"{at_least} {one.goal:.3g}",
            _number(one.now),
            met,
            style=style,
        )
    return table


def _met(verdict: Verdict) -> tuple[str, str]:
    """One word for what is met, and its colour."""
    if not verdict.measured:
        return "not measured", "yellow"
    if verdict.meets_goal:
        return "goal", "green"
    return ("must", "") if verdict.meets_must else ("no", "red")


def as_json(
    results: Sequence[ClipResult], verdicts: Sequence[Verdict], run: dict[str, Any]
) -> dict[str, Any]:
    """All scores as JSON values, with null for what is not defined.

    Args:
        run: what was run: weights, settings.

    Returns:
        `run`; `required`; `figures`, by group (`all`: every clip), figure and method; `clips`.
    """
    scopes = {**{group: (group,) for group in _groups(results)}, "all": ()}
    return {
        "run": run,
        "required": [
            {
                "name": one.name,
                "comparison": one.comparison,
                "must": _or_null(one.must),
                "goal": one.goal,
                "now": _or_null(one.now),
                "meets_must": one.meets_must,
                "meets_goal": one.meets_goal,
            }
            for one in verdicts
        ],
        "figures": {name: _all_figures(results, groups) for name, groups in scopes.items()},
        "clips": [
            {
                "name": one.name,
                "group": one.group,
                "frames": one.frames,
                "height": one.height,
                "width": one.width,
                "scene_depth": _or_null(one.scene_depth),
                "moving_share": _or_null(one.moving_share),
                "seconds": round(one.seconds, 3),
                "figures": _all_figures([one], ()),
            }
            for one in results
        ],
    }


def _all_figures(
    results: Sequence[ClipResult], groups: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    values_by_figure = {}
    for figure in FIGURES:
        values = {m: pooled(results, figure, m, groups) for m in methods_of(results)}
        defined = {name: value for name, value in values.items() if not math.isnan(value)}
        if defined:
            values_by_figure[figure.key] = defined
    return values_by_figure


def _groups(results: Sequence[ClipResult]) -> list[str]:
    return list(dict.fromkeys(one.group for one in results))


def _cell(results: Sequence[ClipResult], figure: Figure, groups: tuple[str, ...]) -> str:
    ours = pooled(results, figure, OURS, groups)
    _, best = best_baseline(results, figure, groups)
    if math.isnan(ours):
        return "-"
    return _number(ours) if math.isnan(best) else f"{_number(ours)} / {_number(best)}"


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _or_null(value: float) -> float | None:
    return None if math.isnan(value) else value
