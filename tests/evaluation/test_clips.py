"""A clip as the store gives it, scored against the truth it was made from."""

import dataclasses
import io

import numpy as np
import pytest
import xarray as xr
from rich.console import Console

from easi3r.evaluation import ClipScores, Truth, evaluate_clip, resample_truth, scores_table
from easi3r.geometry import centred_intrinsics
from easi3r.video import fit_size

SOURCE_HEIGHT, SOURCE_WIDTH, SOURCE_FRAMES = 64, 96, 12
FRAMES = np.array([2, 5, 6, 11])
# Half the size, then two stored columns cropped on the left.
HALF_AND_CROP = np.array([[0.5, 0, -2.25], [0, 0.5, -0.25], [0, 0, 1]])


@pytest.fixture(scope="module")
def truth() -> Truth:
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(SOURCE_WIDTH), np.arange(SOURCE_HEIGHT))
    time = np.arange(SOURCE_FRAMES)[:, None, None]
    depth = 3 + np.sin(x / 15 + time / 4) + np.cos(y / 11)
    camera_to_world = np.tile(np.eye(4), (SOURCE_FRAMES, 1, 1))
    camera_to_world[:, :3, 3] = np.cumsum(rng.normal(0.1, 0.1, (SOURCE_FRAMES, 3)), axis=0)
    intrinsics = centred_intrinsics(80.0, SOURCE_WIDTH, SOURCE_HEIGHT)
    return Truth(
        depth=depth.astype(np.float32),
        camera_to_world=camera_to_world,
        intrinsics=np.tile(intrinsics, (SOURCE_FRAMES, 1, 1)),
        dynamic_mask=(np.abs(x - 20 - 3 * time) < 12) & (np.abs(y - 30) < 14),
        objects=(np.abs(y - 30) < 14) & (time >= 0),
    )


def perfect_clip(truth: Truth) -> xr.Dataset:
    """What an annotation without error would store, at 32 x 44 pixels."""
    stored = resample_truth(truth, FRAMES, HALF_AND_CROP, 32, 44)
    score = stored.dynamic_mask.reshape(4, 8, 4, 11, 4).mean(axis=(2, 4)).astype(np.float32)
    return xr.Dataset(
        {
            "dynamic_mask": (("time", "y", "x"), stored.dynamic_mask),
            "dynamic_score": (("time", "token_y", "token_x"), score),
            "depth": (("time", "y", "x"), 4 * stored.depth),
            "camera_to_world": (("time", "pose_row", "pose_column"), scaled(stored, 4)),
            "intrinsics": (("time", "intrinsics_row", "intrinsics_column"), stored.intrinsics),
        },
        coords={"time": FRAMES / 30, "frame_index": ("time", FRAMES)},
        attrs={"clip_id": "ab" * 16, "source_to_stored": HALF_AND_CROP.tolist()},
    )


def scaled(truth: Truth, factor: float) -> np.ndarray:
    poses = truth.camera_to_world.copy()
    poses[:, :3, 3] *= factor
    return poses


def test_truth_is_read_at_the_frames_and_pixels_of_the_clip(truth: Truth) -> None:
    stored = resample_truth(truth, FRAMES, HALF_AND_CROP, 32, 44)
    # Stored (x, y) = (3, 5) lies at source (10.5, 10.5).
    assert stored.depth[1, 5, 3] in truth.depth[5, 10:12, 10:12]
    assert stored.intrinsics[0].tolist() == [[40, 0, 21.75], [0, 40, 15.75], [0, 0, 1]]
    np.testing.assert_array_equal(stored.camera_to_world, truth.camera_to_world[FRAMES])


def test_beside_the_picture_nothing_is_known(truth: Truth) -> None:
    fit = fit_size(SOURCE_WIDTH, SOURCE_HEIGHT - 8, 1.0, 48, 16, "pad")
    assert fit.padding == (0, 2, 0, 2)
    shorter = dataclasses.replace(
        truth, depth=truth.depth[:, 8:], dynamic_mask=~truth.dynamic_mask[:, 8:], objects=None
    )
    stored = resample_truth(shorter, FRAMES, fit.source_to_stored, 32, 48)
    picture = fit.padding.picture(32, 48)
    assert (stored.depth[:, picture] > 0).all()
    assert not stored.depth[:, ~picture].any()
    assert not stored.dynamic_mask[:, ~picture].any()
    assert stored.dynamic_mask[:, picture].any()


def test_a_perfect_clip_scores_perfectly_in_any_scale(truth: Truth) -> None:
    scores = evaluate_clip(perfect_clip(truth), truth)
    assert scores.clip_id == "ab" * 16
    ours = scores.ours
    assert (ours.masks.jaccard_mean, ours.masks.jaccard_recall) == (1, 1)
    assert ours.masks.auc > 0.95
    assert ours.masks.auc_objects > 0.9
    assert ours.masks.false_positive_share == 0
    assert ours.trajectory.ate == pytest.approx(0, abs=1e-7)
    assert ours.depth.abs_rel == pytest.approx(0, abs=1e-6)
    assert ours.points.distance == pytest.approx(0, abs=1e-5)


def test_scores_of_the_baselines(truth: Truth) -> None:
    scores = evaluate_clip(perfect_clip(truth), truth)
    stored = resample_truth(truth, FRAMES, HALF_AND_CROP, 32, 44)
    moving = stored.dynamic_mask.mean(axis=(1, 2))
    assert 0 < moving.min() < 0.5
    assert scores.all_moving.jaccard_mean == pytest.approx(moving.mean())
    assert scores.still.masks.jaccard_mean == 0
    assert scores.still.masks.auc == 0.5
    centres = stored.camera_to_world[:, :3, 3]
    spread = np.sqrt(((centres - centres.mean(axis=0)) ** 2).sum(axis=1).mean())
    assert scores.still.trajectory.ate == pytest.approx(spread)
    constant = np.median(1 / stored.depth)
    error = np.abs(1 / stored.depth / constant - 1).mean()
    assert scores.still.depth.abs_rel == pytest.approx(error, rel=1e-5)
    assert scores.still.points.distance > 0.1


def test_truth_that_is_too_short_is_refused(truth: Truth) -> None:
    short = Truth(*(getattr(truth, field.name)[:8] for field in dataclasses.fields(truth)))
    with pytest.raises(ValueError, match="frame 11, the truth has 8"):
        evaluate_clip(perfect_clip(truth), short)


def rendered(clips: list[ClipScores]) -> dict[str, list[str]]:
    text = io.StringIO()
    Console(file=text, width=120).print(scores_table(clips))
    lines = text.getvalue().splitlines()
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if "│" in line]
    return {row[0]: row[1:] for row in rows}


def test_table_shows_ours_beside_baselines(truth: Truth) -> None:
    clip = perfect_clip(truth)
    half = clip.assign(dynamic_mask=clip.dynamic_mask & (clip.frame_index > 5))
    rows = rendered([evaluate_clip(clip, truth), evaluate_clip(half, truth)])
    assert rows["mask JM ↑"][:2] == ["0.750", "0.000"]
    assert rows["mask JM ↑"][3] == "2 of 2"
    assert rows["camera ATE (truth's unit) ↓"][0] == "0.000"
    assert rows["depth abs-rel ↓"][2:] == ["-", "2 of 2"]


def test_table_leaves_out_clips_without_a_figure(truth: Truth) -> None:
    still = dataclasses.replace(truth, camera_to_world=np.tile(np.eye(4), (SOURCE_FRAMES, 1, 1)))
    clip = perfect_clip(truth)
    rows = rendered([evaluate_clip(clip, still)])
    assert rows["camera ATE (truth's unit) ↓"] == ["-", "-", "-", "0 of 0"]
