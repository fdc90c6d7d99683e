"""TUM-dynamics and Bonn: pairing by time, quaternions, depths, frames of the paper."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from easi3r.errors import TruthError
from easi3r.evaluation.datasets import sequences
from easi3r.evaluation.datasets.rgbd_folders import pair_within
from tests.evaluation.datasets.conftest import Replica
from tests.replicas.rgbd import depth_steps


def copied(replica: Replica, name: str, tmp_path: Path) -> Path:
    [folder] = replica.root.glob(f"*{name}")
    return Path(shutil.copytree(folder, tmp_path / folder.name))


@pytest.mark.parametrize(
    ("dataset", "places"), [("tum", range(0, 151, 30)), ("bonn", range(30, 38))]
)
def test_frames_of_the_paper_come_back_as_they_were_rendered(
    dataset: str, places: range, request: pytest.FixtureRequest
) -> None:
    replica: Replica = request.getfixturevalue(dataset)
    found, _ = sequences(dataset, replica.root)  # type: ignore[arg-type]
    assert [one.name for one in found] == list(replica.clips)
    for sequence in found:
        clip = replica.clips[sequence.name]
        assert len(sequence) == len(places)
        np.testing.assert_allclose(
            sequence.pts_seconds, (np.array(places) - places[0]) / 30, atol=1e-5
        )
        np.testing.assert_allclose(
            sequence.camera_to_world, clip.camera_to_world[places], atol=1e-6
        )
        for at, place in enumerate(places):
            np.testing.assert_array_equal(sequence.image(at), clip.images[place])
            true = depth_steps(clip, place).astype(np.float32) / 5000
            np.testing.assert_allclose(sequence.depth(at), true, atol=1e-6)
            assert sequence.motion(at) is None


def test_the_rest_of_the_papers_list_is_named(tum: Replica, bonn: Replica) -> None:
    _, left_out = sequences("tum", tum.root)
    assert len(left_out) == 6
    assert "freiburg3_walking_rpy" in [one.subject for one in left_out]
    _, left_out = sequences("bonn", bonn.root)
    assert [one.subject for one in left_out] == ["crowd2", "crowd3", "person_tracking2"]


def test_any_stride_goes_over_all_frames(bonn: Replica) -> None:
    [one], _ = sequences("bonn", bonn.root, ("balloon2",), stride=7)
    poses = bonn.clips["balloon2"].camera_to_world
    np.testing.assert_allclose(one.camera_to_world, poses[::7], atol=1e-6)


def test_a_sequence_of_another_name_is_read(tum: Replica, tmp_path: Path) -> None:
    folder = copied(tum, "walking_static", tmp_path).rename(tmp_path / "corridor")
    [one], left_out = sequences("tum", tmp_path)
    assert one.name == "corridor"
    assert one.intrinsics is None
    assert len(left_out) == 8
    [same], _ = sequences("tum", folder)
    assert same.name == "corridor"


def test_intrinsics_are_published_or_beside(tum: Replica, tmp_path: Path) -> None:
    folder = copied(tum, "walking_static", tmp_path)
    [one], _ = sequences("tum", tmp_path)
    expected = np.array([[535.4, 0, 320.1], [0, 539.2, 247.6], [0, 0, 10]]) / 10
    np.testing.assert_allclose(one.intrinsics[3], expected)
    true = tum.clips["freiburg3_walking_static"].intrinsics
    np.savetxt(folder / "camera-intrinsics.txt", true[0])
    [one], _ = sequences("tum", tmp_path)
    np.testing.assert_allclose(one.intrinsics, true[:6], atol=1e-9)


def test_images_without_a_pose_are_left_out_and_counted(bonn: Replica, tmp_path: Path) -> None:
    folder = copied(bonn, "balloon2", tmp_path)
    lines = (folder / "groundtruth.txt").read_text().splitlines()
    (folder / "groundtruth.txt").write_text("\n".join(lines[: 2 + 4 * 34]))
    [one], _ = sequences("bonn", tmp_path)
    assert len(one) == 5
    assert one.left_out[-1].reason == "3 of 38 images have no pose within 0.02 s"


def test_lost_poses_are_counted(bonn: Replica, tmp_path: Path) -> None:
    folder = copied(bonn, "balloon2", tmp_path)
    text = (folder / "groundtruth.txt").read_text().splitlines()
    text[-1] = " ".join([text[-1].split()[0], *["nan"] * 7])
    (folder / "groundtruth.txt").write_text("\n".join(text))
    [one], _ = sequences("bonn", tmp_path)
    assert re.match(r"1 of 149 poses are not finite", one.left_out[0].reason)


def test_an_image_has_no_depth_where_none_is_near(bonn: Replica, tmp_path: Path) -> None:
    folder = copied(bonn, "balloon2", tmp_path)
    lines = (folder / "depth.txt").read_text().splitlines()
    (folder / "depth.txt").write_text("\n".join(lines[:-3]))
    [one], _ = sequences("bonn", tmp_path)
    depths = [one.depth(at) for at in range(8)]
    assert [depth is None for depth in depths] == [False] * 6 + [True] * 2
    assert one.left_out[0].reason == "2 of 8 frames have no depth"


def scalar_first(folder: Path) -> None:
    rows = np.loadtxt(folder / "groundtruth.txt")
    rows[:, 4:] *= 2
    np.savetxt(folder / "groundtruth.txt", rows)


def seven_columns(folder: Path) -> None:
    np.savetxt(folder / "groundtruth.txt", np.loadtxt(folder / "groundtruth.txt")[:, :7])


def other_clock(folder: Path) -> None:
    rows = np.loadtxt(folder / "groundtruth.txt")
    rows[:, 0] -= 1e6
    np.savetxt(folder / "groundtruth.txt", rows)


def coloured_depth(folder: Path) -> None:
    for path in (folder / "depth").iterdir():
        Image.new("RGB", (64, 48)).save(path)


def cut_depth(folder: Path) -> None:
    for path in (folder / "depth").iterdir():
        Image.fromarray(np.ones((48, 48), np.uint16)).save(path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (scalar_first, "has a quaternion of length 2, not 1"),
        (seven_columns, r"groundtruth.txt: holds \(149, 7\) numbers, not 8 a row"),
        (other_clock, "no pose lies within 0.02 s of an image"),
        (coloured_depth, r"depth/\S+.png: is no depth: an image of mode RGB"),
        (cut_depth, r"depth/\S+.png: is 48x48, its image 64x48: not the same picture"),
    ],
)
def test_truth_that_is_none_is_refused_by_file(
    bonn: Replica, tmp_path: Path, spoil: object, message: str
) -> None:
    spoil(copied(bonn, "balloon2", tmp_path))  # type: ignore[operator]
    with pytest.raises(TruthError, match=message):
        sequences("bonn", tmp_path)


def test_pairs_are_the_closest_and_each_time_is_in_one() -> None:
    first, second = np.array([0.0, 0.015, 1.0]), np.array([0.012, 0.9, 1.019, 1.021])
    assert pair_within(first, second, 0.02) == {1: 0, 2: 2}
