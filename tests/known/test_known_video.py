from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from easi3r.errors import KnownInputError
from easi3r.geometry import invert_rigid, project, transform_points
from easi3r.knowledge import KnownCameras, KnownInputs
from easi3r.known import KnownVideo, read_known
from easi3r.types import ClipSpec
from easi3r.video import fit_size
from tests.known import writers as w

examples = settings(max_examples=25, deadline=None, derandomize=True)
FRAMES = 5


def known_of(**inputs: object) -> KnownVideo:
    given = {key: str(value) if isinstance(value, Path) else value for key, value in inputs.items()}
    return read_known(KnownInputs(**given), w.video_of(FRAMES))


def spec_of(*frames: int) -> ClipSpec:
    return ClipSpec("clip.mp4", "0" * 64, frames, tuple(n / 25 for n in frames), 0, FRAMES)


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    return w.write_json(
        tmp_path / "camera.json",
        **dict(width=w.WIDTH, height=w.HEIGHT, fx=80, fy=83, cx=44.25, cy=35.5),
        camera_to_world=w.random_poses(0, FRAMES).tolist(),
    )


@examples
@given(seed=st.integers(0, 2**31), side=st.integers(48, 300), aspect=st.floats(0.7, 1.4))
def test_a_point_is_at_the_stored_pixel_that_its_source_pixel_went_to(
    tmp_path_factory: pytest.TempPathFactory, seed: int, side: int, aspect: float
) -> None:
    poses = w.random_poses(seed, FRAMES)
    path = w.write_json(
        tmp_path_factory.mktemp("known") / "camera.json",
        **dict(width=w.WIDTH, height=w.HEIGHT, fx=80, fy=83, cx=44.25, cy=35.5),
        camera_to_world=poses.tolist(),
    )
    known = known_of(poses=path, intrinsics=path, metric=True)
    fit = fit_size(w.WIDTH, w.HEIGHT, aspect, side, 16)
    index = np.array([3, 1])
    cameras = known.cameras(index, fit.source_to_stored)
    assert cameras.scale == "metric"
    assert cameras.intrinsics is not None
    assert cameras.camera_to_world is not None
    inside = np.random.default_rng(seed).uniform((-0.5, -0.3, 1), (0.5, 0.3, 1), (2, 20, 3))
    world = transform_points(poses[index], inside * 4)
    seen = transform_points(invert_rigid(cameras.camera_to_world), world)
    source = inside[..., :2] * (80, 83) + (44.25, 35.5)
    homogeneous = np.concatenate([source, np.ones((2, 20, 1))], axis=-1)
    expected = (homogeneous @ fit.source_to_stored.T)[..., :2]
    np.testing.assert_allclose(project(seen, cameras.intrinsics), expected, atol=1e-9)


def test_what_is_not_given_is_not_known(camera: Path) -> None:
    identity = np.eye(3)
    index = np.array([0, 2])
    only_focal = known_of(intrinsics=camera).cameras(index, identity)
    assert only_focal.camera_to_world is None
    assert only_focal.intrinsics is not None
    assert only_focal.scale == "arbitrary"
    only_poses = known_of(poses=camera).cameras(index, identity)
    assert only_poses.intrinsics is None
    assert only_poses.camera_to_world is not None
    nothing = known_of()
    assert nothing.cameras(index, identity) == KnownCameras()
    assert nothing.moving(index, identity, 4, 4) is None
    nothing.require([spec_of(0, 1)])


def test_frames_that_clips_read_must_be_covered(tmp_path: Path) -> None:
    names = ["frame_0.png", "frame_1.png", "frame_3.png"]
    path = w.write_transforms(tmp_path / "transforms.json", w.random_poses(0, 3), names)
    known = known_of(poses=path)
    known.require([spec_of(0, 1), spec_of(1, 3)])
    words = (
        r"transforms\.json: has no pose of frame 2 of clip\.mp4 \(2 of the 5 frames that clips read"
        r" have none\)\. Give one for every frame"
    )
    with pytest.raises(KnownInputError, match=words):
        known.require([spec_of(0, 1, 2), spec_of(3, 4)])


def test_masks_must_cover_too(tmp_path: Path) -> None:
    Image.new("L", (w.WIDTH, w.HEIGHT)).save(tmp_path / "2.png")
    known = known_of(motion_masks=tmp_path)
    known.require([spec_of(2)])
    with pytest.raises(KnownInputError, match="has no mask of frame 1 of clip"):
        known.require([spec_of(1, 2)])


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """Frame i: the rows from 10 to 19 and the columns from 10 i to 10 i + 29 move."""
    folder = tmp_path / "masks"
    folder.mkdir()
    for number in range(FRAMES):
        mask = np.zeros((w.HEIGHT, w.WIDTH), np.uint8)
        mask[10:20, 10 * number : 10 * number + 30] = 255
        Image.fromarray(mask).save(folder / f"{number:05d}.png")
    return folder


def test_masks_go_the_way_of_the_images(masks: Path) -> None:
    """At twice the size each pixel is four; 6 columns and 4 rows are cropped on each side."""
    known = known_of(motion_masks=masks)
    fit = fit_size(w.WIDTH, w.HEIGHT, 1.0, 2 * w.WIDTH, 20)
    moving = known.moving(np.array([0, 2]), fit.source_to_stored, fit.height, fit.width)
    assert moving is not None
    for mask, number in zip(moving, (0, 2), strict=True):
        source = np.asarray(Image.open(masks / f"{number:05d}.png")) > 0
        np.testing.assert_array_equal(mask, source.repeat(2, 0).repeat(2, 1)[4:-4, 6:-6])


def test_outside_of_the_source_nothing_moves(tmp_path: Path) -> None:
    Image.new("L", (w.WIDTH, w.HEIGHT), 255).save(tmp_path / "0.png")
    padding = np.array([[1.0, 0, 0], [0, 1, 16], [0, 0, 1]])
    moving = known_of(motion_masks=tmp_path).moving(np.array([0]), padding, w.HEIGHT + 32, w.WIDTH)
    assert moving is not None
    expected = np.zeros((1, w.HEIGHT + 32, w.WIDTH), bool)
    expected[:, 16:-16] = True
    np.testing.assert_array_equal(moving, expected)


def test_masks_are_undistorted_like_images(tmp_path: Path, masks: Path) -> None:
    path = w.write_json(
        tmp_path / "lens.json",
        **dict(width=w.WIDTH, height=w.HEIGHT, fx=80, fy=80, cx=47.5, cy=31.5, k1=-0.2),
    )
    known = known_of(intrinsics=path, motion_masks=masks)
    assert known.distortion is not None
    moving = known.moving(np.array([0]), np.eye(3), w.HEIGHT, w.WIDTH)
    image = np.asarray(Image.open(masks / "00000.png"))
    assert moving is not None
    undistorted = known.distortion.undistort(image, "nearest") > 0
    np.testing.assert_array_equal(moving[0], undistorted)
    assert (undistorted != (image > 0)).any()


def test_the_digest_tells_what_is_known_apart(tmp_path: Path, camera: Path, masks: Path) -> None:
    cases = [
        dict(intrinsics=camera),
        dict(poses=camera),
        dict(poses=camera, metric=True),
        dict(poses=camera, intrinsics=camera),
        dict(motion_masks=masks),
        dict(poses=camera, motion_masks=masks),
    ]
    digests = [known_of(**case).digest for case in cases]
    assert len(set(digests)) == len(cases)
    assert all(len(digest) == 64 for digest in digests)
    same = w.write_kitti(tmp_path / "p.txt", w.random_poses(0, FRAMES))
    assert known_of(poses=same).digest == digests[1]
