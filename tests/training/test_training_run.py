"""A toy run learns, can be interrupted, and exports what the model room loads."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from easi3r.errors import CheckpointError
from easi3r.model import load_checkpoint, normalise
from easi3r.training.batches import training_batch
from easi3r.training.curves import draw
from easi3r.training.trainer import STATE_FILE, Trainer, batches
from easi3r.training.training_run import FIGURES_FILE, LOG_FILE, export, run
from easi3r.training.training_settings import TrainingSettings

CPU = torch.device("cpu")


def train(settings: TrainingSettings, folder: Path, steps: int) -> Trainer:
    """Up to `steps`, going on from the folder's checkpoint where there is one."""
    state = folder / STATE_FILE
    trainer = Trainer.resume(state, settings, CPU) if state.exists() else Trainer(settings, CPU)
    for batch in batches(settings, trainer.steps_done):
        if trainer.steps_done == steps:
            break
        trainer.step(batch)
    trainer.save(folder)
    return trainer


def test_an_interrupted_run_ends_with_the_same_weights(
    tiny: TrainingSettings, tmp_path: Path
) -> None:
    whole = train(tiny, tmp_path / "whole", 6)
    train(tiny, tmp_path / "pieces", 2)
    train(tiny, tmp_path / "pieces", 5)
    pieces = train(tiny, tmp_path / "pieces", 6)
    for before, after in ((whole.network, pieces.network), (whole.average, pieces.average)):
        for name, tensor in before.state_dict().items():
            assert torch.equal(tensor, after.state_dict()[name]), name


def test_every_trained_tensor_gets_a_gradient(tiny: TrainingSettings) -> None:
    trainer = Trainer(tiny, CPU)
    before = {name: p.clone() for name, p in trainer.network.named_parameters()}
    for step in range(2):
        trainer.step(training_batch(tiny, step))
    unchanged = [n for n, p in trainer.network.named_parameters() if torch.equal(p, before[n])]
    assert unchanged == ["mask_token"]


def test_the_loss_falls(tiny: TrainingSettings) -> None:
    trainer = Trainer(tiny, CPU)
    batch = training_batch(tiny, 0)
    losses = [trainer.step(batch) for _ in range(40)]
    for term in ("points", "ray", "match", "motion"):
        first, last = (float(getattr(loss, term).detach()) for loss in (losses[0], losses[-1]))
        assert last < 0.8 * first, term


@pytest.fixture(scope="module")
def finished(tiny: TrainingSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of 18 steps, made in two calls."""
    folder = tmp_path_factory.mktemp("run")
    settings = tiny.model_copy(update={"steps": 18})
    (folder / "settings.json").write_text(settings.model_dump_json())
    messages: list[str] = []
    for hours in (0.0, 1.0):  # the first call stops after one step
        run(settings, folder, CPU, hours, 9, 9, 4, messages.append)
    assert any("step 1 of 18" in line for line in messages)
    return folder


def test_logs_hold_each_step_once_with_baselines(finished: Path) -> None:
    with (finished / LOG_FILE).open() as file:
        steps = list(csv.DictReader(file))
    with (finished / FIGURES_FILE).open() as file:
        figures = list(csv.DictReader(file))
    assert [row["step"] for row in steps] == ["9", "18"]
    assert [row["step"] for row in figures] == ["9", "18"]
    assert int(steps[-1]["pairs"]) == 18 * 24
    for name in ("abs_rel_constant", "rotation_identity", "match_chance", "match"):
        assert np.isfinite(float(figures[-1][name])), name


def test_no_checkpoint_counts_a_step_before_its_rows_are_written(
    tiny: TrainingSettings, tmp_path: Path
) -> None:
    """A run killed between the two would otherwise go on without those rows."""
    saved_steps: list[int] = []

    def report(line: str) -> None:
        state = tmp_path / STATE_FILE
        if line.startswith("held out"):
            saved = torch.load(state, weights_only=True)["steps_done"] if state.exists() else 0
            saved_steps.append(saved)

    run(tiny.model_copy(update={"steps": 4}), tmp_path, CPU, 1.0, 2, 1, 2, report)
    assert saved_steps == [1, 3], "while the figures of steps 2 and 4 were reported"


def test_curves_are_drawn(finished: Path, tmp_path: Path) -> None:
    draw(finished, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_exported_weights_load_and_predict_the_same(finished: Path, tmp_path: Path) -> None:
    weights = tmp_path / "small.safetensors"
    trainer = export(finished, weights)
    loaded = load_checkpoint(str(weights))
    assert loaded.licence == "Apache-2.0"
    assert loaded.config == trainer.settings.model
    images = normalise(training_batch(trainer.settings, 0).images[:2])
    edges = np.array([[0, 1], [1, 0]])
    with torch.no_grad():
        ours, _ = trainer.average.predict(trainer.average.encode(images), edges)
        theirs, _ = loaded.network.predict(loaded.network.encode(images), edges)
    spread = ours.points_2.std()
    assert (theirs.points_2 - ours.points_2).abs().max() < 0.02 * spread  # weights are float16


def test_a_run_of_another_seed_is_not_resumed(tiny: TrainingSettings, tmp_path: Path) -> None:
    path = Trainer(tiny, CPU).save(tmp_path)
    other = tiny.model_copy(update={"seed": 1})
    with pytest.raises(CheckpointError, match="network or seed"):
        Trainer.resume(path, other, CPU)
    with pytest.raises(CheckpointError, match="no such file"):
        Trainer.resume(tmp_path / "missing.pt", tiny, CPU)
