"""From a run's folder to a checkpoint that `easi3r.model.load_checkpoint` reads."""

from pathlib import Path

import torch

from easi3r.model import save_checkpoint
from easi3r.training.trainer import STATE_FILE, Trainer
from easi3r.training.training_settings import TrainingSettings

LICENCE = "Apache-2.0"


def export(folder: Path, weights: Path) -> Trainer:
    """Writes the averaged weights (`.safetensors`, float16) and their config beside them.

    Raises:
        CheckpointError: the folder holds no checkpoint.
    """
    settings = TrainingSettings.model_validate_json((folder / "settings.json").read_text())
    trainer = Trainer.resume(folder / STATE_FILE, settings, torch.device("cpu"))
    save_checkpoint(weights, trainer.average, LICENCE)
    return trainer
