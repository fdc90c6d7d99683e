"""From committed clips to scores: truth fed as the answer is perfect, known errors are as known."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from easi3r.evaluation.examination import OURS
from easi3r.evaluation.region_scores import score_regions
from easi3r.evaluation.sequence import VOID, LeftOut, TrueSequence
from easi3r.evaluation.sequence_files import write_results
from easi3r.evaluation.sequence_runs import Evaluation, annotate_sequences
from easi3r.evaluation.sequence_scores import SequenceResult
from easi3r.evaluation.sequence_scoring import score_sequence
from easi3r.synthetic import RenderedClip
from tests.evaluation.true_sequences import (
    HEIGHT,
    SETTINGS,
    WIDTH,
    TruthEngine,
    give_answer,
    rendered,
    sequence_of,
)

FRAMES = 10
CLIP = rendered(frames=FRAMES)


def result_of(
    tmp_path: Path, sequence: TrueSequence, answer: RenderedClip, **values: object
) -> SequenceResult:
    evaluation = Evaluation(tmp_path / "out", SETTINGS, "paper", TruthEngine)
    evaluation = replace(evaluation, **values)  # type: ignore[arg-type]
    give_answer(answer, evaluation.out / "videos" / f"{sequence.name}.mkv")
    (annotated,) = annotate_sequences([sequence], evaluation)
    assert annotated.problem == ""
    return score_sequence(annotated, evaluation)


def test_truth_as_the_answer_is_perfect(tmp_path: Path) -> None:
    result = result_of(tmp_path, sequence_of(CLIP, dataset="dycheck"), CLIP)
    ours = result.values[OURS]
    for key in ("jf", "j_mean", "j_recall", "f_mean", "f_recall", "delta_1_25"):
        assert ours[key] == 1, key
    for key in (
        "ate", "rpe_translation", "rpe_rotation_deg", "abs_rel", "abs_rel_per_frame",
        "accuracy", "accuracy_median", "completeness", "completeness_median",
        "distance", "distance_median",
    ):  # fmt: skip
        assert ours[key] == pytest.approx(0, abs=1e-5 if "rot" in key else 1e-6), key
    assert result.notes == ()
    assert {"video", "scores", "baselines", "pictures"} == set(result.seconds)


def test_every_figure_stands_beside_a_baselines(tmp_path: Path) -> None:
    values = result_of(tmp_path, sequence_of(CLIP, dataset="dycheck"), CLIP).values
    for method in ("all dynamic", "empty masks", "frame difference", "flow vs homography"):
        assert 0 <= values[method]["jf"] < 1
    assert values["static camera"]["ate"] > values[OURS]["ate"]
    assert values["constant velocity"]["ate"] > values[OURS]["ate"]
    assert values["constant depth"]["abs_rel"] > 0.05
    assert values["constant depth"]["distance"] > 0.05
    baselines = [one for method, one in values.items() if method != OURS]
    assert all(any(key in one for one in baselines) for key in values[OURS])


def shifted(clip: RenderedClip) -> RenderedClip:
    masks = np.zeros_like(clip.dynamic_mask)
    masks[:, :, 3:] = clip.dynamic_mask[:, :, :-3]
    return replace(clip, dynamic_mask=masks)


def turned(clip: RenderedClip) -> RenderedClip:
    poses = clip.camera_to_world.copy()
    poses[4, :3, :3] = poses[4, :3, :3] @ Rotation.from_euler("y", 5, degrees=True).as_matrix()
    return replace(clip, camera_to_world=poses)


def scaled(clip: RenderedClip) -> RenderedClip:
    poses = clip.camera_to_world.copy()
    poses[:, :3, 3] *= 2.5
    return replace(clip, camera_to_world=poses, depth=clip.depth * 2.5)


def test_known_errors_give_their_known_scores(tmp_path: Path) -> None:
    """A mask off by 3 px, a turn of 5 degrees and a world of another size, all in one answer."""
    sequence = sequence_of(CLIP)
    answer = shifted(turned(scaled(CLIP)))
    ours = result_of(tmp_path, sequence, answer).values[OURS]
    inner = range(1, FRAMES - 1)  # DAVIS leaves out the ends
    expected = []
    for frame in inner:
        a, b = answer.dynamic_mask[frame], CLIP.dynamic_mask[frame]
        expected.append(np.sum(a & b) / np.sum(a | b) if (a | b).any() else 1.0)
    assert ours["j_mean"] == pytest.approx(np.mean(expected), abs=1e-12)
    assert ours["j_mean"] < 0.95
    scores = score_regions((answer.dynamic_mask[f], sequence.motion(f)) for f in inner)
    assert ours["f_mean"] == pytest.approx(scores.boundary.mean, abs=1e-12)
    assert ours["ate"] == pytest.approx(0, abs=1e-6)
    assert ours["rpe_rotation_deg"] == pytest.approx(5 * math.sqrt(2 / (FRAMES - 1)), abs=1e-6)
    assert ours["abs_rel"] == pytest.approx(0, abs=1e-6)


def test_masks_are_judged_and_written_at_the_sources_pixels(tmp_path: Path) -> None:
    """The crop loses two rows above and below: what moves there is missed, and the PNG is whole."""
    high = HEIGHT + 4
    full = np.ones((FRAMES, high, WIDTH), bool)
    images = np.pad(CLIP.images, ((0, 0), (2, 2), (0, 0), (0, 0)))
    sequence = replace(
        sequence_of(CLIP),
        height=high,
        image=images.__getitem__,
        motion=full.astype(np.uint8).__getitem__,
        depth=lambda _: None,
    )
    answer = replace(CLIP, dynamic_mask=np.ones_like(CLIP.dynamic_mask))
    ours = result_of(tmp_path, sequence, answer).values[OURS]
    assert ours["j_mean"] == pytest.approx(HEIGHT / high)
    assert "abs_rel" not in ours
    folder = tmp_path / "out" / "masks" / "scene"
    assert sorted(one.name for one in folder.iterdir()) == [f"{f:05d}.png" for f in range(FRAMES)]
    with Image.open(folder / "00003.png") as image:
        values = np.asarray(image)
    assert values.shape == (high, WIDTH)
    assert (values[2:-2] == 255).all()
    assert not values[:2].any()
    with Image.open(tmp_path / "out" / "pictures" / "scene.png") as sheet:
        assert sheet.width > 500


def ramp(height: int, width: int) -> np.ndarray:
    """A wall that recedes, in images of any size."""
    return np.tile(1 + (np.arange(width, dtype=np.float32) + 0.5) / width, (height, 1))


def test_truth_of_some_frames_is_enough(tmp_path: Path) -> None:
    """Masks every third frame, void beside them; a lost pose; depth of half the size, once."""
    whole = sequence_of(CLIP, dataset="real")
    poses = CLIP.camera_to_world.astype(np.float64).copy()
    poses[3] = np.nan

    def motion(place: int) -> np.ndarray | None:
        truth = whole.motion(place)
        assert truth is not None
        truth = truth.copy()
        truth[:, :10] = VOID
        return None if place % 3 else truth

    def depth(place: int) -> np.ndarray | None:
        return ramp(HEIGHT // 2, WIDTH // 2) if place == 5 else None

    left_out = (LeftOut("frame 3", "its pose is lost"),)
    sequence = replace(whole, motion=motion, depth=depth, camera_to_world=poses, left_out=left_out)
    wrong = CLIP.dynamic_mask.copy()
    wrong[[1, 2, 4, 5, 7, 8]] ^= True
    wrong[:, :, :10] = True
    slope = np.stack([ramp(HEIGHT, WIDTH)] * FRAMES)
    result = result_of(tmp_path, sequence, replace(CLIP, dynamic_mask=wrong, depth=slope))
    ours = result.values[OURS]
    assert ours["j_mean"] == 1
    assert ours["ate"] == pytest.approx(0, abs=1e-6)
    assert 0 < ours["abs_rel"] < 0.005  # half a pixel of the ramp
    assert result.left_out == left_out


def test_clips_join_under_annotate(tmp_path: Path) -> None:
    """Masks by owned frames; cameras and depth of every clip in its own world."""
    values = SETTINGS.model_dump()
    values["sampling"] = {"clip_frames": 6, "overlap_frames": 3}
    settings = type(SETTINGS).parse(values)
    result = result_of(tmp_path, sequence_of(CLIP), CLIP, settings=settings, protocol="annotate")
    assert result.clips == 3
    ours = result.values[OURS]
    assert ours["j_mean"] == ours["f_mean"] == 1
    assert ours["ate"] == pytest.approx(0, abs=1e-6)
    assert ours["abs_rel"] == pytest.approx(0, abs=1e-6)


def test_frames_that_the_settings_skip_are_counted(tmp_path: Path) -> None:
    values = SETTINGS.model_dump()
    values["sampling"] = {"clip_frames": 6, "frame_stride": 2}
    settings = type(SETTINGS).parse(values)
    result = result_of(tmp_path, sequence_of(CLIP), CLIP, settings=settings, protocol="annotate")
    assert result.notes == (f"{FRAMES // 2} of {FRAMES} frames annotated",)
    assert result.values[OURS]["j_mean"] == 1


def test_a_still_camera_has_no_error_and_a_note(tmp_path: Path) -> None:
    still = np.tile(np.eye(4), (FRAMES, 1, 1))
    sequence = replace(sequence_of(CLIP, dataset="dycheck"), camera_to_world=still)
    result = result_of(tmp_path, sequence, CLIP)
    assert math.isnan(result.values[OURS]["ate"])
    assert math.isnan(result.values[OURS]["distance"])
    assert "cameras: the true camera stands still" in result.notes
    files = write_results([result], {}, (), tmp_path / "out")
    scores = json.loads(files[0].read_text())
    assert scores["sequences"][0]["values"][OURS]["ate"] is None
    assert "ate" not in scores["means"][OURS]


def test_truth_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    from easi3r.errors import TruthError

    def broken(place: int) -> np.ndarray:
        raise TruthError("00003.png", "cannot be read", "Restore the file")

    sequence = replace(sequence_of(CLIP), motion=broken)
    result = result_of(tmp_path, sequence, CLIP)
    assert result.problem.startswith("truth: 00003.png: cannot be read")
    assert result.values == {}
