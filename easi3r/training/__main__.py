"""`python -m easi3r.training --out DIR --seed 0 --steps 5000 --hours 1.5`."""

import json
from pathlib import Path
from typing import Annotated

import torch
import typer

from easi3r.training.training_run import run
from easi3r.training.training_settings import TrainingSettings


def main(
    out: Annotated[
        Path, typer.Option(help="folder of logs and checkpoint; resumed if it holds one")
    ],
    seed: int = 0,
    steps: int = 5000,
    hours: Annotated[float, typer.Option(help="stop after so long; run again to go on")] = 24.0,
    settings: Annotated[str, typer.Option(help="JSON of further TrainingSettings")] = "{}",
    device: str = "cuda" if torch.cuda.is_available() else "cpu",
    threads: Annotated[int, typer.Option(help="CPU threads of the network")] = 1,
    validate_every: int = 400,
    save_every: int = 50,
    held_out_scenes: int = 24,
) -> None:
    """Trains a small DUSt3R on procedural scenes."""
    torch.set_num_threads(threads)
    chosen = TrainingSettings.model_validate(json.loads(settings) | {"seed": seed, "steps": steps})
    out.mkdir(parents=True, exist_ok=True)
    (out / "settings.json").write_text(chosen.model_dump_json(indent=2))
    run(
        chosen,
        out,
        torch.device(device),
        hours,
        validate_every,
        save_every,
        held_out_scenes,
        lambda line: print(line, flush=True),
    )


if __name__ == "__main__":
    typer.run(main)
