"""Cameras and masks as arrays: as files of the same content, or refused with one line."""

from pathlib import Path

import numpy as np
import pytest

from easi3r.errors import KnownInputError
from easi3r.known import known_of_video
from tests.known import writers as w

FRAMES = 4
VIDEO = w.video_of(FRAMES)
POSES = w.random_poses(0, FRAMES)
CAMERA = np.array([[80.0, 0, 47.5], [0, 80, 31.5], [0, 0, 1]])
MASKS = np.zeros((FRAMES, w.HEIGHT, w.WIDTH), np.uint8)


def test_nothing_is_known_of_a_video_without_inputs() -> None:
    assert known_of_video(VIDEO) is None


def test_arrays_say_what_files_do(tmp_path: Path) -> None:
    lens = dict(width=w.WIDTH, height=w.HEIGHT, fx=80, fy=80, cx=47.5, cy=31.5)
    files = (w.write_json(tmp_path / "l.json", **lens), w.write_kitti(tmp_path / "p.txt", POSES))
    everything = [
        known_of_video(VIDEO, intrinsics, poses, metric=True)
        for intrinsics in (CAMERA, np.tile(CAMERA, (FRAMES, 1, 1)), files[0])
        for poses in (POSES, files[1])
    ]
    for known in everything:
        np.testing.assert_allclose(known.camera_to_world, POSES, atol=1e-12)
        np.testing.assert_array_equal(known.intrinsics, np.tile(CAMERA, (FRAMES, 1, 1)))
        assert known.inputs.names == ("intrinsics", "poses")
        assert known.metric
    assert len({known.digest for known in everything}) == 1


def test_masks_are_read_at_stored_pixels() -> None:
    masks = MASKS.copy()
    masks[1, 20:40, 10:30] = 7
    known = known_of_video(VIDEO, motion_masks=masks)
    moving = known.moving(np.array([1, 2]), np.diag([0.5, 0.5, 1]), 32, 48)
    assert moving[0, 10:20, 5:15].all()
    assert moving[0].sum() == 100
    assert not moving[1].any()
    assert known.digest != known_of_video(VIDEO, motion_masks=MASKS).digest


def mirrored() -> np.ndarray:
    poses = POSES.copy()
    poses[2, 0, :3] *= -1
    return poses


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"poses": POSES[:3]}, r"poses: has the shape \(3, 4, 4\), not \(4, 4, 4\)"),
        ({"poses": mirrored()}, "poses: frame 2: it mirrors"),
        ({"intrinsics": np.tile(CAMERA, (3, 1, 1))}, r"intrinsics: has the shape \(3, 3, 3\)"),
        ({"intrinsics": -CAMERA}, "intrinsics: .* of frame 0 is no pinhole"),
        ({"intrinsics": CAMERA * np.nan}, "intrinsics: .* of frame 0 is no pinhole"),
        ({"motion_masks": MASKS[:, :8]}, r"motion_masks: has the shape \(4, 8, 96\)"),
        ({"metric": True}, "metric: there are no poses"),
    ],
)
def test_arrays_that_are_not_of_the_video_are_refused(inputs: dict, words: str) -> None:
    with pytest.raises(KnownInputError, match=words) as caught:
        known_of_video(VIDEO, **inputs)
    assert len(str(caught.value).splitlines()) == 1


def test_frames_without_a_pose_are_no_error_until_a_clip_reads_them() -> None:
    poses = POSES.copy()
    poses[3, 0, 0] = np.nan
    known = known_of_video(VIDEO, poses=poses)
    assert np.isnan(known.camera_to_world[3]).all()
    assert np.isfinite(known.camera_to_world[:3]).all()
