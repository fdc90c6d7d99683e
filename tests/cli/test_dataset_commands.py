"""`easi3r evaluate davis` and its like as one person uses them, on a folder of a few frames."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from easi3r.cli.app import app
from easi3r.cli.dataset_commands import DATASETS
from tests.evaluation.true_sequences import rendered, write_davis


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    """Three sequences, one of them of a single frame."""
    clips = {"bear": rendered(3, 4), "camel": rendered(4, 4), "single": rendered(5, 1)}
    return write_davis(tmp_path / "DAVIS", clips)


def evaluate(root: Path, out: Path, *options: str) -> tuple[int, str]:
    settings = out.parent / "settings.json"
    settings.write_text(json.dumps({"video": {"long_side_px": 96}, "alignment": {"max_steps": 3}}))
    arguments = ["evaluate", "davis", str(root), "--settings", str(settings), "--out", str(out)]
    done = CliRunner().invoke(app, [*arguments, *options])
    return done.exit_code, done.output


def test_a_data_set_is_scored_and_the_second_call_computes_nothing(
    davis: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, output = evaluate(davis, out)
    assert code == 1  # the single frame
    assert (
        "2 committed, 0 skipped, 1 quarantined" in output.replace("\n", " ")
        or "2 committed" in output
    )
    assert "Masks, 2 of 3 sequences" in output
    assert "single (too_few_frames)" in output
    assert "mean, flow vs homography" in output
    scores = json.loads((out / "scores.json").read_text())
    assert scores["run"]["weights"] == "nano"
    assert [one["name"] for one in scores["sequences"]] == ["bear", "camel", "single"]
    assert (out / "global_results-val.csv").is_file()
    with Image.open(out / "masks" / "bear" / "00002.png") as image:
        assert set(np.unique(np.asarray(image))) <= {0, 255}
        assert image.size == (96, 64)
    assert {one.name for one in (out / "pictures").iterdir()} == {"bear.png", "camel.png"}

    _, again = evaluate(davis, out)
    assert "2 skipped" in again
    assert "committed" not in again.split("2 skipped")[1].split("\n")[0]
    assert json.loads((out / "scores.json").read_text())["means"] == scores["means"]


def test_only_some_sequences(davis: Path, tmp_path: Path) -> None:
    code, output = evaluate(davis, tmp_path / "out", "--sequences", "camel,bear", "--limit", "1")
    assert code == 0, output
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert [one["name"] for one in scores["sequences"]] == ["camel"]


def test_the_annotate_protocol_takes_the_settings_as_they_are(davis: Path, tmp_path: Path) -> None:
    options = ("--protocol", "annotate", "--sequences", "bear")
    code, output = evaluate(davis, tmp_path / "out", *options)
    assert code == 0, output
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert scores["run"]["protocol"] == "annotate"


def test_every_data_set_has_its_command() -> None:
    for dataset in DATASETS:
        done = CliRunner().invoke(app, ["evaluate", dataset, "--help"])
        assert done.exit_code == 0
        assert "--protocol" in done.output


def test_an_unknown_sequence_or_folder_could_not_run(davis: Path, tmp_path: Path) -> None:
    from easi3r.errors import TruthError

    for arguments in (["--sequences", "cow"],):
        done = CliRunner().invoke(app, ["evaluate", "davis", str(davis), *arguments])
        assert isinstance(done.exception, TruthError)
    done = CliRunner().invoke(app, ["evaluate", "davis", str(davis), "--protocol", "other"])
    assert done.exit_code == 2
