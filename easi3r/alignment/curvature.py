"""The normal equations of the small unknowns at a state, depths eliminated, and solving them."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int64
from scipy.linalg import LinAlgError, cho_solve_banded, cholesky_banded
from torch import Tensor

from easi3r.alignment.problem import State
from easi3r.alignment.terms import flow_terms, map_terms
from easi3r.alignment.unknowns import MOTION, Layout
from easi3r.alignment.value_and_gradient import Problem
from easi3r.errors import DegenerateGeometryError

DAMPINGS = (1e-4, 1e-2, 1.0)
"""Fractions of the diagonal. The first as a rule; eliminating the depths in float32 may leave
unknowns that hardly matter with less curvature than nothing."""


class NormalMatrix:
    """A symmetric matrix over the columns of a layout, in host or device memory.

    Attributes:
        band: element (i, j) of its band, i >= j, at [i - j, j].
        border: the columns after the band, all rows.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        like = layout.factor
        self.band = like.new_zeros(layout.bandwidth + 1, layout.banded)
        self.border = like.new_zeros(len(layout), layout.bordered)

    def add(self, blocks: Float64[Tensor, "batch n n"], numbers: Int64[Tensor, "batch n"]) -> None:
        """Add dense blocks over some numbers of the layout's blocks, counted flat."""
        layout = self.layout
        factor = layout.factor.flatten()[numbers]
        column = layout.column.flatten()[numbers].masked_fill(factor == 0, len(layout))
        values = factor[..., None] * blocks * factor[..., None, :]
        rows, columns = torch.broadcast_tensors(column[..., None], column[..., None, :])
        lower = (rows >= columns) & (rows < layout.banded)
        place = ((rows - columns) * layout.banded + columns)[lower]
        self.band.view(-1).index_add_(0, place, values[lower])
        right = (columns >= layout.banded) & (columns < len(layout)) & (rows < len(layout))
        place = (rows * layout.bordered + columns - layout.banded)[right]
        self.border.view(-1).index_add_(0, place, values[right])

    def factor(self) -> "Factor":
        """The factored matrix, with the least of `DAMPINGS` that makes it positive definite.

        Raises:
            DegenerateGeometryError: the matrix is not finite.
        """
        for damping in DAMPINGS:
            factor = self.damped(damping)
            if factor is not None:
                return factor
        raise DegenerateGeometryError(
            "alignment",
            f"its normal equations are singular at damping {DAMPINGS[-1]:g}",
            "Check the predictions: depths or confidences of extreme range",
        )

    def damped(self, damping: float) -> "Factor | None":
        """The factored matrix, its diagonal raised by a fraction of itself (Levenberg-Marquardt);
        None where it is not positive definite then. Columns without a term (fixed for now) do not
        move.
        """
        layout = self.layout
        band, border = self.band.cpu().numpy().copy(), self.border.cpu().numpy().copy()
        corner = border[layout.banded :]
        diagonal = np.diag_indices(len(corner))
        least = 1e-12 * max(band[0].max(), corner[diagonal].max(initial=0.0))
        band[0] += damping * band[0] + least
        corner[diagonal] += damping * corner[diagonal] + least
        tie = np.zeros(len(layout))
        tie[layout.scales.cpu().numpy()] = 1
        sides = np.concatenate([border, tie[:, None]], axis=1)
        corner = np.pad(corner, ((0, 1), (0, 1)))
        try:
            triangle = cholesky_banded(band, lower=True, overwrite_ab=True)
        except (LinAlgError, ValueError):  # not positive definite, or not finite
            return None
        upper = sides[: layout.banded]
        through = cho_solve_banded((triangle, True), upper)
        return Factor(triangle, upper, through, corner - upper.T @ through)


@dataclass(frozen=True)
class Factor:
    """A factored matrix with its border, to which the constraint on the pairs' scales is added.

    Attributes:
        triangle: Cholesky factor of the band, in band storage.
        sides: the border's rows beside the band.
        through: the band's inverse times `sides`.
        complement: Schur complement of the band.
    """

    triangle: Float64[np.ndarray, "width banded"]
    sides: Float64[np.ndarray, "banded borders"]
    through: Float64[np.ndarray, "banded borders"]
    complement: Float64[np.ndarray, "borders borders"]

    def solve(self, gradient: Float64[np.ndarray, " columns"]) -> Float64[np.ndarray, " columns"]:
        """The matrix's inverse times a gradient, among steps that keep the scales' mean."""
        banded = len(self.sides)
        alone = cho_solve_banded((self.triangle, True), gradient[:banded], check_finite=False)
        after = np.append(gradient[banded:], 0.0) - self.sides.T @ alone
        shared = np.linalg.solve(self.complement, after)
        return np.concatenate([alone - self.through @ shared, shared[:-1]])


def curvature(problem: Problem, state: State, layout: Layout, softening: float) -> NormalMatrix:
    """The curvature of every term's parabola at a state, once the depths follow.

    Args:
        softening: map distances below it count as it, which bounds their curvature.
    """
    maps, frames = problem.maps, problem.maps.graph.frames
    placed = maps.placed(state)
    motions = problem.map_motions(state, placed[1])
    if problem.flow is not None:
        motions = motions + problem.flow.motions(state)
    matrix = NormalMatrix(layout)
    for block in problem.blocks(state):
        number, depth = block.maps.number, block.of(state.depth)
        terms = map_terms(block.maps, block.placed(*placed), block.rays, depth, softening)
        if block.flows is not None:
            induced = block.induced(state, depth)
            terms = terms + flow_terms(block.flows, induced, block.rays, depth)
            number = torch.cat([number, len(maps.frame) + block.flows.number], dim=1)
        pull = problem.prior_pull(state, block).curvature if problem.depth_weight else 0.0
        matrix.add(*motions.carried(terms.without_depths(pull), block.frames, number))
    if problem.smoothness.weight:
        smooth, _ = problem.smoothness.terms(state)
        blocks = MOTION * torch.arange(frames, device=smooth.device)[:, None]
        numbers = blocks + torch.arange(6, device=smooth.device)
        matrix.add(smooth[None], numbers.flatten()[None])
    return matrix
