"""ADT: images as bytes, world-to-camera poses; a file that would run code is refused."""

from pathlib import Path

import numpy as np
import pytest

from easi3r.errors import TruthError
from easi3r.evaluation.datasets import sequences
from tests.evaluation.datasets.conftest import Replica


def test_every_fifth_frame_comes_back_as_it_was_rendered(adt: Replica) -> None:
    found, left_out = sequences("adt", adt.root)
    assert ([one.name for one in found], left_out) == (list(adt.clips), ())
    for sequence in found:
        clip = adt.clips[sequence.name]
        assert sequence.frame_names[1] == "00005"
        np.testing.assert_allclose(sequence.camera_to_world, clip.camera_to_world[::5], atol=1e-9)
        np.testing.assert_allclose(sequence.intrinsics, clip.intrinsics[::5], atol=1e-12)
        for at in range(len(sequence)):
            assert np.abs(sequence.image(at).astype(int) - clip.images[5 * at]).mean() < 4
            assert sequence.depth(at) is None


def test_one_file_is_a_sequence(adt: Replica) -> None:
    name = next(iter(adt.clips))
    [one], _ = sequences("adt", adt.root / f"{name}.npz", stride=1)
    assert (one.name, len(one)) == (name, 26)


class Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("hostile"),))


def test_a_pickle_that_names_anything_but_arrays_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    images = np.array([Hostile(), None], dtype=object)
    np.savez(
        "a.npz",
        images_jpeg_bytes=images,
        fx_fy_cx_cy=np.ones(4),
        extrinsics_w2c=np.tile(np.eye(4), (2, 1, 1)),
    )
    with pytest.raises(TruthError, match="which images do not need"):
        sequences("adt", tmp_path)
    assert not (tmp_path / "hostile").exists()


def test_lengths_that_differ_are_refused(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz",
        images_jpeg_bytes=np.array([b"1", b"2", b"3"]),
        fx_fy_cx_cy=np.ones(4),
        extrinsics_w2c=np.tile(np.eye(4), (2, 1, 1)),
    )
    with pytest.raises(TruthError, match=r"holds 3 images, poses of shape \(2, 4, 4\)"):
        sequences("adt", tmp_path)
