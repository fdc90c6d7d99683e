"""Reading real video with ground truth: layouts, masks, poses, depths, and errors."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from easi3r.errors import Easi3RError, FrameSizeError, SettingsError, TruthError
from easi3r.evaluation.sequences import (
    SEVEN_SCENES_INTRINSICS,
    FrameChoice,
    MaskedVideo,
    PosedFolder,
    find_sequences,
    masked_video,
    posed_folder,
    read_masked,
    read_posed,
)
from easi3r.synthetic import SceneSettings, render, sample_scene, write_clip

HEIGHT, WIDTH, FRAMES = 48, 64, 7


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def mask_of(frame: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[8:24, 4 * frame : 4 * frame + 16] = 255
    return mask


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    """`NAME.mp4` with masks beside it, and the same as published: folders of JPEGs and PNGs."""
    scene = render(sample_scene(3, SceneSettings(frames=FRAMES, height=HEIGHT, width=WIDTH)))
    shutil.copy(write_clip(scene, tmp_path / "made", "swan"), tmp_path / "swan.mp4")
    shutil.rmtree(tmp_path / "made")
    for frame in range(FRAMES):
        name = f"{frame:05d}"
        save(tmp_path / "swan_masks" / f"{name}.png", mask_of(frame))
        save(tmp_path / "JPEGImages" / "480p" / "goose" / f"{name}.jpg", scene.images[frame])
        save(tmp_path / "Annotations" / "480p" / "goose" / f"{name}.png", mask_of(frame) // 255)
    return tmp_path


@pytest.fixture
def posed(tmp_path: Path) -> Path:
    """A folder as 7-Scenes has them."""
    folder = tmp_path / "kitchen" / "seq-01"
    for frame in range(FRAMES):
        stem = folder / f"frame-{frame:06d}"
        save(Path(f"{stem}.color.png"), np.full((HEIGHT, WIDTH, 3), 10 * frame, np.uint8))
        depth = np.full((HEIGHT, WIDTH), 1000 + frame, np.uint16)
        depth[:8], depth[8:16] = 0, 65535
        save(Path(f"{stem}.depth.png"), depth)
        pose = np.eye(4)
        pose[0, 3] = 0.1 * frame
        np.savetxt(f"{stem}.pose.txt", pose + 1e-4 * (np.arange(16).reshape(4, 4) == 1))
    return folder


def test_frames_are_spread_over_the_sequence_and_never_far_apart() -> None:
    assert FrameChoice(16).of(16) == list(range(16))
    assert FrameChoice(16).of(50) == list(range(0, 48, 3))
    assert FrameChoice(16).of(1000) == list(range(0, 80, 5))
    assert FrameChoice(16, stride=1).of(50) == list(range(16))
    assert FrameChoice(16).of(5) == list(range(5))
    assert FrameChoice(2).of(1000) == [0, 5]


@pytest.mark.parametrize(("frames", "stride"), [(1, None), (0, None), (-3, 1), (4, 0), (4, -1)])
def test_a_choice_without_a_pair_or_a_step_is_refused(frames: int, stride: int | None) -> None:
    with pytest.raises(SettingsError, match=r"frames|stride"):
        FrameChoice(frames, stride)


def test_two_frames_of_a_video_can_be_chosen(davis: Path) -> None:
    frames, masks = read_masked(
        masked_video(davis / "swan.mp4", davis / "swan_masks"), FrameChoice(2, 3), WIDTH, 8
    )
    assert frames.frame_index.tolist() == [0, 3]
    assert len(masks) == 2


def test_sequences_of_every_layout_are_listed(davis: Path, posed: Path) -> None:
    sequences = {one.name: one for one in find_sequences(davis)}
    assert set(sequences) == {"goose", "swan", "kitchen/seq-01"}
    assert sequences["swan"] == MaskedVideo("swan", davis / "swan.mp4", davis / "swan_masks")
    goose = sequences["goose"]
    assert isinstance(goose, MaskedVideo)
    assert goose.video == davis / "JPEGImages" / "480p" / "goose"
    assert isinstance(sequences["kitchen/seq-01"], PosedFolder)


def test_masks_belong_to_the_frames_that_are_read(davis: Path) -> None:
    choice = FrameChoice(frames=3, stride=3)
    for sequence in find_sequences(davis):
        assert isinstance(sequence, MaskedVideo)
        frames, masks = read_masked(sequence, choice, WIDTH, 8)
        assert frames.frame_index.tolist() == [0, 3, 6]
        assert frames.images.shape[:3] == masks.shape == (3, HEIGHT, WIDTH)
        np.testing.assert_array_equal(masks, np.stack([mask_of(k) > 0 for k in (0, 3, 6)]))
        half, halved = read_masked(sequence, choice, WIDTH // 2, 8)
        assert half.images.shape[:3] == halved.shape == (3, HEIGHT // 2, WIDTH // 2)
        assert halved.mean() == pytest.approx(masks.mean())


def test_depth_is_in_metres_where_known_and_poses_are_rigid(posed: Path) -> None:
    frames, truth = read_posed(posed_folder(posed), FrameChoice(3, 2), WIDTH, 8)
    assert frames.frame_index.tolist() == [0, 2, 4]
    assert frames.images[:, 0, 0, 0].tolist() == [0, 20, 40]
    assert (truth.depth[:, :16] == 0).all()
    assert truth.depth[:, 20, 5] == pytest.approx([1.0, 1.002, 1.004])
    assert truth.camera_to_world[:, 0, 3] == pytest.approx([0, 0.2, 0.4])
    rotation = truth.camera_to_world[:, :3, :3]
    eye = np.tile(np.eye(3), (3, 1, 1))
    np.testing.assert_allclose(rotation @ np.swapaxes(rotation, 1, 2), eye, atol=1e-12)
    assert not truth.dynamic_mask.any()


def test_intrinsics_come_from_the_caller_or_a_file_or_7_scenes(posed: Path) -> None:
    np.testing.assert_array_equal(posed_folder(posed).intrinsics, SEVEN_SCENES_INTRINSICS)
    beside = np.diag([500.0, 501.0, 1.0])
    np.savetxt(posed.parent / "camera-intrinsics.txt", beside)
    np.testing.assert_array_equal(posed_folder(posed).intrinsics, beside)
    intrinsics = np.diag([50.0, 50.0, 1.0])
    [sequence] = find_sequences(posed.parent, intrinsics)
    assert isinstance(sequence, PosedFolder)
    np.testing.assert_array_equal(sequence.intrinsics, intrinsics)
    _, truth = read_posed(sequence, FrameChoice(3), WIDTH // 2, 8)
    assert truth.intrinsics[0, 0, 0] == 25


def read_every_masked(folder: Path) -> None:
    for sequence in find_sequences(folder):
        assert isinstance(sequence, MaskedVideo)
        read_masked(sequence, FrameChoice(3), WIDTH, 8)


def break_mask_count(davis: Path) -> None:
    (davis / "swan_masks" / "00006.png").unlink()


def break_mask_size(davis: Path) -> None:
    save(davis / "swan_masks" / "00000.png", np.zeros((HEIGHT, 2 * WIDTH), np.uint8))


def break_mask_file(davis: Path) -> None:
    (davis / "swan_masks" / "00000.png").write_bytes(b"no image")


def remove_video(davis: Path) -> None:
    (davis / "swan.mp4").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (break_mask_count, "swan_masks: holds 6 masks, the video has 7 frames"),
        (break_mask_size, "00000.png: is 128x48, its video 64x48"),
        (break_mask_file, "00000.png: cannot be read"),
        (remove_video, "swan_masks: no video and no frame folder called swan"),
    ],
)
def test_masks_that_do_not_fit_are_refused(davis: Path, spoil: object, message: str) -> None:
    spoil(davis)  # type: ignore[operator]
    shutil.rmtree(davis / "Annotations")
    with pytest.raises(TruthError, match=message):
        read_every_masked(davis)


def break_pose(posed: Path) -> None:
    (posed / "frame-000000.pose.txt").write_text("nan nan\n")


def mirror_pose(posed: Path) -> None:
    np.savetxt(posed / "frame-000000.pose.txt", np.diag([-1, 1, 1, 1]))


def lose_track(posed: Path) -> None:
    np.savetxt(posed / "frame-000000.pose.txt", np.full((4, 4), np.nan))


def remove_depth(posed: Path) -> None:
    (posed / "frame-000000.depth.png").unlink()


def resize_frame(posed: Path) -> None:
    save(posed / "frame-000000.color.png", np.zeros((HEIGHT, 2 * WIDTH, 3), np.uint8))


@pytest.mark.parametrize(
    ("spoil", "kind", "message"),
    [
        (break_pose, TruthError, r"pose.txt: holds \(2,\) numbers, not 4 x 4"),
        (mirror_pose, TruthError, r"pose.txt: mirrors"),
        (lose_track, TruthError, r"pose.txt: holds a value that is not finite"),
        (remove_depth, TruthError, r"frame-000000.depth.png: cannot be read"),
        (resize_frame, FrameSizeError, r"seq-01: its images differ in size"),
    ],
)
def test_poses_and_depths_that_cannot_be_used_are_refused(
    posed: Path, spoil: object, kind: type[Easi3RError], message: str
) -> None:
    spoil(posed)  # type: ignore[operator]
    with pytest.raises(kind, match=message):
        read_posed(posed_folder(posed), FrameChoice(3), WIDTH, 8)


def test_a_folder_without_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TruthError, match=re.escape(f"{tmp_path}: holds no sequence with truth")):
        find_sequences(tmp_path)
    with pytest.raises(TruthError, match="no such folder"):
        find_sequences(tmp_path / "absent")
    with pytest.raises(TruthError, match="no such file or folder"):
        masked_video(tmp_path / "absent.mp4", tmp_path)
