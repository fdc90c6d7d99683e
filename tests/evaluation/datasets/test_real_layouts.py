"""`evaluate real`: every layout, all truth of a sequence together, what is left out and why."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from easi3r.errors import FrameSizeError, TruthError
from easi3r.evaluation.datasets import FrameChoice, masked_sequence, real_sequences
from easi3r.evaluation.datasets.posed_folders import SEVEN_SCENES_INTRINSICS
from easi3r.evaluation.sequence import TrueSequence
from easi3r.synthetic import SceneSettings, render, sample_scene, write_clip
from tests.evaluation.datasets.conftest import Replica
from tests.replicas.clips import save

HEIGHT, WIDTH, FRAMES = 48, 64, 7
SCENE = SceneSettings(frames=FRAMES, height=HEIGHT, width=WIDTH)


def mask_of(frame: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[8:24, 4 * frame : 4 * frame + 16] = 255
    return mask


def pose_of(frame: int) -> np.ndarray:
    pose = np.eye(4)
    pose[0, 3] = 0.1 * frame
    return pose


def image_of(frame: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    image = np.full((height, width, 3), 10 * frame, np.uint8)
    image[:8, :8] = 255  # the upper left corner
    return image


def write_posed(folder: Path, suffix: str = ".png", depths: int = FRAMES) -> Path:
    """A folder as 7-Scenes has them, with so many depths, at half size."""
    for frame in range(FRAMES):
        stem = folder / f"frame-{frame:06d}"
        save(Path(f"{stem}.color{suffix}"), image_of(frame))
        if frame < depths:
            depth = np.full((HEIGHT // 2, WIDTH // 2), 1000 + frame, np.uint16)
            depth[:4], depth[4:8] = 0, 65535
            save(Path(f"{stem}.depth.png"), depth)
        almost_rigid = pose_of(frame) + 1e-4 * (np.arange(16).reshape(4, 4) == 1)
        np.savetxt(f"{stem}.pose.txt", almost_rigid)
    return folder


def write_masks(folder: Path, names: list[str]) -> None:
    for frame, name in enumerate(names):
        save(folder / name, mask_of(frame))


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(render(sample_scene(3, SCENE)), tmp_path_factory.mktemp("movie"), "swan")


def only(root: Path, **options: object) -> TrueSequence:
    [one], left_out = real_sequences(root, **options)  # type: ignore[arg-type]
    assert left_out == ()
    return one


def test_sequences_of_every_layout_are_found(movie: Path, tmp_path: Path) -> None:
    shutil.copy(movie, tmp_path / "swan.mp4")
    write_masks(tmp_path / "swan_masks", [f"{k:05d}.png" for k in range(FRAMES)])
    for frame in range(FRAMES):
        save(tmp_path / "JPEGImages/480p/goose" / f"{frame:05d}.jpg", image_of(frame))
        save(tmp_path / "Annotations/480p/goose" / f"{frame:05d}.png", mask_of(frame) // 255)
        save(tmp_path / "frames" / f"{frame}.png", image_of(frame))
    write_masks(tmp_path / "frames_masks", [f"{k}.png" for k in range(FRAMES)])
    write_posed(tmp_path / "kitchen" / "seq-01")
    found, left_out = real_sequences(tmp_path)
    assert left_out == ()
    assert [one.name for one in found] == ["frames", "goose", "kitchen/seq-01", "swan"]
    for one in found:
        assert (one.dataset, len(one), one.width, one.height) == ("real", FRAMES, WIDTH, HEIGHT)
        assert one.image(2).shape == (HEIGHT, WIDTH, 3)
        if one.name != "kitchen/seq-01":
            np.testing.assert_array_equal(one.motion(2), mask_of(2) // 255)
            assert not one.nothing_moves


def test_frames_are_chosen_and_keep_their_masks(movie: Path, tmp_path: Path) -> None:
    write_masks(tmp_path / "m", [f"{k:05d}.png" for k in range(FRAMES)])
    one = masked_sequence(movie, tmp_path / "m", FrameChoice(frames=3, stride=3))
    assert one.frame_names == ("0", "3", "6")
    for at, frame in enumerate((0, 3, 6)):
        np.testing.assert_array_equal(one.motion(at), mask_of(frame) // 255)
    all_frames = masked_sequence(movie, tmp_path / "m", FrameChoice(frames=FRAMES))
    for at, frame in ((2, 6), (0, 0), (1, 3)):  # in any order
        np.testing.assert_array_equal(one.image(at), all_frames.image(frame))


def test_poses_depths_and_masks_of_one_sequence_come_together(tmp_path: Path) -> None:
    seq = write_posed(tmp_path / "bus" / "seq", ".jpg", depths=4)
    write_masks(tmp_path / "bus" / "masks", [f"frame-{k:06d}.png" for k in range(FRAMES)])
    one = only(tmp_path)
    assert one.name == "bus/seq"
    assert not one.nothing_moves
    assert one.left_out[0].reason == "3 of 7 frames have no depth"
    for frame in range(FRAMES):
        np.testing.assert_array_equal(one.motion(frame), mask_of(frame) // 255)
        np.testing.assert_allclose(one.camera_to_world[frame], pose_of(frame), atol=1e-4)
        depth = one.depth(frame)
        assert (depth is None) == (frame >= 4)
        if depth is not None:
            assert depth.shape == (HEIGHT // 2, WIDTH // 2)
            assert (depth[:8] == 0).all()
            np.testing.assert_allclose(depth[8:], 1 + 0.001 * frame, atol=1e-6)
    rotation = one.camera_to_world[:, :3, :3]
    eye = np.tile(np.eye(3), (FRAMES, 1, 1))
    np.testing.assert_allclose(rotation @ np.swapaxes(rotation, 1, 2), eye, atol=1e-12)
    for path in seq.glob("*.pose.txt"):
        path.unlink()
    assert only(tmp_path).camera_to_world is None


def test_without_masks_nothing_of_a_posed_sequence_moves(tmp_path: Path) -> None:
    write_posed(tmp_path / "kitchen" / "seq-01", depths=0)
    one = only(tmp_path)
    assert one.nothing_moves
    assert one.motion(0) is None
    assert one.depth(0) is None


def test_masks_beside_several_sequences_belong_to_none(tmp_path: Path) -> None:
    for name in ("seq-01", "seq-02"):
        write_posed(tmp_path / name)
    write_masks(tmp_path / "seq-01_masks", [f"frame-{k:06d}.png" for k in range(FRAMES)])
    write_masks(tmp_path / "masks", [f"frame-{k:06d}.png" for k in range(FRAMES)])
    [one], [refused] = real_sequences(tmp_path)
    assert one.name.endswith("/seq-01")
    assert "masks: stands beside 2 sequences" in refused.reason


@pytest.mark.parametrize(
    ("video", "masks"),
    [("IMG_1.MOV", "IMG_1_masks"), ("a.v2.M4V", "A.V2_Masks"), ("x.ts", "x_masks")],
)
def test_any_case_and_suffix_of_a_video(
    movie: Path, tmp_path: Path, video: str, masks: str
) -> None:
    shutil.copy(movie, tmp_path / video)
    for sidecar in ("wav", "txt", "m4a"):
        (tmp_path / f"{Path(video).stem}.{sidecar}").write_bytes(b"no video")
    (tmp_path / f"._{video}").write_bytes(b"no video")
    write_masks(tmp_path / masks, [f"{k}.png" for k in range(FRAMES)])
    (tmp_path / masks / "._0.png").write_bytes(b"no mask")
    one = only(tmp_path)
    assert one.name == Path(video).stem
    np.testing.assert_array_equal(one.motion(5), mask_of(5) // 255)


def test_masks_are_paired_by_number(movie: Path, tmp_path: Path) -> None:
    scene = SceneSettings(frames=12, height=HEIGHT, width=WIDTH)
    write_clip(render(sample_scene(3, scene)), tmp_path, "a")
    write_masks(tmp_path / "a_masks", [f"{k}.png" for k in range(12)])
    one = only(tmp_path, choice=FrameChoice(12))
    for frame in range(12):
        np.testing.assert_array_equal(one.motion(frame), mask_of(frame) // 255)


def test_masks_of_every_fifth_frame(tmp_path: Path, movie: Path) -> None:
    shutil.copy(movie, tmp_path / "a.mp4")
    for frame in (0, 5):
        save(tmp_path / "a_masks" / f"{frame:05d}.png", mask_of(frame))
        save(tmp_path / "Annotations/b" / f"{frame:05d}.png", mask_of(frame))
    for frame in range(FRAMES):
        save(tmp_path / "JPEGImages/b" / f"{frame:05d}.jpg", image_of(frame))
    found, _ = real_sequences(tmp_path)
    assert [one.name for one in found] == ["a", "b"]
    for one in found:
        assert [one.motion(at) is None for at in range(FRAMES)] == [
            k not in (0, 5) for k in range(7)
        ]
        np.testing.assert_array_equal(one.motion(5), mask_of(5) // 255)
        assert one.left_out[0].reason == "5 of 7 frames have no mask"


def test_frames_are_turned_as_their_exif_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    folder = tmp_path / "phone"
    folder.mkdir()
    for frame in range(FRAMES):
        turned = Image.fromarray(image_of(frame)).transpose(Image.Transpose.ROTATE_90)
        turned.save(folder / f"{frame}.jpg", exif=exif)
    write_masks(tmp_path / "phone_masks", [f"{k}.png" for k in range(FRAMES)])
    one = only(tmp_path)
    assert (one.width, one.height) == (WIDTH, HEIGHT)
    assert one.image(3)[2, 2].min() > 200
    np.testing.assert_array_equal(one.motion(3), mask_of(3) // 255)


def test_lost_poses_are_counted(tmp_path: Path) -> None:
    folder = write_posed(tmp_path / "a" / "seq")
    np.savetxt(folder / "frame-000002.pose.txt", np.full((4, 4), -np.inf))
    (folder / "frame-000004.pose.txt").unlink()
    (folder / "frame-000005.pose.txt").write_text("")
    (folder / "frame-000006.pose.txt").write_text("1 2 x\n")
    one = only(tmp_path)
    lost = np.isnan(one.camera_to_world).all(axis=(1, 2))
    assert np.flatnonzero(lost).tolist() == [2, 4, 5, 6]
    reasons = [entry.reason for entry in one.left_out]
    assert reasons[0] == "holds no numbers"
    assert reasons[1].startswith("cannot be read")
    assert reasons[2] == "1 of 7 frames have no pose"
    assert reasons[3] == "1 of 7 poses are not finite: the camera was lost"


def test_scannet(tmp_path: Path) -> None:
    scene = tmp_path / "scene0000_00"
    for frame in range(12):
        save(scene / "color" / f"{frame}.jpg", image_of(frame, 968, 1296)[::8, ::8])
        save(scene / "depth" / f"{frame}.png", np.full((60, 80), 1000 + frame, np.uint16))
        pose = np.full((4, 4), -np.inf) if frame == 3 else pose_of(frame)
        (scene / "pose").mkdir(exist_ok=True)
        np.savetxt(scene / "pose" / f"{frame}.txt", pose)
    with pytest.raises(TruthError, match=r"intrinsic_color.txt: no such file. Give --focal-px"):
        real_sequences(tmp_path)
    (scene / "intrinsic").mkdir()
    calibration = np.eye(4)
    calibration[:2, :3] = [[146, 0, 80], [0, 147, 60]]
    np.savetxt(scene / "intrinsic" / "intrinsic_color.txt", calibration)
    one = only(tmp_path, choice=FrameChoice(12))
    assert one.name == "scene0000_00"
    assert one.frame_names[10] == "10"
    np.testing.assert_array_equal(one.intrinsics[0], calibration[:3, :3])
    assert np.isnan(one.camera_to_world[3]).all()
    np.testing.assert_allclose(one.camera_to_world[11], pose_of(11), atol=1e-12)
    assert one.depth(11)[0, 0] == pytest.approx(1.011)


def test_intrinsics_come_from_the_caller_a_file_or_7_scenes(tmp_path: Path) -> None:
    folder = write_posed(tmp_path / "kitchen" / "seq-01")
    scale = np.array([[0.1], [0.1], [1]])  # 64x48 for 640x480
    np.testing.assert_allclose(only(tmp_path).intrinsics[6], SEVEN_SCENES_INTRINSICS * scale)
    beside = np.array([[50.0, 0, 31], [0, 51, 23], [0, 0, 1]])
    np.savetxt(folder.parent / "camera-intrinsics.txt", beside)
    np.testing.assert_array_equal(only(tmp_path).intrinsics[6], beside)
    own = np.array([[40.0, 0, 30], [0, 40, 20], [0, 0, 1]])
    np.testing.assert_array_equal(only(tmp_path, intrinsics=own).intrinsics[6], own)


def test_the_focal_length_of_7_scenes_is_not_taken_for_another_aspect(tmp_path: Path) -> None:
    for frame in range(3):
        save(tmp_path / "a" / "seq" / f"frame-{frame}.color.png", image_of(frame, 36, 64))
    with pytest.raises(TruthError, match=r"its images are 64x36: .*\. Give --focal-px"):
        real_sequences(tmp_path)


def test_intrinsics_of_another_size_are_refused(tmp_path: Path) -> None:
    write_posed(tmp_path / "a" / "seq")
    np.savetxt(tmp_path / "a" / "camera-intrinsics.txt", SEVEN_SCENES_INTRINSICS)
    with pytest.raises(TruthError, match=r"principal point \(320, 240\) lies outside of images"):
        real_sequences(tmp_path)


def test_a_unit_for_depths_of_eight_bits(tmp_path: Path) -> None:
    folder = write_posed(tmp_path / "a" / "seq")
    for path in folder.glob("*.depth.png"):
        save(path, np.full((HEIGHT, WIDTH), 100, np.uint8))
    with pytest.raises(TruthError, match=r"depth.png: has 8 bits .* metres one step is"):
        real_sequences(tmp_path)
    assert only(tmp_path, depth_step_m=0.02).depth(0)[0, 0] == pytest.approx(2)


def test_depths_nearer_than_the_least_are_left_out_and_counted(tmp_path: Path) -> None:
    folder = write_posed(tmp_path / "a" / "seq")
    depth = np.full((HEIGHT, WIDTH), 1000, np.uint16)
    depth[0, :5] = 1
    save(folder / "frame-000000.depth.png", depth)
    one = only(tmp_path)
    assert (one.depth(0)[0, :6] == [0, 0, 0, 0, 0, 1]).all()
    assert one.depth_left_out(0) == 5
    assert only(tmp_path, least_depth_m=0.0005).depth_left_out(0) == 0


def test_unsupervised_annotations(davis: Replica, tmp_path: Path) -> None:
    shutil.copytree(davis.root, tmp_path, dirs_exist_ok=True)
    shutil.copytree(tmp_path / "Annotations", tmp_path / "Annotations_unsupervised")
    found, left_out = real_sequences(tmp_path)
    assert [one.name for one in found] == ["bear", "cows"]
    assert [one.subject for one in left_out] == [
        "Annotations_unsupervised/480p/bear",
        "Annotations_unsupervised/480p/cows",
    ]
    shutil.rmtree(tmp_path / "Annotations")
    found, left_out = real_sequences(tmp_path)
    assert ([one.name for one in found], left_out) == (["bear", "cows"], ())
    true = davis.clips["bear"].dynamic_mask[4]
    np.testing.assert_array_equal(found[0].motion(4), true.astype(np.uint8))


def test_links_are_followed_and_end(tmp_path: Path) -> None:
    write_posed(tmp_path / "disk" / "a" / "seq")
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").symlink_to(tmp_path / "disk" / "a")
    (tmp_path / "disk" / "a" / "back").symlink_to(root)
    assert only(root).name == "a/seq"


def test_names_that_clash_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for above in ("x", "y"):
        for frame in range(3):
            save(tmp_path / above / "a" / f"{frame}.png", image_of(frame))
        write_masks(tmp_path / above / "a_masks", ["0.png", "1.png", "2.png"])
    found, _ = real_sequences(tmp_path)
    assert [one.name for one in found] == ["x/a_masks", "y/a_masks"]


@pytest.mark.parametrize("dataset", ["tum", "adt", "dycheck", "sintel", "bonn"])
def test_another_data_set_names_the_command_that_reads_it(
    dataset: str, request: pytest.FixtureRequest
) -> None:
    root = request.getfixturevalue(dataset).root
    with pytest.raises(TruthError, match=rf"the data set {dataset}, .* evaluate {dataset} {root}"):
        real_sequences(root)


def test_another_data_set_beside_sequences_is_named_too(adt: Replica, tmp_path: Path) -> None:
    write_posed(tmp_path / "a" / "seq")
    name = next(iter(adt.clips))
    shutil.copy(adt.root / f"{name}.npz", tmp_path)
    [one], [other] = real_sequences(tmp_path)
    assert (one.name, other.subject) == ("a/seq", name)
    assert "run `easi3r evaluate adt" in other.reason


def test_a_folder_without_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TruthError, match="holds no sequence with truth"):
        real_sequences(tmp_path)
    with pytest.raises(TruthError, match="no such folder"):
        real_sequences(tmp_path / "absent")
    with pytest.raises(TruthError, match="no such file or folder"):
        masked_sequence(tmp_path / "absent.mp4", tmp_path, FrameChoice())


def mirrored(folder: Path) -> None:
    np.savetxt(folder / "frame-000000.pose.txt", np.diag([-1, 1, 1, 1]))


def no_matrix(folder: Path) -> None:
    (folder / "frame-000000.pose.txt").write_text("1 2\n")


def coloured_depth(folder: Path) -> None:
    save(folder / "frame-000003.depth.png", image_of(0))


def other_size(folder: Path) -> None:
    save(folder / "frame-000003.color.png", image_of(0, HEIGHT, 2 * WIDTH))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (mirrored, r"frame-000000.pose.txt\[0\]: mirrors"),
        (no_matrix, r"frame-000000.pose.txt: holds \(1, 2\) numbers, not 4 x 4"),
        (coloured_depth, r"frame-000003.depth.png: is no depth: an image of mode RGB"),
        (other_size, r"frame-000003.color.png: its images differ in size"),
    ],
)
def test_wrong_truth_refuses_its_sequence_alone(
    tmp_path: Path, spoil: object, message: str
) -> None:
    spoil(write_posed(tmp_path / "wrong" / "seq"))  # type: ignore[operator]
    with pytest.raises((TruthError, FrameSizeError), match=message):
        real_sequences(tmp_path)
    write_posed(tmp_path / "right" / "seq")
    [one], [refused] = real_sequences(tmp_path)
    assert (one.name, refused.subject) == ("right/seq", "wrong/seq")


def test_masks_without_a_video_are_named(tmp_path: Path, movie: Path) -> None:
    write_masks(tmp_path / "swan_masks", ["0.png"])
    with pytest.raises(TruthError, match=r"swan_masks: no video and no frame folder called swan"):
        real_sequences(tmp_path)
    for suffix in ("mp4", "mov"):
        shutil.copy(movie, tmp_path / f"swan.{suffix}")
    with pytest.raises(TruthError, match=r"swan.mov and swan.mp4 both stand beside it"):
        real_sequences(tmp_path)


def test_the_shared_videos_are_all_read(shared: Path) -> None:
    found, left_out = real_sequences(shared / "videos")
    assert left_out == ()
    by_name = {one.name: one for one in found}
    assert len(by_name) == 22
    for name in ("indoor-elephant/seq", "indoor-rhino/seq"):
        one = by_name[name]
        assert one.motion(3).any()
        assert one.depth(3).shape == (240, 320)
        assert one.camera_to_world is not None
    assert by_name["street-bus/seq"].motion(0).any()
    assert by_name["street/seq"].nothing_moves
    assert sum(by_name["indoor-400/seq"].depth(at) is not None for at in range(16)) == 4
