"""The alignment's solver against 300 Adam steps, from one start: objective against time.

Every clip (reference predictions where there are any, and rendered scenes with errors like a
network's) is started once; then Adam (`tests.benchmarks.adam`) and the solver of
`easi3r.alignment` go on from there. The start is counted in both. What they reach is recomputed
from cameras and depths with the best tied similarities (`easi3r.alignment.objective`) plus the flow
term where the clip has one, while the clock stands still. A ratio is the time until the solver is
at or below what Adam ends with, over Adam's time.
"""

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from rich.progress import track

from easi3r.alignment import objective
from easi3r.alignment.initial_state import initial_state
from easi3r.alignment.problem import State
from easi3r.alignment.solver import descend
from easi3r.alignment.stages import plan_stages
from easi3r.alignment.unknowns import Freedom
from easi3r.alignment.value_and_gradient import evaluate
from easi3r.config import AlignmentSettings
from easi3r.knowledge import KnownCameras
from tests.benchmarks.adam import descend_by_adam
from tests.benchmarks.pair_clips import KINDS, PairClip, golden_clip, rendered_clip
from tests.benchmarks.results import FOLDER, Row, report
from tests.golden import REFERENCE

SETTINGS = AlignmentSettings(flow_weight=0.01)
GOAL = 0.1
SHARED_FOCAL = Freedom(known_poses=False, known_focals=False, shared_focal=True)


@dataclass(frozen=True)
class Curve:
    """Objective over time, the initial state's own time included."""

    seconds: tuple[float, ...]
    objective: tuple[float, ...]

    def first_at_most(self, value: float) -> float:
        """Seconds until the objective is at or below a value; infinity if it never is."""
        reached = [s for s, o in zip(self.seconds, self.objective, strict=True) if o <= value]
        return reached[0] if reached else float("inf")


@dataclass(frozen=True)
class Race:
    """Both solvers on one clip."""

    clip: str
    adam: Curve
    solver: Curve

    @property
    def ratio(self) -> float:
        """Time to what Adam ends with, over Adam's time."""
        return self.solver.first_at_most(self.adam.objective[-1]) / self.adam.seconds[-1]

    def rows(self) -> list[Row]:
        """For the table."""
        initial, end = self.adam.objective[0], self.adam.objective[-1]
        return [
            Row(f"{self.clip}: objective at the start", initial),
            Row(f"{self.clip}: after 300 Adam steps", end),
            Row(
                f"{self.clip}: after the solver, over Adam's",
                self.solver.objective[-1] / end,
                "",
                1.0,
            ),
            Row(f"{self.clip}: Adam", self.adam.seconds[-1], "s"),
            Row(f"{self.clip}: solver, to its own end", self.solver.seconds[-1], "s"),
            Row(f"{self.clip}: solver to Adam's objective, over Adam", self.ratio, "", GOAL),
        ]


def judge(clip: PairClip) -> Callable[[State], float]:
    """Objective of the alignment, from cameras and depths alone."""
    shape = clip.prediction.confidence_1.shape[1:]

    def value(state: State) -> float:
        depth = state.depth.view(-1, *shape).numpy()
        cameras = state.camera_to_world(), state.intrinsics()
        of_maps = objective(clip.graph, clip.prediction, *cameras, depth)
        if clip.flow is None:
            return of_maps
        stages = plan_stages(clip.graph, clip.prediction, SETTINGS, clip.flow, state)
        whole = evaluate(stages[-1].problem.at(state), state, sweeps=0)
        return of_maps + whole.objective - whole.map_objective

    return value


def race(clip: PairClip, every: int) -> Race:
    """Both solvers from one start; the objective is looked at every so many Adam steps."""
    value = judge(clip)
    before = time.process_time()
    initial = initial_state(clip.graph, clip.prediction, KnownCameras(), SETTINGS).state
    spent = time.process_time() - before
    first = value(initial)

    started = [(spent, first)]
    adam = descend_by_adam(clip.graph, clip.prediction, initial, SETTINGS, clip.flow, every)
    by_adam = started + [(spent + one.seconds, value(one.state)) for one in adam]
    with torch.no_grad():
        by_solver = started + list(_solved(clip, initial, spent, value))
    return Race(clip.name, *(Curve(*zip(*curve, strict=True)) for curve in (by_adam, by_solver)))


def _solved(
    clip: PairClip, initial: State, spent: float, value: Callable[[State], float]
) -> Iterable[tuple[float, float]]:
    """Seconds and objective after each of the solver's steps that has all depths."""
    curve: list[tuple[float, float]] = []
    clock = time.process_time() - spent

    def look(state: State) -> None:
        nonlocal clock
        now = time.process_time()
        if state.depth.shape == initial.depth.shape:
            curve.append((now - clock, value(state)))
        clock += time.process_time() - now

    stages = plan_stages(clip.graph, clip.prediction, SETTINGS, clip.flow, initial)
    look(descend(stages, initial, SHARED_FOCAL, watch=look).state)
    return curve


def draw(races: list[Race], path: Path) -> None:
    """Objective over Adam's last against time, both curves of every clip."""
    columns = min(3, len(races))
    lines = -(-len(races) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(4.5 * columns, 3.4 * lines), squeeze=False)
    for axis, one in zip(axes.flat, races, strict=False):
        end = one.adam.objective[-1]
        for curve, name in ((one.adam, "300 Adam steps"), (one.solver, "solver")):
            axis.plot(curve.seconds, np.array(curve.objective) / end, ".-", ms=4, label=name)
        axis.axhline(1, color="grey", lw=0.8)
        axis.axvline(GOAL * one.adam.seconds[-1], color="grey", lw=0.8, ls=":")
        axis.set(xscale="log", title=one.clip, xlabel="seconds, start included")
        axis.set_ylim(0.998, min(1.06, max(one.adam.objective[:2]) / end + 0.002))
    for axis in axes[:, 0]:
        axis.set_ylabel("objective over Adam's last")
    axes[0, 0].legend()
    for axis in axes.flat[len(races) :]:
        axis.set_axis_off()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Print the table and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=Path, default=REFERENCE)
    parser.add_argument("--every", type=int, default=30, help="Adam steps between looks")
    parser.add_argument("--only", type=int, help="number of one rendered clip")
    parser.add_argument("--threads", type=int, default=1, help="of both solvers")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    kinds = KINDS if arguments.only is None else KINDS[arguments.only : arguments.only + 1]
    golden = sorted(arguments.reference.glob("align*.npz"))
    makers = [lambda path=path: golden_clip(path) for path in golden]
    makers += [lambda kind=kind: rendered_clip(kind) for kind in kinds]
    race(makers[0](), arguments.every)  # libraries load and allocate: not timed
    races = [race(make(), arguments.every) for make in track(makers, description="clips")]
    draw(races, FOLDER / "alignment.png")
    report("alignment", [row for one in races for row in one.rows()])


if __name__ == "__main__":
    main()
