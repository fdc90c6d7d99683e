"""`easi3r evaluate` as one person uses it, on clips of a few frames."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from easi3r.cli.app import app
from easi3r.evaluation.benchmark_clips import Kind
from easi3r.evaluation.figures import FIGURES
from easi3r.motion.cues import FEATURES
from tests.evaluation.true_sequences import rendered
from tests.replicas.clips import save

KINDS = {kind.value for kind in Kind}


def test_synthetic_scores_every_kind_and_draws_it(tmp_path: Path) -> None:
    arguments = ["evaluate", "synthetic", "--clips", "1", "--frames", "4", "4"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["run"]["weights"] == "nano"
    assert set(scores["figures"]) == KINDS | {"all"}
    assert {one["group"] for one in scores["clips"]} == KINDS
    assert all(one["frames"] == 4 for one in scores["clips"])
    baselines = {"all dynamic", "empty masks", "frame difference", "flow vs homography"}
    cues = {"cue attention", "cue flow", "cue match"}
    assert {"ours", *cues, *baselines} <= set(scores["figures"]["all"]["jm"])
    assert "masks JM ↑" in done.output
    for figure in FIGURES:
        if not figure.key.endswith("6+"):  # clips this short have no such pairs
            assert "ours" in scores["figures"]["all"][figure.key], figure.key
    for kind in KINDS:
        with Image.open(tmp_path / f"{kind.replace(' ', '-')}.png") as sheet:
            assert sheet.width > 500
    assert (
        sorted(path.suffix for path in (tmp_path / "videos").iterdir())
        == [".mp4"] * 4 + [".npz"] * 4
    )


def evaluate_real(folder: Path, out: Path, *options: str) -> tuple[str, dict[str, Any]]:
    arguments = ["evaluate", "real", str(folder), "--frames", "4", "--out", str(out)]
    done = CliRunner().invoke(app, [*arguments, *options])
    assert done.exit_code == 0, done.output
    return done.output, json.loads((out / "scores.json").read_text())["figures"]


def test_real_scores_masks(shared: Path, tmp_path: Path) -> None:
    output, figures = evaluate_real(shared / "videos" / "real", tmp_path)
    swan = figures["blackswan"]
    assert 0.05 < swan["jm"]["all dynamic"] < 0.2
    assert "ate" not in swan
    assert "Masks, 1 of 1 sequences" in output
    assert "cue flow" in output


def test_real_scores_poses_and_depth_of_a_still_scene(shared: Path, tmp_path: Path) -> None:
    output, figures = evaluate_real(shared / "videos" / "rgbd_7scenes", tmp_path)
    kitchen = figures["rgbd_7scenes/rgbd-frames"]
    assert kitchen["false_positive_share"]["all dynamic"] == 1
    assert kitchen["ate_over_static"]["static camera"] == 1
    assert 0 < kitchen["abs_rel"]["ours"] < 1
    assert "share of pixels called dynamic" in output
    for title in ("Masks", "Cameras", "Depth"):
        assert f"{title}, 1 of 1 sequences" in output


def test_real_scores_masks_poses_and_depth_of_one_sequence_together(tmp_path: Path) -> None:
    """Depth on some frames, a pose lost, masks on some; `.color.jpg`, `masks/` beside `seq/`."""
    clip = rendered(3, 4)
    folder = tmp_path / "room" / "seq"
    for frame in range(4):
        save(folder / f"frame-{frame:06d}.color.jpg", clip.images[frame])
        pose = clip.camera_to_world[frame] if frame != 2 else np.full((4, 4), -np.inf)
        np.savetxt(folder / f"frame-{frame:06d}.pose.txt", pose)
        if frame < 2:
            depth = (clip.depth[frame].clip(0, 60) * 1000).astype(np.uint16)
            save(folder / f"frame-{frame:06d}.depth.png", depth)
        if frame != 1:
            mask = clip.dynamic_mask[frame].astype(np.uint8) * 255
            save(tmp_path / "room" / "masks" / f"frame-{frame:06d}.png", mask)
    np.savetxt(folder.parent / "camera-intrinsics.txt", clip.intrinsics[0])
    output, figures = evaluate_real(tmp_path / "room", tmp_path / "out")
    (scores,) = (value for name, value in figures.items() if name != "all")
    assert {"jm", "ate", "abs_rel"} <= scores.keys()
    for title in ("Masks", "Cameras", "Depth"):
        assert f"{title}, 1 of 1 sequences" in output
    assert "left out" in output


def test_required_figures_that_are_missed_end_in_1(shared: Path, tmp_path: Path) -> None:
    folder = shared / "videos" / "rgbd_7scenes"
    arguments = ["evaluate", "real", str(folder), "--frames", "3", "--require"]
    everything_moves = {
        "coefficients": [0.0] * FEATURES,
        "intercept": 5.0,
        "threshold": 0.1,
        "certain": 0.1,
    }
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"motion": {"calibration": everything_moves}}))
    where = ["--settings", str(settings), "--out", str(tmp_path)]
    done = CliRunner().invoke(app, [*arguments, *where])
    assert done.exit_code == 1, done.output
    required = json.loads((tmp_path / "scores.json").read_text())["required"]
    assert not all(one["meets_must"] for one in required)


def test_a_sequence_that_cannot_be_scored_is_named_and_the_others_go_on(
    shared: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "sequences"
    shutil.copytree(shared / "videos" / "rgbd_7scenes", folder / "kitchen")
    broken = folder / "broken"
    broken.mkdir()
    for suffix in ("color.png", "depth.png", "pose.txt"):
        for frame in range(3):
            (broken / f"frame-{frame:06d}.{suffix}").write_bytes(b"no picture")
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app, ["evaluate", "real", str(folder), "--frames", "3", "--out", str(out)]
    )
    assert done.exit_code == 1, done.output
    scores = json.loads((out / "scores.json").read_text())
    (name,) = scores["run"]["not_scored"]
    assert name.endswith("broken")
    assert "(truth)" in done.output
    (scored,) = scores["clips"]
    assert scored["name"].endswith("kitchen/rgbd-frames")


@pytest.mark.parametrize("option", [["--focal-px", "500"], ["--principal-px", "1", "2"]])
def test_half_a_calibration_is_refused(tmp_path: Path, option: list[str]) -> None:
    done = CliRunner().invoke(app, ["evaluate", "real", str(tmp_path), *option])
    assert done.exit_code == 2
    assert "together" in done.output
