"""Calibration of trust: `python -m easi3r.training.trust_calibration collect`, then `fit`.

`collect` annotates clips whose truth is known, once, and keeps a line of figures for each; it goes
on where it was interrupted. `fit` writes the calibration that `easi3r.quality.trust_model` reads,
and says what it is worth: each world is judged by a model that saw none of it (docs/trust.md).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from jaxtyping import Bool, Float64

from easi3r.config import Settings
from easi3r.evaluation.probability_scores import (
    area_under_curve,
    calibration_curve,
    expected_calibration_error,
    interval,
    rank_correlation,
)
from easi3r.model import load_checkpoint
from easi3r.quality.trust import judged
from easi3r.quality.trust_model import LogisticModel, TrustCalibration, TrustFeature
from easi3r.training.trust_clips import real_clips, rendered_clips
from easi3r.training.trust_records import TrustRecord, collect, read_records


@dataclass(frozen=True)
class Input:
    """A quality figure that a model takes, as it is or by the logarithm of it plus an offset.

    Attributes:
        low, high: it is clipped to them besides, in its own unit.
    """

    figure: str
    offset: float | None = None
    low: float = -np.inf
    high: float = np.inf


_BEND_DEG = 0.5  # of parallax: below, a camera as good as stands still

PATH_INPUTS = (
    Input("path_bend", 0.02),
    Input("bend_agreement"),
    Input("half_bend_agreement"),
    Input("parallax_deg", 0.02, high=_BEND_DEG),
    Input("depth_spread", 0.02),
    Input("triangulated_correlation"),
    Input("median_confidence", 0.0),
)
DEPTH_INPUTS = (
    Input("triangulated_correlation"),
    Input("triangulated_depth_ratio", 0.05),
    Input("depth_spread", 0.02),
    Input("depth_disagreement", 0.01),
    Input("pass_depth", 0.003),
    Input("median_confidence", 0.0),
)

FOLDS = 10
_CLIPPED = (0.01, 0.99)  # quantiles of the calibration clips, beyond which nothing is known
_STRENGTH = 1.0  # of the fit, inverse to its regularisation

app = typer.Typer(pretty_exceptions_enable=False)


@dataclass(frozen=True)
class HeldOutReport:
    """What the calibration is worth on clips that it never saw.

    Attributes:
        correlation: Spearman's, of distrust with the logarithm of the larger ratio.
        correlation_interval: 95 %, whole worlds resampled.
        auc: of distrust for clips that are worse than a trivial answer.
        calibration_error: expected calibration error, ten bins of equal width.
    """

    clips: int
    worlds: int
    worse: int
    correlation: float
    correlation_interval: tuple[float, float]
    auc: float
    auc_interval: tuple[float, float]
    calibration_error: float

    def __str__(self) -> str:
        low, high = self.correlation_interval
        return (
            f"{self.clips} clips of {self.worlds} worlds, {self.worse} worse than trivial: "
            f"rank correlation {self.correlation:.2f} ({low:.2f} to {high:.2f}), "
            f"AUC {self.auc:.2f} ({self.auc_interval[0]:.2f} to {self.auc_interval[1]:.2f}), "
            f"expected calibration error {self.calibration_error:.3f}"
        )


def fit(records: Sequence[TrustRecord], version: int, fitted_on: str) -> TrustCalibration:
    """Logistic models of `PATH_INPUTS` and `DEPTH_INPUTS`, each of its own ratio.

    Raises:
        ValueError: the records are of different weights, or all beat a trivial answer, or none.
    """
    (sha256,) = {record.weights_sha256 for record in records}
    path = np.array([record.path_ratio < 1 for record in records])
    depth = np.array(
        [record.depth_ratio is not None and record.depth_ratio < 1 for record in records]
    )
    return TrustCalibration(
        version=version,
        weights_sha256=sha256,
        fitted_on=fitted_on,
        path=_fit_model(records, PATH_INPUTS, path),
        depth=_fit_model(records, DEPTH_INPUTS, depth),
    )


def _fit_model(
    records: Sequence[TrustRecord], inputs: Sequence[Input], better: Bool[np.ndarray, " clips"]
) -> LogisticModel:
    """A regularised model; its inputs are clipped to the range of these clips."""
    # Imported here: scikit-learn takes a second to import.
    from sklearn.linear_model import LogisticRegression

    blanks = [_blank(one) for one in inputs]
    values = np.array([[one.value(_figure(r, one.figure)) for one in blanks] for r in records])
    low, high = np.quantile(values, _CLIPPED, axis=0)
    clipped = np.clip(values, low, high)
    mean, scale = clipped.mean(axis=0), np.maximum(clipped.std(axis=0), 1e-9)
    model = LogisticRegression(C=_STRENGTH, max_iter=1000).fit((clipped - mean) / scale, better)
    coefficients = model.coef_[0] / scale
    features = [
        blank.model_copy(update={"low": a, "high": b, "coefficient": c})
        for blank, a, b, c in zip(
            blanks, low.tolist(), high.tolist(), coefficients.tolist(), strict=True
        )
    ]
    intercept = float(model.intercept_[0] - coefficients @ mean)
    return LogisticModel(features=tuple(features), intercept=intercept)


def _blank(one: Input) -> TrustFeature:
    """The input as the model holds it, without a coefficient."""
    if one.offset is None:
        return TrustFeature(figure=one.figure, low=one.low, high=one.high, coefficient=0.0)
    low, high = (np.log(max(bound + one.offset, 1e-9)) for bound in (one.low, one.high))
    return TrustFeature(
        figure=one.figure,
        transform="log",
        offset=one.offset,
        low=float(low) if np.isfinite(one.low) else -np.inf,
        high=float(high),
        coefficient=0.0,
    )


def _figure(record: TrustRecord, name: str) -> float:
    figure = record.figures[name]
    assert figure is not None, f"{record.name} has no {name}"
    return figure


def held_out_trusts(records: Sequence[TrustRecord]) -> Float64[np.ndarray, " clips"]:
    """Trust of each clip by a calibration that was fitted without its world, in `FOLDS` parts."""
    folds = np.array([_fold(record.world) for record in records])
    trust = np.full(len(records), np.nan)
    for fold in np.unique(folds):
        pairs = [*zip(records, folds, strict=True)]
        ours = [record for record, one in pairs if one == fold]
        others = [record for record, one in pairs if one != fold]
        trust[folds == fold] = trusts_of(ours, fit(others, 1, ""))
    return trust


def trusts_of(
    records: Sequence[TrustRecord], calibration: TrustCalibration
) -> Float64[np.ndarray, " clips"]:
    """Trust of each clip, with what its images cannot prove taken into account."""
    judgements = [judged(record.figures, calibration) for record in records]
    return np.array([np.nan if one is None else one.value for one in judgements])


def _fold(world: str) -> int:
    return int.from_bytes(hashlib.sha256(world.encode()).digest()[:4], "big") % FOLDS


def report_of(
    records: Sequence[TrustRecord], trust: Float64[np.ndarray, " clips"]
) -> HeldOutReport:
    """Figures over some clips and their trust."""
    worst = np.log([record.worst_ratio for record in records])
    better: Bool[np.ndarray, " clips"] = worst < 0
    worlds = [record.world for record in records]

    def correlation(chosen: np.ndarray) -> float:
        return rank_correlation(-trust[chosen], worst[chosen])

    def auc(chosen: np.ndarray) -> float:
        return area_under_curve(-trust[chosen], ~better[chosen])

    everything = np.arange(len(records))
    return HeldOutReport(
        clips=len(records),
        worlds=len(set(worlds)),
        worse=int((~better).sum()),
        correlation=correlation(everything),
        correlation_interval=interval(correlation, worlds),
        auc=auc(everything),
        auc_interval=interval(auc, worlds),
        calibration_error=expected_calibration_error(trust, better),
    )


def draw_curve(
    records: Sequence[TrustRecord], trust: Float64[np.ndarray, " clips"], picture: Path
) -> None:
    """Share of clips that beat the trivial answers against trust, and the ratios themselves."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    better = np.array([record.worst_ratio < 1 for record in records])
    curve = calibration_curve(trust, better)
    canvas = Figure(figsize=(11, 4.5), layout="constrained")
    FigureCanvasAgg(canvas)
    left, right = canvas.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="0.7", lw=1)
    left.plot([one.probability for one in curve], [one.share for one in curve], marker="o")
    for one in curve:
        left.annotate(
            str(one.count), (one.probability, one.share), (4, -10), textcoords="offset points"
        )
    left.set(xlabel="trust", ylabel="share better than trivial (clips)", xlim=(0, 1), ylim=(0, 1))
    for real, label in ((False, "rendered"), (True, "real")):
        chosen = np.array([(record.kind == "real") == real for record in records])
        ratios = np.array([record.worst_ratio for record in records])
        right.scatter(trust[chosen], ratios[chosen], s=14, label=label)
    right.axhline(1, color="0.7", lw=1)
    right.set(xlabel="trust", ylabel="larger of the two error ratios", yscale="log", xlim=(0, 1))
    right.legend()
    canvas.savefig(picture, dpi=80)


@app.command("collect")
def collect_command(
    out: Annotated[Path, typer.Argument(help="JSON lines, one a clip; continued if it exists.")],
    weights: str = "nano",
    real: Annotated[Path | None, typer.Option(help="Folder of posed recordings.")] = None,
    rendered: Annotated[int, typer.Option(help="Number of rendered clips.")] = 240,
) -> None:
    """Annotate clips whose truth is known, and keep their figures."""
    torch.set_num_threads(1)
    model = load_checkpoint(weights)
    of_videos = () if real is None else real_clips(real)
    clips = chain(islice(rendered_clips(), rendered), of_videos)
    for record in collect(clips, model, Settings(), out):
        print(f"{record.name} ({record.kind}): {record.worst_ratio:.2f}", flush=True)


@app.command("fit")
def fit_command(
    records: Annotated[Path, typer.Argument(help="What `collect` wrote.")],
    folder: Annotated[Path, typer.Argument(help="Of calibrations; one file for each weights.")],
    version: Annotated[int, typer.Option(help="One more than that of the last.")] = 1,
    fitted_on: Annotated[str, typer.Option(help="In words.")] = "",
    picture: Annotated[Path | None, typer.Option(help="A PNG of the calibration curve.")] = None,
) -> None:
    """Write the calibration of all clips, and report what held-out worlds say of it."""
    known = [record for record in read_records(records) if record.depth_ratio is not None]
    trust = held_out_trusts(known)
    real = np.array([record.kind == "real" for record in known])
    for name, chosen in (("all", real | True), ("rendered", ~real), ("real", real)):
        numbers = np.flatnonzero(chosen)
        print(f"{name}: {report_of([known[n] for n in numbers], trust[numbers])}")
    if picture is not None:
        draw_curve(known, trust, picture)
    worlds = len({record.world for record in known})
    words = f"{len(known)} clips of {worlds} worlds. {fitted_on}".strip()
    calibration = fit(known, version, words)
    path = folder / f"{calibration.weights_sha256}.json"
    path.write_text(calibration.model_dump_json(indent=1) + "\n")


if __name__ == "__main__":
    app()
