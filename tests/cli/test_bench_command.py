"""The bench command runs the real thing and its figures add up; no time is judged."""

from dataclasses import replace

import pytest
import torch
from pydantic import TypeAdapter
from typer.testing import CliRunner

from easi3r.cli.app import app
from easi3r.config import Precision, Settings
from easi3r.cost.operations import ClipWork
from easi3r.evaluation.speed import BenchFigures, bench, peak_memory_bytes, random_model
from tests.model.sizes import TINY


def test_a_bench_of_the_embedded_weights() -> None:
    run = CliRunner().invoke(
        app, ["bench", "--clip-frames", "4", "--long-side", "64", "--repeats", "1", "--json"]
    )
    assert run.exit_code == 0, run.output
    assert "2/2 clips" in run.stderr
    assert "ETA" in run.stderr
    figures = TypeAdapter(BenchFigures).validate_json(run.stdout)
    assert (figures.frames, figures.width, figures.weights) == (4, 64, "nano")
    names = {"decode", "encoder", "pass 1", "segmentation", "pass 2", "alignment", "encode"}
    assert names < {stage.stage for stage in figures.stages}
    assert sum(stage.share for stage in figures.stages) == pytest.approx(1)
    assert figures.projected_bytes > 0


@pytest.mark.parametrize(("head", "precision"), [("dpt", "float32"), ("linear", "bfloat16")])
def test_random_weights_do_all_their_work_and_can_be_aligned(
    head: str, precision: Precision
) -> None:
    config = replace(TINY, head=head)
    settings = Settings.parse(
        {
            "sampling": {"clip_frames": 4},
            "video": {"long_side_px": 96},
            "model": {"precision": precision},
        }
    )
    device = torch.device("cpu")
    before = peak_memory_bytes(device)
    figures = bench(random_model(config, device, precision), settings, range(2), before)
    work = ClipWork.of(config, settings, figures.frames, figures.height, figures.width)
    assert figures.network_flops == work.network_flops
    assert {"alignment", "write, verify, commit"} < {one.stage for one in figures.stages}
