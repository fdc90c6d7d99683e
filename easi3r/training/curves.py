"""Pictures of a run's two logs."""

import csv
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from easi3r.training.training_run import FIGURES_FILE, LOG_FILE

_SMOOTHING = 20  # rows of the log behind each point of a loss curve
_PANELS = {
    "relative depth error": ("abs_rel", "abs_rel_constant"),
    "rotation, degrees": ("rotation", "rotation_identity"),
    "direction of translation, degrees": ("direction",),
    "tokens matched": ("match", "match_chance"),
    "motion, AUC": ("auc", "auc_object", "auc_frozen", "auc_object_frozen"),
}


def draw(folder: Path, picture: Path) -> None:
    """Losses by step and figures on held-out scenes, baselines among them, against pairs seen."""
    # Imported here: training itself, and the processes that render its batches, draw nothing.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps, figures = _columns(folder / LOG_FILE), _columns(folder / FIGURES_FILE)
    canvas = Figure(figsize=(13, 7), layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.subplots(2, 3).flat
    for name in ("points", "ray", "match", "motion"):
        axes[0].plot(steps["pairs"], _smooth(steps[name]), label=name)
    for axis, (title, names) in zip(axes[1:], _PANELS.items(), strict=True):
        for name in names:
            axis.plot(figures["pairs"], figures[name], label=name, marker=".")
        axis.set_title(title)
    axes[0].set_title("losses")
    axes[2].set_ylim(0, 3 * float(figures["rotation_identity"].max()))
    for axis in axes:
        axis.set_xlabel("pairs seen")
        axis.legend(fontsize="small")
        axis.grid(alpha=0.3)
    canvas.savefig(picture, dpi=80)


def _columns(path: Path) -> dict[str, Float64[np.ndarray, " rows"]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def _smooth(values: Float64[np.ndarray, " rows"]) -> Float64[np.ndarray, " rows"]:
    total = np.cumsum(np.insert(values, 0, 0.0))
    stop = np.arange(1, len(values) + 1)
    start = np.maximum(stop - _SMOOTHING, 0)
    return (total[stop] - total[start]) / (stop - start)
