"""Quasi-Newton descent on the objective with the depths eliminated (docs/method.md §6: "what counts
is the result").

Value and gradient come from all pixels, the curvature from few: at the start of a round as the
normal equations of the re-weighted problem, then corrected by L-BFGS pairs (Nocedal and Wright,
Numerical Optimization, algorithm 7.4). A backtracking line search accepts only steps that lower
what a round minimises.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from threadpoolctl import threadpool_limits

from easi3r.alignment.curvature import curvature
from easi3r.alignment.lbfgs import CurvatureModel
from easi3r.alignment.problem import State
from easi3r.alignment.stages import Stage
from easi3r.alignment.unknowns import Freedom, Layout, lay_out
from easi3r.alignment.value_and_gradient import Evaluation, Problem, evaluate

NEGLIGIBLE = 1e-6
"""Distances that average below this fraction of the depths are rounding errors: solved."""

SOFTENING = 1e-2
"""Distances below this fraction of the mean distance share one curvature."""

ROUNDING = 1e-2
"""Distances d count as `sqrt(d^2 + r^2)`, with r this fraction of the mean distance: what a round
minimises then has second derivatives, and depths do not stick to single points."""

FIRST_PAIRS, LATER_PAIRS = 4, 12
"""L-BFGS pairs that normal equations take before they are made anew: far from the end, where they
change fast, and later."""

LINE_SEARCH_TRIALS = 5
BACKTRACKING = 1 / 4
"""The line search tries the whole step, then each time this fraction of the last one."""

WORTHWHILE = 3e-4
"""A stage ends if normal equations lowered the objective by less than this fraction in all their
steps (the flow term has a long, flat tail: far-off pixels come in slowly)."""

FIRST_SWEEPS = 8
SWEEPS = 4
"""Over the depths: of pixels that enter, and in each step."""


@dataclass(frozen=True)
class Descent:
    """Where a descent ended.

    Attributes:
        objective: there, optional terms included; of the maps alone: `map_objective`.
        history: the objective after each step: its distances are not rounded, optional terms are
            included. Of the pixels of the step's stage, and of the flows that took part in its
            round. The last is `objective`, after the last sweeps over the depths.
    """

    state: State
    objective: float
    map_objective: float
    history: tuple[float, ...]


@dataclass(frozen=True)
class Progress:
    """What one round of a descent hands to the next.

    Attributes:
        objective, map_objective, history: as in `Descent`, at the state so far.
        problem: of the last round; None once other pixels have entered.
        sweeps: over the depths before the next step.
        model: to take the next step with; None: normal equations are made at the state.
        is_steady: the stage is done.
    """

    state: State
    objective: float
    map_objective: float
    history: tuple[float, ...] = ()
    problem: Problem | None = None
    sweeps: int = SWEEPS
    model: CurvatureModel | None = None
    is_steady: bool = False


# The systems are small: a second BLAS thread does no work but waits in a loop, for up to
# half of all processor time.
@threadpool_limits.wrap(limits=1, user_api="blas")
def descend(
    stages: list[Stage],
    initial: State,
    freedom: Freedom,
    watch: Callable[[State], None] = lambda state: None,
) -> Descent:
    """Through all stages; depths of pixels that enter later are solved for as they enter.

    Args:
        watch: called with the state after each step.

    Raises:
        DegenerateGeometryError: the normal equations are singular.
    """
    layout = lay_out(stages[0].problem.maps.graph, freedom, initial.centre.device)
    state = replace(initial, depth=stages[0].problem.prior_depth)
    first = evaluate(stages[0].problem.at(state), state, FIRST_SWEEPS)
    progress = Progress(first.state, first.objective, first.map_objective)
    for stage in stages:
        progress = _run_stage(stage, progress, layout, watch)
    return _finished(stages[-1], progress)


def _run_stage(
    stage: Stage, progress: Progress, layout: Layout, watch: Callable[[State], None]
) -> Progress:
    """Round after round, until the stage is steady, solved or out of steps."""
    progress = _entering(stage, progress)
    while not progress.is_steady and len(progress.history) < stage.last_step:
        distance = progress.map_objective / stage.weight
        if distance <= NEGLIGIBLE * float(progress.state.depth.mean()):
            break
        progress = _run_round(stage, progress, layout, distance, watch)
    return progress


def _entering(stage: Stage, progress: Progress) -> Progress:
    """The start of a stage: its pixels, and the model of the stage before if it still serves."""
    state, sweeps, model = progress.state, SWEEPS, progress.model
    if state.depth.shape != stage.problem.prior_depth.shape:
        state, sweeps = replace(state, depth=stage.problem.prior_depth), FIRST_SWEEPS
    if model is not None and (model.source is not stage.coarse or model.is_full):
        model = None
    return replace(progress, state=state, problem=None, sweeps=sweeps, model=model, is_steady=False)


def _run_round(
    stage: Stage,
    progress: Progress,
    layout: Layout,
    distance: float,
    watch: Callable[[State], None],
) -> Progress:
    """Step after step on one problem, until the model is full or too little is gained.

    Args:
        distance: mean over the maps, weighted.
    """
    problem = replace(stage.problem.at(progress.state), rounding=ROUNDING * distance)
    now = before = evaluate(problem, progress.state, progress.sweeps)
    model, fresh_value = progress.model, math.inf
    if model is None:
        most_pairs = LATER_PAIRS if progress.history else FIRST_PAIRS
        model = _normal_equations(stage, now, layout, distance, most_pairs)
        fresh_value = now.value
    history = progress.history
    while len(history) < stage.last_step and not model.is_full:
        step = _line_search(problem, now, model)
        if step is None:
            break
        before, (now, model) = now, step
        history = (*history, now.objective)
        watch(now.state)
        if before.value - now.value < stage.tolerance * now.value:
            break
    is_steady = _is_steady(stage, model, before, now, fresh_value)
    return Progress(
        now.state,
        now.objective,
        now.map_objective,
        history,
        problem,
        model=model if is_steady else None,
        is_steady=is_steady,
    )


def _finished(stage: Stage, progress: Progress) -> Descent:
    """After the last sweeps over the depths, which take the objective itself: nothing is rounded.

    They are left out where they do not lower it, optional terms being what they are.
    """
    problem = progress.problem or stage.problem.at(progress.state)
    end = evaluate(replace(problem, rounding=0.0), progress.state, progress.sweeps)
    history = progress.history
    if progress.problem is not None and end.objective >= progress.objective:
        return Descent(progress.state, progress.objective, progress.map_objective, history)
    if history:
        history = (*history[:-1], end.objective)
    return Descent(end.state, end.objective, end.map_objective, history)


def _is_steady(
    stage: Stage, model: CurvatureModel, before: Evaluation, now: Evaluation, fresh_value: float
) -> bool:
    """Whether a stage is done: too little gained by the last step, or by all of a model's.

    Args:
        before, now: of the last step; the same where no step lowered the objective.
        fresh_value: at the normal equations; infinity if they are of an earlier stage.
    """
    if before is now:
        return fresh_value < math.inf
    if before.value - now.value < stage.tolerance * now.value:
        return True
    return model.is_full and fresh_value - now.value < WORTHWHILE * now.value


def _normal_equations(
    stage: Stage, now: Evaluation, layout: Layout, distance: float, most_pairs: int
) -> CurvatureModel:
    """Of the stage's coarse pixels, as they stand now."""
    few, layout = now.state, layout.at(now.state, now.gradient)
    if stage.coarse is not stage.problem:
        few = replace(few, depth=few.depth[:, stage.coarse.pixels.index])
    matrix = curvature(stage.coarse.at(few), few, layout, SOFTENING * distance)
    return CurvatureModel(stage.coarse, layout, matrix.factor(), most_pairs)


def _line_search(
    problem: Problem, now: Evaluation, model: CurvatureModel
) -> tuple[Evaluation, CurvatureModel] | None:
    """Backtracking: the first trial that lowers the objective, and the model corrected by it.

    None if no trial does.
    """
    gradient = model.gradient(now)
    step = model.step(gradient)
    for _ in range(LINE_SEARCH_TRIALS):
        trial = evaluate(problem, model.moved(now.state, step), SWEEPS)
        if trial.value < now.value:
            return trial, model.with_pair(step, model.gradient(trial) - gradient)
        step = BACKTRACKING * step
    return None
