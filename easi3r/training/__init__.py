"""How the embedded checkpoint `nano` is made; `python -m easi3r.training --help`, docs/nano.md.

`run` trains, `Trainer` is one network in training, `validate` measures it on held-out scenes,
`export` writes what `easi3r.model.load_checkpoint` reads.
"""

from easi3r.training.curves import draw
from easi3r.training.trainer import Trainer
from easi3r.training.training_run import export, run
from easi3r.training.training_settings import NANO, LossWeights, TrainingSettings
from easi3r.training.validation import Figures, HeldOut, validate

__all__ = [
    "NANO",
    "Figures",
    "HeldOut",
    "LossWeights",
    "Trainer",
    "TrainingSettings",
    "draw",
    "export",
    "run",
    "validate",
]
