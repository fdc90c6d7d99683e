"""Quasi-Newton descent on the objective with the depths eliminated (docs/method.md §6: "what counts
is the result").

Value and gradient come from all pixels, the curvature from few: at the start of a round as the
normal equations of the re-weighted problem, then corrected by what each step shows (L-BFGS:
Nocedal and Wright, Numerical Optimization, algorithm 7.4). A step that does not lower the objective
is shortened, so the descent is monotone.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import roma
import torch
from jaxtyping import Float64
from threadpoolctl import threadpool_limits
from torch import Tensor

from easi3r.alignment.curvature import Factor, curvature
from easi3r.alignment.problem import State
from easi3r.alignment.stages import Stage
from easi3r.alignment.unknowns import Freedom, Layout, lay_out
from easi3r.alignment.value_and_gradient import Evaluation, Problem, evaluate
from easi3r.geometry.similarity import Similarity

NEGLIGIBLE = 1e-6
"""Distances that average below this fraction of the depths are rounding errors: solved."""

SOFTENING = 1e-2
"""Distances below this fraction of the mean distance share one curvature."""

ROUNDING = 1e-2
"""Distances d count as `sqrt(d^2 + r^2)`, with r this fraction of the mean distance: what is
minimised then has second derivatives, and depths do not stick to single points."""

FIRST_STEPS, LATER_STEPS = 4, 12
"""How long normal equations serve: far from the end, where they change fast, and later."""

SHORTENINGS = 5

WORTHWHILE = 3e-4
"""A stage ends if normal equations lowered the objective by less than this fraction in all their
steps (the flow term has a long, flat tail: far-off pixels come in slowly)."""

FIRST_SWEEPS = 8
SWEEPS = 4
"""Over the depths: of pixels that enter, and in each step."""

Columns = Float64[np.ndarray, " columns"]
"""Numbers of a layout's columns, in host memory."""


@dataclass(frozen=True)
class Descent:
    """Where a descent ended, and the objective after each of its steps."""

    state: State
    values: tuple[float, ...]


@dataclass
class CurvatureModel:
    """The inverse of the second derivatives: of the normal equations, and what steps taught.

    Attributes:
        source: the problem whose normal equations they are.
        layout: of their columns.
        lasts: so many steps.
        taught: steps and how the gradient changed in them.
    """

    source: Problem
    layout: Layout
    factor: Factor
    lasts: int
    taught: list[tuple[Columns, Columns]] = field(default_factory=list)

    @property
    def is_worn(self) -> bool:
        """True once it should be made anew."""
        return len(self.taught) >= self.lasts

    def gradient(self, at: Evaluation) -> Columns:
        """Of what is minimised, over the columns."""
        gathered: Columns = self.layout.gathered(at.gradient).cpu().numpy()
        return gathered

    def learn(self, step: Columns, change: Columns) -> None:
        """Remember a step, if the objective curved upwards along it."""
        if float(step @ change) > 0:
            self.taught.append((step, change))

    def step(self, gradient: Columns) -> Columns:
        """The step to where the gradient should vanish."""
        wanted, shares = gradient.copy(), []
        for step, change in reversed(self.taught):
            shares.append((step @ wanted) / (step @ change))
            wanted -= shares[-1] * change
        solution = self.factor.solve(wanted)
        for (step, change), share in zip(self.taught, reversed(shares), strict=True):
            solution += (share - (change @ solution) / (step @ change)) * step
        return -solution

    def moved(self, state: State, step: Columns) -> State:
        """The state after a step; its depths stay."""
        return moved(state, self.layout.moves(torch.from_numpy(step).to(state.centre.device)))


# The systems are small: a second BLAS thread does no work but waits in a loop, for up to
# half of all processor time.
@threadpool_limits.wrap(limits=1, user_api="blas")
def descend(
    stages: list[Stage],
    begin: State,
    freedom: Freedom,
    watch: Callable[[State], None] = lambda state: None,
) -> Descent:
    """Through all stages; depths of pixels that enter later are solved for as they enter.

    Args:
        watch: called with the state after each step.

    Raises:
        DegenerateGeometryError: the normal equations are singular.
    """
    layout = lay_out(stages[0].problem.maps.graph, freedom, begin.centre.device)
    state = replace(begin, depth=stages[0].problem.prior_depth)
    first = evaluate(stages[0].problem.at(state), state, FIRST_SWEEPS)
    state, map_value = first.state, first.map_value
    model, values = None, list[float]()
    for stage in stages:
        sweeps = SWEEPS
        if state.depth.shape != stage.problem.prior_depth.shape:
            state, sweeps = replace(state, depth=stage.problem.prior_depth), FIRST_SWEEPS
        if model is not None and (model.source is not stage.coarse or model.is_worn):
            model = None
        steady = False
        while not steady and len(values) < stage.last_step:
            distance = map_value / stage.weight
            if distance <= NEGLIGIBLE * float(state.depth.mean()):
                break
            problem = replace(stage.problem.at(state), rounding=ROUNDING * distance)
            now = evaluate(problem, state, sweeps)
            fresh, entered, sweeps = model is None, now.value, SWEEPS
            if model is None:
                lasts = LATER_STEPS if values else FIRST_STEPS
                model = _curvature_model(stage, now, layout, distance, lasts)
            most_steps = stage.last_step - len(values)
            before = now
            for lower in _lower_states(problem, now, model, most_steps):
                before, now = now, lower
                values.append(now.value)
                watch(now.state)
                if before.value - now.value < stage.tolerance * now.value:
                    break
            steady = _is_steady(stage, model, before, now, entered if fresh else math.inf)
            if not steady:
                model = None
            state, map_value = now.state, now.map_value
    settled = evaluate(stages[-1].problem.at(state), state, SWEEPS)
    if values and settled.value < values[-1]:
        return Descent(settled.state, (*values[:-1], settled.value))
    return Descent(state, tuple(values))


def _is_steady(
    stage: Stage, model: CurvatureModel, before: Evaluation, now: Evaluation, entered: float
) -> bool:
    """Whether a stage is done: too little gained by the last step, or in all of a model's life.

    Args:
        before, now: of the last step; the same where no step lowered the objective.
        entered: the value that the model began with; infinity if it came from another stage.
    """
    if before is now:
        return entered < math.inf
    if before.value - now.value < stage.tolerance * now.value:
        return True
    return model.is_worn and entered - now.value < WORTHWHILE * now.value


def _curvature_model(
    stage: Stage, now: Evaluation, layout: Layout, distance: float, lasts: int
) -> CurvatureModel:
    """Normal equations of the stage's coarse pixels, as they stand now."""
    few, layout = now.state, layout.at(now.state, now.gradient)
    if stage.coarse is not stage.problem:
        few = replace(few, depth=few.depth[:, stage.coarse.pixels.index])
    matrix = curvature(stage.coarse.at(few), few, layout, SOFTENING * distance)
    return CurvatureModel(stage.coarse, layout, matrix.factor(), lasts)


def _lower_states(
    problem: Problem, now: Evaluation, model: CurvatureModel, most_steps: int
) -> Iterator[Evaluation]:
    """Step after step, until the model is worn or no step lowers the objective."""
    for _ in range(most_steps):
        lower = None if model.is_worn else _lower(problem, now, model)
        if lower is None:
            return
        now = lower
        yield now


def _lower(problem: Problem, now: Evaluation, model: CurvatureModel) -> Evaluation | None:
    """The next state, from which the model learns; None if no step lowers the objective."""
    gradient = model.gradient(now)
    step = model.step(gradient)
    for _ in range(SHORTENINGS):
        trial = evaluate(problem, model.moved(now.state, step), SWEEPS)
        if trial.value < now.value:
            model.learn(step, model.gradient(trial) - gradient)
            return trial
        step = step / 4
    return None


def moved(state: State, moves: Float64[Tensor, "blocks 7"]) -> State:
    """The state after its frames and pairs moved; depths stay. Focals move up to their limits."""
    by_frame, by_pair = moves.split([len(state.centre), len(state.pair.scale)])
    pair = Similarity(
        roma.rotvec_to_rotmat(by_pair[:, 3:6]) @ state.pair.rotation,
        state.pair.translation + by_pair[:, :3],
        state.pair.scale * by_pair[:, 6].exp(),
    )
    shortest, longest = state.focal_limits()
    focal = torch.maximum(state.focal * by_frame[:, 6:].exp(), state.focal.clamp_max(shortest))
    return replace(
        state,
        rotation=state.rotation @ roma.rotvec_to_rotmat(by_frame[:, 3:6]),
        centre=state.centre + (state.rotation @ by_frame[:, :3, None])[..., 0],
        focal=torch.minimum(focal, state.focal.clamp_min(longest)),
        pair=pair,
    )
