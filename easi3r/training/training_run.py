"""A training run: steps, logs, checkpoints, figures on held-out scenes; export of its weights."""

import csv
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import torch

from easi3r.model import save_checkpoint
from easi3r.training.trainer import STATE_FILE, Trainer, batches
from easi3r.training.training_settings import TrainingSettings
from easi3r.training.validation import Figures, HeldOut, validate

LOG_FILE = "steps.csv"
FIGURES_FILE = "figures.csv"
LICENCE = "Apache-2.0"  # of the exported weights
_LOG_EVERY = 9  # odd, so that every image size and frame rate is logged
_FIRST_FIGURES = 25  # figures after step 25, 50, 100, .. until `validate_every`, then regularly


def run(
    settings: TrainingSettings,
    folder: Path,
    device: torch.device,
    hours: float,
    validate_every: int,
    save_every: int,
    held_out_scenes: int,
    report: Callable[[str], None],
) -> Trainer:
    """Train until `settings.steps` are done or the hours of this call are used up.

    Resumes from the folder's checkpoint where there is one. Rows of the logs that are newer than
    the checkpoint are dropped on resuming, so that no step is logged twice.

    Args:
        folder: receives logs and checkpoint.
        hours: wall time of this call, at most.
        validate_every, save_every: numbers of steps.
        held_out_scenes: number of scenes to validate on.
        report: callback that receives lines of progress.
    """
    state = folder / STATE_FILE
    trainer = (
        Trainer.resume(state, settings, device) if state.exists() else Trainer(settings, device)
    )
    for name in (LOG_FILE, FIGURES_FILE):
        _truncate(folder / name, trainer.steps_done)
    report(f"step {trainer.steps_done} of {settings.steps}; rendering held-out scenes")
    held_out = HeldOut.render(settings, held_out_scenes)
    started, seconds_before, first = time.monotonic(), trainer.seconds, trainer.steps_done
    for batch in batches(settings, trainer.steps_done):
        losses = trainer.step(batch)
        spent = time.monotonic() - started
        trainer.seconds = seconds_before + spent
        step = trainer.steps_done
        if step % _LOG_EVERY == 0:
            values = {name: float(value.detach()) for name, value in vars(losses).items()}
            progress = {"step": step, "pairs": trainer.pairs_seen, "seconds": trainer.seconds}
            _append(folder / LOG_FILE, progress | values)
            rate = (step - first) / spent
            report(_progress(trainer, values, rate))
        if step % validate_every == 0 or step == settings.steps or _early(step, validate_every):
            figures = validate(trainer.average, held_out, device)
            row = {"step": step, "pairs": trainer.pairs_seen, "seconds": trainer.seconds}
            _append(folder / FIGURES_FILE, row | asdict(figures))
            report(_summary(figures))
        over = spent > hours * 3600
        # Last: a killed run goes on after the saved step, and never comes back for its rows.
        if step % save_every == 0 or over or step == settings.steps:
            trainer.save(folder)
        if over:
            break
    return trainer


def export(folder: Path, weights: Path) -> Trainer:
    """Write a run's averaged weights (`.safetensors`, float16) and their config beside them.

    `easi3r.model.load_checkpoint` reads the result.

    Args:
        folder: of the run; holds `settings.json` and the checkpoint.
        weights: path of the `.safetensors` file to write.

    Raises:
        CheckpointError: the folder holds no checkpoint.
    """
    settings = TrainingSettings.model_validate_json((folder / "settings.json").read_text())
    trainer = Trainer.resume(folder / STATE_FILE, settings, torch.device("cpu"))
    save_checkpoint(weights, trainer.average, LICENCE)
    return trainer


def _early(step: int, validate_every: int) -> bool:
    ratio = step / _FIRST_FIGURES
    return step < validate_every and ratio >= 1 and ratio.is_integer() and _power(int(ratio))


def _power(number: int) -> bool:
    return number & (number - 1) == 0


def _progress(trainer: Trainer, values: dict[str, float], rate: float) -> str:
    left = (trainer.settings.steps - trainer.steps_done) / rate / 60
    losses = " ".join(f"{name} {value:.3f}" for name, value in values.items())
    pairs = rate * trainer.settings.pairs_per_step
    return f"step {trainer.steps_done}  {losses}  {pairs:.1f} pairs/s  {left:.0f} min left"


def _summary(figures: Figures) -> str:
    return (
        f"held out: abs-rel {figures.abs_rel:.3f} (constant {figures.abs_rel_constant:.3f})  "
        f"rotation {figures.rotation:.2f} (identity {figures.rotation_identity:.2f}) deg  "
        f"direction {figures.direction:.0f} deg  "
        f"match {figures.match:.2f} (stay {figures.match_chance:.2f})  "
        f"motion AUC {figures.auc:.2f} object {figures.auc_object:.2f} "
        f"frozen {figures.auc_frozen:.2f} object {figures.auc_object_frozen:.2f}  "
        f"terms {figures.auc_source_mean:.2f} {figures.auc_source_std:.2f} "
        f"{figures.auc_reference_mean:.2f} {figures.auc_reference_std:.2f}  "
        f"confidence {figures.confidence:.1f}"
    )


def _append(path: Path, row: Mapping[str, float | int | str]) -> None:
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if file.tell() == 0:
            writer.writeheader()
        writer.writerow(row)


def _truncate(path: Path, steps: int) -> None:
    """Drop the rows of later steps, in one atomic replacement."""
    if not path.exists():
        return
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["step"]) <= steps]
    if not rows:
        path.unlink()
        return
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    for row in rows:
        _append(partial, row)
    os.replace(partial, path)
