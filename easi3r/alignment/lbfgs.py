"""L-BFGS: normal equations corrected by what the solver's steps show of the curvature (Nocedal and
Wright, Numerical Optimization, algorithm 7.4)."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64

from easi3r.alignment.curvature import Factor
from easi3r.alignment.problem import State
from easi3r.alignment.unknowns import Layout, moved
from easi3r.alignment.value_and_gradient import Evaluation, Problem

Columns = Float64[np.ndarray, " columns"]
"""Numbers of a layout's columns, in host memory."""


@dataclass(frozen=True)
class CurvatureModel:
    """The inverse of the second derivatives: of normal equations, corrected by L-BFGS pairs.

    Attributes:
        source: the problem whose normal equations they are.
        layout: of their columns.
        most_pairs: number of pairs after which it should be made anew.
        pairs: of steps and how the gradient changed in them, oldest first.
    """

    source: Problem
    layout: Layout
    factor: Factor
    most_pairs: int
    pairs: tuple[tuple[Columns, Columns], ...] = ()

    @property
    def is_full(self) -> bool:
        """True once it has `most_pairs`."""
        return len(self.pairs) >= self.most_pairs

    def gradient(self, at: Evaluation) -> Columns:
        """Of what is minimised, over the columns."""
        gradient: Columns = self.layout.gather(at.gradient).cpu().numpy()
        return gradient

    def with_pair(self, step: Columns, change: Columns) -> "CurvatureModel":
        """Corrected by a step, if the objective curved upwards along it."""
        curves_upwards = float(step @ change) > 0
        return replace(self, pairs=(*self.pairs, (step, change))) if curves_upwards else self

    def step(self, gradient: Columns) -> Columns:
        """The step to where the gradient should vanish: L-BFGS's two-loop recursion."""
        remainder, shares = gradient.copy(), []
        for step, change in reversed(self.pairs):
            shares.append((step @ remainder) / (step @ change))
            remainder -= shares[-1] * change
        solution = self.factor.solve(remainder)
        for (step, change), share in zip(self.pairs, reversed(shares), strict=True):
            solution += (share - (change @ solution) / (step @ change)) * step
        return -solution

    def moved(self, state: State, step: Columns) -> State:
        """The state after a step; its depths stay."""
        return moved(state, self.layout.moves(torch.from_numpy(step).to(state.centre.device)))
