"""Poses and cameras that a test writes in a format come back in this project's conventions."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.errors import KnownInputError
from easi3r.knowledge import KnownInputs
from easi3r.known import KnownVideo, read_known
from tests.known import writers as w

examples = settings(max_examples=15, deadline=None, derandomize=True)
seeds = st.integers(0, 2**31)
counts = st.integers(2, 9)

WRITERS: dict[str, Callable[[Path, np.ndarray], Path]] = {
    "tum": lambda at, poses: w.write_tum(at / "p.txt", poses, w.video_of(len(poses)).pts_seconds),
    "kitti": lambda at, poses: w.write_kitti(at / "p.txt", poses),
    "7-scenes": lambda at, poses: w.write_seven_scenes(at / "seq", poses),
    "json": lambda at, poses: w.write_json(at / "p.json", camera_to_world=poses.tolist()),
    "nerfstudio": lambda at, poses: w.write_transforms(
        at / "transforms.json", poses, w.image_names(len(poses))
    ),
    "nerfstudio, turned": lambda at, poses: w.write_transforms(
        at / "transforms.json", poses, w.image_names(len(poses)), applied=True
    ),
    "colmap text": lambda at, poses: w.write_colmap_text(
        at / "sparse", poses, w.image_names(len(poses))
    ),
    "colmap binary": lambda at, poses: w.write_colmap_binary(
        at / "sparse", poses, w.image_names(len(poses))
    ),
}


def read_poses(path: Path, frames: int) -> KnownVideo:
    return read_known(KnownInputs(poses=str(path)), w.video_of(frames))


def read_camera(path: Path, frames: int = 3) -> KnownVideo:
    return read_known(KnownInputs(intrinsics=str(path)), w.video_of(frames))


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())
@examples
@given(seed=seeds, count=counts)
def test_poses_come_back(write: Callable[[Path, np.ndarray], Path], seed: int, count: int) -> None:
    poses = w.random_poses(seed, count)
    with tempfile.TemporaryDirectory() as folder:
        known = read_poses(write(Path(folder), poses), count)
    assert known.camera_to_world is not None
    np.testing.assert_allclose(known.camera_to_world, poses, rtol=0, atol=1e-9)


@pytest.mark.parametrize("write", [w.write_colmap_text, w.write_colmap_binary])
@pytest.mark.parametrize(
    ("model", "parameters", "focal", "coefficients"),
    [
        ("SIMPLE_PINHOLE", (80, 50, 30), (80, 80), ()),
        ("PINHOLE", (80, 81, 50, 30), (80, 81), ()),
        ("SIMPLE_RADIAL", (80, 50, 30, 0.1), (80, 80), (0.1, 0, 0, 0)),
        ("RADIAL", (80, 50, 30, 0.1, -0.02), (80, 80), (0.1, -0.02, 0, 0)),
        ("OPENCV", (80, 81, 50, 30, 0.1, -0.02, 1e-3, 2e-3), (80, 81), (0.1, -0.02, 1e-3, 2e-3)),
        (
            "FULL_OPENCV",
            (80, 81, 50, 30, 0.1, -0.02, 1e-3, 2e-3, 0.03, 0.04, 0.05, 0.06),
            (80, 81),
            (0.1, -0.02, 1e-3, 2e-3, 0.03, 0.04, 0.05, 0.06),
        ),
    ],
)
def test_cameras_of_colmap_come_back_with_pixel_centres_at_integers(
    tmp_path: Path,
    write: Callable[..., Path],
    model: str,
    parameters: tuple[float, ...],
    focal: tuple[float, float],
    coefficients: tuple[float, ...],
) -> None:
    folder = write(tmp_path / "s", w.random_poses(0, 3), w.image_names(3), model, parameters)
    known = read_camera(folder)
    assert known.intrinsics is not None
    expected = [[focal[0], 0, 49.5], [0, focal[1], 29.5], [0, 0, 1]]
    np.testing.assert_array_equal(known.intrinsics, [expected] * 3)
    assert (known.distortion.coefficients if known.distortion else ()) == coefficients


def test_a_camera_of_nerfstudio_has_pixel_centres_at_integers(tmp_path: Path) -> None:
    camera = dict(camera_model="OPENCV", fl_x=80, fl_y=81, cx=50, cy=30, w=w.WIDTH, h=w.HEIGHT)
    path = w.write_transforms(
        tmp_path / "transforms.json", w.random_poses(0, 3), w.image_names(3), **camera, k1=0.1
    )
    for place in (path, tmp_path):
        known = read_camera(place)
        np.testing.assert_array_equal(
            known.intrinsics, [[[80, 0, 49.5], [0, 81, 29.5], [0, 0, 1]]] * 3
        )
        assert known.distortion is not None
        assert known.distortion.coefficients == (0.1, 0, 0, 0)


def test_a_camera_for_each_frame_of_nerfstudio_goes_with_its_frame(tmp_path: Path) -> None:
    path = w.write_transforms(
        tmp_path / "transforms.json", w.random_poses(0, 3), w.image_names(3)[::-1]
    )
    document = json.loads(path.read_text())
    for number, frame in enumerate(document["frames"]):
        frame.update(fl_x=80 + number, fl_y=80, cx=48, cy=32, w=w.WIDTH, h=w.HEIGHT)
    path.write_text(json.dumps(document))
    known = read_camera(path)
    assert known.intrinsics is not None
    assert known.intrinsics[:, 0, 0].tolist() == [82, 81, 80]


def test_equal_cameras_of_some_frames_are_that_of_all(tmp_path: Path) -> None:
    """`colmap` gives each image a camera of its own unless told otherwise."""
    folder = w.write_colmap_text(tmp_path / "s", w.random_poses(0, 2), w.image_names(2))
    cameras, images = folder / "cameras.txt", folder / "images.txt"
    cameras.write_text(cameras.read_text() + "8 PINHOLE 96 64 80 80 48 32\n")
    images.write_text(images.read_text().replace(" 7 cam1/frame_00000", " 8 cam1/frame_00000"))
    known = read_camera(folder, frames=3)
    np.testing.assert_array_equal(known.intrinsics, [[[80, 0, 47.5], [0, 80, 31.5], [0, 0, 1]]] * 3)


def test_cameras_of_colmap_images_go_with_their_frames(tmp_path: Path) -> None:
    folder = w.write_colmap_text(tmp_path / "s", w.random_poses(0, 2), w.image_names(2))
    cameras, images = folder / "cameras.txt", folder / "images.txt"
    cameras.write_text(cameras.read_text() + "8 PINHOLE 96 64 90 90 48 32\n")
    images.write_text(images.read_text().replace(" 7 cam1/frame_00000", " 8 cam1/frame_00000"))
    known = read_camera(folder, frames=3)
    assert known.intrinsics is not None
    np.testing.assert_array_equal(known.intrinsics[:, 0, 0], [90, 80, np.nan])


def test_a_matrix_as_text(tmp_path: Path) -> None:
    path = tmp_path / "camera-intrinsics.txt"
    path.write_text(" 8.0e+01\t 0\t47.5 \n0 8.1e+01 31.5\n0 0 1\n")
    known = read_camera(path)
    np.testing.assert_array_equal(known.intrinsics, [[[80, 0, 47.5], [0, 81, 31.5], [0, 0, 1]]] * 3)


def test_a_small_json_holds_camera_and_poses(tmp_path: Path) -> None:
    poses = w.random_poses(3, 3)
    path = w.write_json(
        tmp_path / "camera.json",
        **dict(width=96, height=64, fx=80, fy=81, cx=47.5, cy=31.5, k1=0.1, k3=0.2),
        camera_to_world=poses[:, :3].tolist(),
    )
    known = read_known(KnownInputs(intrinsics=str(path), poses=str(path)), w.video_of(3))
    np.testing.assert_allclose(known.camera_to_world, poses, atol=1e-12)
    np.testing.assert_array_equal(known.intrinsics, [[[80, 0, 47.5], [0, 81, 31.5], [0, 0, 1]]] * 3)
    assert known.distortion is not None
    assert known.distortion.coefficients == (0.1, 0, 0, 0, 0.2)


@pytest.mark.parametrize("model", ["sparse/0", "sparse", "."])
def test_a_model_is_found_under_the_folder_of_a_project(tmp_path: Path, model: str) -> None:
    poses = w.random_poses(1, 3)
    w.write_colmap_text(tmp_path / model, poses, w.image_names(3))
    np.testing.assert_allclose(read_poses(tmp_path, 3).camera_to_world, poses, atol=1e-9)
    file = read_poses(tmp_path / model / "images.txt", 3)
    np.testing.assert_allclose(file.camera_to_world, poses, atol=1e-9)


def test_rounded_rotations_are_made_exact(tmp_path: Path) -> None:
    poses = w.random_poses(2, 4)
    rounded = w.write_kitti(tmp_path / "p.txt", poses.round(4))
    known = read_poses(rounded, 4).camera_to_world
    assert known is not None
    np.testing.assert_allclose(known, poses, atol=1e-3)
    turns = known[:, :3, :3]
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), [np.eye(3)] * 4, atol=1e-12)


def test_seven_scenes_of_the_shared_videos(shared: Path) -> None:
    folder = shared / "videos" / "rgbd_7scenes"
    video = w.video_of(16, width=640, height=480)
    inputs = KnownInputs(
        poses=str(folder / "rgbd-frames"), intrinsics=str(folder / "camera-intrinsics.txt")
    )
    known = read_known(inputs, video)
    assert known.camera_to_world is not None
    first = np.loadtxt(folder / "rgbd-frames" / "frame-000150.pose.txt")
    np.testing.assert_allclose(known.camera_to_world[0], first, atol=5e-4)
    assert known.distortion is None


def test_files_on_object_storage(tmp_path: Path, bucket: str) -> None:
    import s3fs

    poses = w.random_poses(4, 3)
    w.write_colmap_binary(tmp_path / "sparse" / "0", poses, w.image_names(3))
    w.write_seven_scenes(tmp_path / "seq", poses)
    storage = s3fs.S3FileSystem()
    storage.put(str(tmp_path), f"{bucket}/", recursive=True)
    for place in ("sparse/0", "seq", "sparse/0/images.bin"):
        url = next(f"s3://{found}" for found in storage.glob(f"{bucket}/**/{place}"))
        known = read_known(KnownInputs(poses=url), w.video_of(3))
        np.testing.assert_allclose(known.camera_to_world, poses, atol=1e-9)
    with pytest.raises(KnownInputError, match=r"s3://.*cannot be read"):
        read_known(KnownInputs(poses=f"s3://{bucket}/nothing.txt"), w.video_of(3))
