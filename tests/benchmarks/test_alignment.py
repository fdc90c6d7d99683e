"""The alignment's benchmark runs, and its baseline is one: it lowers the objective."""

import torch

from tests.benchmarks.alignment import race
from tests.benchmarks.pair_clips import ClipKind, rendered_clip


def test_both_solvers_lower_the_objective() -> None:
    clip = rendered_clip(ClipKind("tiny", 3, 16, 32, movers=0, flow=True, seed=1))
    with torch.enable_grad():
        result = race(clip, every=300)
    assert result.adam.objective[-1] < 0.95 * result.adam.objective[0]
    assert result.solver.objective[-1] < 0.95 * result.solver.objective[0]
    assert len(result.rows()) == 6
