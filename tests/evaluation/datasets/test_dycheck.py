"""DyCheck: refined and recorded cameras, clamped depths, masks, text models."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from easi3r.errors import TruthError
from easi3r.evaluation.datasets import sequences
from tests.evaluation.datasets.conftest import Replica
from tests.replicas.dycheck import sensor_depth


def test_every_tenth_frame_comes_back_as_it_was_rendered(dycheck: Replica) -> None:
    found, left_out = sequences("dycheck", dycheck.root)
    assert ([one.name for one in found], left_out) == (["apple", "spin"], ())
    for sequence in found:
        clip = dycheck.clips[sequence.name]
        places = range(0, 51, 10)
        assert sequence.frame_names[1] == "0_00010"
        np.testing.assert_allclose(sequence.pts_seconds, np.arange(6) / 3, atol=1e-9)
        np.testing.assert_allclose(
            sequence.camera_to_world, clip.camera_to_world[places], atol=1e-6
        )
        np.testing.assert_allclose(sequence.intrinsics, clip.intrinsics[places], atol=1e-6)
        stored = np.stack([sensor_depth(clip, at) for at in places])
        most = 2.5 * np.median(stored.max(axis=(1, 2)))
        for at, place in enumerate(places):
            np.testing.assert_array_equal(sequence.image(at), clip.images[place])
            np.testing.assert_array_equal(sequence.motion(at), clip.dynamic_mask[place])
            np.testing.assert_allclose(sequence.depth(at), np.minimum(stored[at], most), atol=1e-6)


def test_depth_is_clamped_by_the_median_of_the_maxima(dycheck: Replica, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(dycheck.root / "spin", tmp_path / "spin"))
    for at in range(0, 51, 10):
        depth = np.full((96, 72, 1), 2.0, np.float32)
        depth[0, 0] = 100 if at == 30 else 3
        np.save(folder / f"depth/1x/0_{at:05d}.npy", depth)
    [one], _ = sequences("dycheck", tmp_path)
    assert one.depth(3).max() == 7.5
    assert one.depth(2).max() == 3


def test_smaller_images_have_smaller_intrinsics(dycheck: Replica, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(dycheck.root / "spin", tmp_path / "spin"))
    for path in (folder / "rgb/1x").iterdir():
        Image.open(path).resize((36, 48)).save(path)
    shutil.rmtree(folder / "flow3d_preprocessed")
    [one], _ = sequences("dycheck", tmp_path)
    true = dycheck.clips["spin"].intrinsics[0]
    assert one.intrinsics[0, 0, 0] == pytest.approx(true[0, 0] / 2)
    assert one.depth(0).shape == (96, 72)


def test_a_frame_without_a_camera_or_a_depth_is_counted(dycheck: Replica, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(dycheck.root / "spin", tmp_path / "spin"))
    (folder / "camera/0_00020.json").unlink()
    (folder / "depth/1x/0_00030.npy").unlink()
    [one], _ = sequences("dycheck", tmp_path)
    assert np.isnan(one.camera_to_world).any(axis=(1, 2)).tolist() == [0, 0, 1, 0, 0, 0]
    assert one.depth(3) is None
    reasons = [entry.reason for entry in one.left_out]
    assert reasons == ["1 of 6 frames have no camera", "1 of 6 frames have no depth"]


def test_a_camera_that_is_none_is_refused_by_file(dycheck: Replica, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(dycheck.root / "spin", tmp_path / "spin"))
    file = folder / "camera/0_00020.json"
    file.write_text(json.dumps({"focal_length": 3}))
    with pytest.raises(TruthError, match=r"0_00020.json: is no camera"):
        sequences("dycheck", tmp_path)


@pytest.mark.parametrize("place", ["sparse", "sparse/0", ""])
def test_refined_cameras_are_taken_wherever_colmap_writes_them(
    dycheck: Replica, tmp_path: Path, place: str
) -> None:
    folder = Path(shutil.copytree(dycheck.root / "apple", tmp_path / "apple"))
    colmap = folder / "flow3d_preprocessed/colmap"
    shutil.move(colmap / "sparse", tmp_path / "model")
    colmap.joinpath(place).parent.mkdir(parents=True, exist_ok=True)
    if not place:
        colmap.rmdir()
    shutil.move(tmp_path / "model", colmap / place)
    [one], _ = sequences("dycheck", tmp_path)
    true = dycheck.clips["apple"].camera_to_world[::10]
    np.testing.assert_allclose(one.camera_to_world, true, atol=1e-6)


def test_a_damaged_model_is_refused(dycheck: Replica, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(dycheck.root / "apple", tmp_path / "apple"))
    file = folder / "flow3d_preprocessed/colmap/sparse/images.bin"
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(TruthError, match=r"sparse/images.bin: "):
        sequences("dycheck", tmp_path)
