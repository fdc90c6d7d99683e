"""DAVIS as published: its lists, its masks with objects and void, and what is missing."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from easi3r.errors import TruthError
from easi3r.evaluation.datasets import davis as layout
from easi3r.evaluation.datasets import sequences
from easi3r.evaluation.sequence import MOVING, STILL, VOID
from tests.evaluation.datasets.conftest import Replica
from tests.replicas.davis import object_labels


def test_masks_are_those_that_were_rendered(davis: Replica) -> None:
    found, left_out = sequences("davis", davis.root)
    assert [one.name for one in found] == ["bear", "cows"]
    assert left_out == ()
    for sequence in found:
        clip = davis.clips[sequence.name]
        assert (sequence.dataset, len(sequence)) == ("davis", len(clip))
        assert (sequence.height, sequence.width) == clip.images.shape[1:3]
        assert sequence.frame_names[:2] == ("00000", "00001")
        assert sequence.camera_to_world is None
        assert sequence.intrinsics is None
        for at in range(len(clip)):
            true = np.where(clip.dynamic_mask[at], MOVING, STILL)
            if sequence.name == "cows":
                true[object_labels(clip, at) == 255] = VOID
            np.testing.assert_array_equal(sequence.motion(at), true)
            assert sequence.depth(at) is None
            difference = sequence.image(at).astype(int) - clip.images[at]
            assert np.abs(difference).mean() < 4  # JPEG


def test_lists_choose_and_order_and_say_what_is_missing(davis: Replica, tmp_path: Path) -> None:
    root = tmp_path / "DAVIS"
    shutil.copytree(davis.root, root)
    (root / "ImageSets/2016/val.txt").write_text("cows\n")
    (root / "ImageSets/2017/val.txt").write_text("cows\nlibby\n")
    found, left_out = sequences("davis", tmp_path)  # the folder above is as good
    assert [one.name for one in found] == ["cows"]
    assert [one.subject for one in left_out] == ["libby"]
    assert layout.lists(root) == {"davis-16": ("cows",), "davis-17": ("cows", "libby")}
    both, _ = sequences("davis", root, wanted=("cows", "bear"))
    assert [one.name for one in both] == ["cows", "bear"]


def test_the_lists_of_2016_that_name_images_are_read(davis: Replica, tmp_path: Path) -> None:
    shutil.copytree(davis.root, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "ImageSets")
    (tmp_path / "ImageSets/480p").mkdir(parents=True)
    line = "/JPEGImages/480p/cows/{0}.jpg /Annotations/480p/cows/{0}.png\n"
    lines = "".join(line.format(f"{at:05d}") for at in range(8))
    (tmp_path / "ImageSets/480p/val.txt").write_text(lines)
    assert layout.listed(tmp_path) == ("cows",)


def test_without_lists_every_folder_is_read(davis: Replica, tmp_path: Path) -> None:
    shutil.copytree(davis.root, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "ImageSets")
    found, left_out = sequences("davis", tmp_path, stride=3)
    assert [one.name for one in found] == ["bear", "cows"]
    assert found[0].frame_names == ("00000", "00003", "00006")
    assert left_out == ()


def test_unsupervised_annotations_are_read_where_there_are_no_others(
    davis: Replica, tmp_path: Path
) -> None:
    shutil.copytree(davis.root, tmp_path, dirs_exist_ok=True)
    (tmp_path / "Annotations_unsupervised/480p").mkdir(parents=True)
    moved = tmp_path / "Annotations_unsupervised/480p/bear"
    shutil.move(tmp_path / "Annotations/480p/bear", moved)
    found, _ = sequences("davis", tmp_path)
    assert [one.name for one in found] == ["bear", "cows"]
    true = davis.clips["bear"].dynamic_mask[2]
    np.testing.assert_array_equal(found[0].motion(2), true.astype(np.uint8))


def test_what_cannot_be_used_is_named(davis: Replica, tmp_path: Path) -> None:
    shutil.copytree(davis.root, tmp_path, dirs_exist_ok=True)
    (tmp_path / "Annotations/480p/bear/00003.png").unlink()
    (tmp_path / "JPEGImages/480p/bear/00005.jpg").write_bytes(b"")
    Image.new("RGB", (50, 40)).save(tmp_path / "JPEGImages/480p/cows/00004.jpg")
    found, left_out = sequences("davis", tmp_path)
    [bear] = found
    assert len(bear) == 7
    assert bear.motion(3) is None
    assert "00005.jpg" in bear.left_out[0].subject
    assert bear.left_out[1].reason == "1 of 7 frames have no mask"
    assert left_out[0].subject == "cows"
    assert "its images differ in size" in left_out[0].reason


def test_a_sequence_without_one_whole_image_is_refused(davis: Replica, tmp_path: Path) -> None:
    shutil.copytree(davis.root, tmp_path, dirs_exist_ok=True)
    for path in (tmp_path / "JPEGImages/480p/bear").iterdir():
        path.write_bytes(path.read_bytes()[:200])
    _, [refused] = sequences("davis", tmp_path)
    assert "480p/bear: holds no image that can be read" in refused.reason


def test_what_is_not_there_is_refused(davis: Replica, sintel: Replica, tmp_path: Path) -> None:
    with pytest.raises(TruthError, match="no such folder"):
        sequences("davis", tmp_path / "absent")
    with pytest.raises(TruthError, match=r"no sequence in the layout of davis. Give a folder of"):
        sequences("davis", tmp_path)
    with pytest.raises(TruthError, match=r"as sintel, not as davis. Run `easi3r evaluate sintel"):
        sequences("davis", sintel.root)
    with pytest.raises(TruthError, match=r"no sequence zebra. Choose from: bear, cows"):
        sequences("davis", davis.root, wanted=("bear", "zebra"))
