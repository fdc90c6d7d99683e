"""Sintel: cameras and depths of binary files, depths over 70 m left out."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from easi3r.errors import TruthError
from easi3r.evaluation.datasets import sequences
from easi3r.evaluation.datasets.sintel import read_cam, read_dpt
from tests.evaluation.datasets.conftest import Replica


def test_sequences_come_back_as_they_were_rendered(sintel: Replica) -> None:
    for root in (sintel.root, sintel.root / "training"):
        found, left_out = sequences("sintel", root)
        assert [one.name for one in found] == list(sintel.clips)
        assert len(left_out) == 11
    for sequence in found:
        clip = sintel.clips[sequence.name]
        assert sequence.frame_names[0] == "frame_0001"
        np.testing.assert_allclose(sequence.camera_to_world, clip.camera_to_world, atol=1e-9)
        np.testing.assert_array_equal(sequence.intrinsics, clip.intrinsics)
        for at in range(len(clip)):
            np.testing.assert_array_equal(sequence.image(at), clip.images[at])
            true = np.where(clip.depth[at] > 70, 0, clip.depth[at])
            np.testing.assert_array_equal(sequence.depth(at), true)
            assert sequence.motion(at) is None


def test_a_far_depth_is_left_out(sintel: Replica, tmp_path: Path) -> None:
    shutil.copytree(sintel.root, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "training/depth/alley_2/frame_0001.dpt"
    content = file.read_bytes()
    far = np.array([70.5, 69.5, 0.01], "<f4").tobytes()
    file.write_bytes(content[:12] + far + content[24:])
    [one], _ = sequences("sintel", tmp_path, ("alley_2",))
    assert one.depth(0)[0, :3].tolist() == [0, 69.5, 0]
    assert one.depth_left_out(0) == 1


def test_a_frame_without_a_camera_has_no_pose(sintel: Replica, tmp_path: Path) -> None:
    shutil.copytree(sintel.root, tmp_path, dirs_exist_ok=True)
    (tmp_path / "training/camdata_left/alley_2/frame_0003.cam").unlink()
    [one], _ = sequences("sintel", tmp_path, ("alley_2",))
    assert np.isnan(one.camera_to_world).any(axis=(1, 2)).tolist() == [0, 0, 1, 0, 0, 0, 0]
    assert one.left_out[0].reason == "1 of 7 frames have no camera"


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(bytes(172))
    with pytest.raises(TruthError, match="no camera file of Sintel"):
        read_cam(file)
    with pytest.raises(TruthError, match="no depth file of Sintel"):
        read_dpt(file)
    tag = np.float32(202021.25).tobytes()
    file.write_bytes(tag + np.array([10, 10], "<i4").tobytes() + bytes(8))
    with pytest.raises(TruthError, match="says 10x10 and holds 8 bytes"):
        read_dpt(file)
