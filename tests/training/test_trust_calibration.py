"""Calibration of trust: what is fitted, and by what each clip is judged."""

import math
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from easi3r.evaluation.benchmark_clips import FIRST_SEED as BENCHMARK_SEED
from easi3r.training.calibration import FIRST_SEED as MOTION_SEED
from easi3r.training.trust_calibration import (
    DEPTH_INPUTS,
    PATH_INPUTS,
    fit,
    held_out_trusts,
    report_of,
    trusts_of,
)
from easi3r.training.trust_clips import FIRST_SEED, Kind, KnownScene, rendered_clips
from easi3r.training.trust_records import TrustRecord, error_ratios, read_records
from easi3r.types import Reconstruction

FRAMES = 6


def records(count: int) -> list[TrustRecord]:
    """Clips whose path is good where `half_bend_agreement` is, and whose depth always is."""
    rng = np.random.default_rng(0)
    names = {one.figure for one in (*PATH_INPUTS, *DEPTH_INPUTS)}
    made = []
    for number in range(count):
        figures = {name: float(rng.uniform(1, 2)) for name in sorted(names)}
        agreement = float(rng.uniform(-1, 1))
        noise = float(rng.normal(0, 0.3))
        made.append(
            TrustRecord(
                name=f"clip-{number}",
                world=f"world-{number // 2}",
                kind="ordinary",
                weights_sha256="a" * 64,
                figures=figures | {"half_bend_agreement": agreement},
                path_ratio=math.exp(noise - agreement),
                depth_ratio=0.5 if number % 8 else 1.5,
            )
        )
    return made


def test_trust_follows_what_decides_the_errors() -> None:
    clips = records(200)
    calibration = fit(clips, 7, "nothing real")
    assert (calibration.version, calibration.weights_sha256) == (7, "a" * 64)
    report = report_of(clips, held_out_trusts(clips))
    assert report.clips == 200
    assert report.worlds == 100
    assert report.correlation > 0.4
    assert report.auc > 0.75
    assert report.calibration_error < 0.15
    installed = report_of(clips, trusts_of(clips, calibration))
    assert installed.auc > report.auc - 0.05


def test_weights_are_not_mixed() -> None:
    clips = records(20)
    clips[3] = clips[3].model_copy(update={"weights_sha256": "b" * 64})
    with pytest.raises(ValueError, match="unpack"):
        fit(clips, 1, "")


def test_records_survive_a_file(tmp_path: Path) -> None:
    clips = records(3)
    path = tmp_path / "clips.jsonl"
    path.write_text("".join(clip.model_dump_json() + "\n" for clip in clips))
    assert read_records(path) == clips


def test_rendered_clips_are_nobody_elses() -> None:
    clips = [*islice(rendered_clips(), 40)]
    assert {clip.kind for clip in clips} == {kind.value for kind in Kind}
    assert len({clip.world for clip in clips}) == 40
    assert FIRST_SEED > MOTION_SEED + 1000 > BENCHMARK_SEED


def scene(still: bool = False) -> tuple[Reconstruction, KnownScene]:
    """A camera on a bent path (or none), and its perfect reconstruction at another scale."""
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    if not still:
        poses[:, 0, 3] = np.arange(FRAMES)
        poses[:, 1, 3] = np.arange(FRAMES) ** 2 / 5
    depth = np.linspace(1, 3, FRAMES * 64).reshape(FRAMES, 8, 8).astype(np.float32)
    scaled = poses.copy()
    scaled[:, :3, 3] *= 2
    confidence = np.ones_like(depth)
    intrinsics = np.tile(np.eye(3), (FRAMES, 1, 1))
    made = Reconstruction(scaled, intrinsics, 2 * depth, confidence, np.zeros(1), {})
    return made, KnownScene(poses, depth)


def test_the_truth_at_another_scale_has_no_error() -> None:
    path, depth = error_ratios(*scene())
    assert path == pytest.approx(0, abs=1e-6)
    assert depth == pytest.approx(0, abs=1e-6)


def test_a_straight_line_and_one_depth_are_the_trivial_answers() -> None:
    made, known = scene()
    line = np.tile(np.eye(4), (FRAMES, 1, 1))
    line[:, 2, 3] = np.arange(FRAMES)
    trivial = Reconstruction(
        line, made.intrinsics, np.ones_like(made.depth), made.confidence, np.zeros(1), {}
    )
    path, depth = error_ratios(trivial, known)
    assert path == pytest.approx(1)
    assert depth == pytest.approx(1)


def test_a_still_camera_is_judged_by_its_drift() -> None:
    made, known = scene(still=True)
    assert error_ratios(made, known)[0] == 0
    poses = made.camera_to_world.copy()
    poses[::2, 0, 3] = 2 * 2 * 0.02 * 2  # +- 2 % of the median depth of 2, at twice the scale
    drifting = Reconstruction(poses, made.intrinsics, made.depth, made.confidence, np.zeros(1), {})
    assert error_ratios(drifting, known)[0] == pytest.approx(1)


def test_without_true_depth_there_is_no_depth_ratio() -> None:
    made, known = scene()
    unknown = KnownScene(known.camera_to_world, np.zeros_like(known.depth))
    assert error_ratios(made, unknown)[1] is None
