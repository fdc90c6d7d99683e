"""Depth images: units, sizes, what is not known, and what is no depth."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from easi3r.errors import TruthError
from easi3r.evaluation.datasets.true_depths import DepthFiles, PngDepth, npy_depth, usable


def written(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values).save(path)
    return path


def test_steps_become_metres_and_unknown_ones_zero(tmp_path: Path) -> None:
    path = written(tmp_path / "a.png", np.array([[0, 65535, 1500, 20]], np.uint16))
    depths = DepthFiles((path, None), PngDepth(0.001, (0, 65535)), 4, 1)
    assert depths(0)[0].tolist() == pytest.approx([0, 0, 1.5, 0])
    assert depths.left_out(0) == 1  # 2 cm
    assert depths(1) is None
    assert depths.left_out(1) == 0
    near = DepthFiles((path,), PngDepth(0.001, (0, 65535)), 4, 1, least=0.0)
    assert near(0)[0, 3] == pytest.approx(0.02)


def test_a_size_of_its_own_is_kept_an_aspect_is_not(tmp_path: Path) -> None:
    path = written(tmp_path / "a.png", np.full((480, 640), 1000, np.uint16))
    assert DepthFiles((path,), PngDepth(0.001), 1296, 968)(0).shape == (480, 640)
    with pytest.raises(TruthError, match=r"a.png: is 640x480, its image 854x480"):
        DepthFiles((path,), PngDepth(0.001), 854, 480)(0)
    with pytest.raises(TruthError, match=r"a.png: is 640x480, its image 854x480"):
        usable([path], PngDepth(0.001), 854, 480)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_colours_are_no_depth(tmp_path: Path, channels: int) -> None:
    path = written(tmp_path / "a.png", np.zeros((4, 6, channels), np.uint8))
    with pytest.raises(TruthError, match=r"a.png: is no depth: an image of mode"):
        usable([path], PngDepth(0.001), 6, 4)


def test_eight_bits_ask_for_a_unit(tmp_path: Path) -> None:
    path = written(tmp_path / "a.png", np.full((4, 6), 30, np.uint8))
    with pytest.raises(TruthError, match=r"a.png: has 8 bits .* Say how many metres one step is"):
        usable([path], PngDepth(0.001), 6, 4)
    reader = PngDepth(0.04, eight_bits=True)
    assert DepthFiles((path,), reader, 6, 4)(0)[0, 0] == pytest.approx(1.2)


def test_missing_and_damaged_files_are_counted(tmp_path: Path) -> None:
    good = written(tmp_path / "a.png", np.full((4, 6), 1000, np.uint16))
    bad = tmp_path / "b.png"
    bad.write_bytes(b"no image")
    chosen, left_out = usable([good, bad, tmp_path / "c.png", None], PngDepth(0.001), 6, 4)
    assert chosen == (good, None, None, None)
    assert [one.subject for one in left_out] == [str(bad), "depths"]
    assert left_out[1].reason == "2 of 4 frames have no depth"
    assert usable([None, None], None, 6, 4) == ((None, None), ())


def test_numpy_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[[1.5], [np.nan], [np.inf], [-1]]], np.float32))
    depths = DepthFiles((tmp_path / "a.npy",), npy_depth, 4, 1)
    assert depths(0).tolist() == [[1.5, 0, 0, 0]]
    np.save(tmp_path / "b.npy", np.ones((2, 2, 3)))
    with pytest.raises(TruthError, match=r"holds float64 of shape \(2, 2, 3\)"):
        npy_depth(tmp_path / "b.npy")
    (tmp_path / "c.npy").write_bytes(b"no array")
    with pytest.raises(TruthError, match="cannot be read"):
        npy_depth(tmp_path / "c.npy")
