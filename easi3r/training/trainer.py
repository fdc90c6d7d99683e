"""The training loop: resumable, the same on a CPU and a GPU."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor, nn

from easi3r.errors import CheckpointError
from easi3r.model import (
    DUSt3R,
    KeyMeansRecorder,
    explicit_attention,
    load_checkpoint,
    normalise,
)
from easi3r.training.batches import Batch, training_batch
from easi3r.training.losses import Losses, MotionReader, all_losses
from easi3r.training.optimiser import initialise, make_optimisers, rate_factor
from easi3r.training.training_settings import TrainingSettings

_AHEAD = 2  # batches rendered while the network works
STATE_FILE = "state.pt"


class Trainer:
    """State of a training run: network, average, optimisers; `step` updates, `save` writes it.

    Args:
        settings: of the run.
        device: where the network and its batches live.
    """

    def __init__(self, settings: TrainingSettings, device: torch.device) -> None:
        self.settings = settings
        self.device = device
        self.network = DUSt3R(settings.model, explicit_attention)
        initialise(self.network, settings.seed)
        if settings.start_from is not None:
            self.network.load_state_dict(_weights(settings))
        self.network.to(device)
        self.average = DUSt3R(settings.model, explicit_attention).to(device).requires_grad_(False)
        self.average.load_state_dict(self.network.state_dict())
        self.reader = MotionReader().to(device)
        self.optimisers = make_optimisers(self.network, self.reader, settings)
        self.steps_done = 0
        self.seconds = 0.0

    @property
    def pairs_seen(self) -> int:
        return self.steps_done * self.settings.pairs_per_step

    def step(self, batch: Batch) -> Losses:
        """One update of the weights and of their average."""
        settings, factor = self.settings, rate_factor(self.steps_done, self.settings)
        for optimiser, rate in zip(
            self.optimisers, (settings.matrix_rate, settings.other_rate), strict=True
        ):
            for group in optimiser.param_groups:
                group["lr"] = rate * factor
            optimiser.zero_grad(set_to_none=True)
        losses = self._losses(batch.to(self.device))
        losses.total.backward()
        trained = [p for p in self.network.parameters() if p.grad is not None]
        nn.utils.clip_grad_norm_(trained, settings.clip_norm, error_if_nonfinite=True)
        for optimiser in self.optimisers:
            optimiser.step()
        self.steps_done += 1
        decay = min(settings.average_decay, self.steps_done / (self.steps_done + 10))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)
        return losses

    def _losses(self, batch: Batch) -> Losses:
        edges = batch.edges.cpu().numpy()
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.settings.bfloat16):
            features = self.network.encode(normalise(batch.images))
            recorder = KeyMeansRecorder(features)
            layers = list(recorder.watch(self.network.decode(features, edges)))
            prediction = self.network.regress(features, edges, layers)
        return all_losses(
            prediction,
            layers,
            recorder.result(),
            self.reader,
            batch,
            self.settings.weights,
            self.steps_done % 4,
        )

    def save(self, folder: Path) -> Path:
        """Writes everything a resumed run needs, in one atomic replacement."""
        state = {
            "settings": self.settings.model_dump_json(),
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "reader": self.reader.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "steps_done": self.steps_done,
            "seconds": self.seconds,
        }
        folder.mkdir(parents=True, exist_ok=True)
        path, partial = folder / STATE_FILE, folder / f"{STATE_FILE}.partial"
        torch.save(state, partial)
        os.replace(partial, path)
        return path

    @classmethod
    def resume(cls, path: Path, settings: TrainingSettings, device: torch.device) -> "Trainer":
        """The trainer that `save` wrote, to go on under `settings`.

        Raises:
            CheckpointError: the file is missing, or is of another network or seed.
        """
        if not path.is_file():
            raise CheckpointError(str(path), "no such file", "Start without resuming")
        state = torch.load(path, map_location=device, weights_only=True)
        before = TrainingSettings.model_validate_json(state["settings"])
        if (before.model, before.seed) != (settings.model, settings.seed):
            problem = "its network or seed is not that of the settings"
            raise CheckpointError(str(path), problem, "Use the settings it was started with")
        trainer = cls(settings, device)
        trainer.network.load_state_dict(state["network"])
        trainer.average.load_state_dict(state["average"])
        trainer.reader.load_state_dict(state["reader"])
        for optimiser, saved in zip(trainer.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        trainer.steps_done, trainer.seconds = state["steps_done"], state["seconds"]
        return trainer


def _weights(settings: TrainingSettings) -> dict[str, Tensor]:
    """The weights that a run starts from.

    Raises:
        CheckpointError: they are of another size than the settings'.
    """
    loaded = load_checkpoint(str(settings.start_from))
    if loaded.config != settings.model:
        problem = "its network is not of the size that the settings name"
        raise CheckpointError(
            loaded.name, problem, "Give the settings its `model`, or other weights"
        )
    return loaded.network.state_dict()


def batches(settings: TrainingSettings, first_step: int) -> Iterator[Batch]:
    """The batches of the steps from `first_step` on, rendered ahead in a thread."""
    with ThreadPoolExecutor(1) as pool:
        ahead = [
            pool.submit(training_batch, settings, step)
            for step in range(first_step, min(first_step + _AHEAD, settings.steps))
        ]
        for step in range(first_step, settings.steps):
            batch = ahead.pop(0).result()
            if step + _AHEAD < settings.steps:
                ahead.append(pool.submit(training_batch, settings, step + _AHEAD))
            yield batch
