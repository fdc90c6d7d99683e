"""Frames of a video at its own size, by place, in any order, in batches."""

from pathlib import Path

import numpy as np
import pytest

from easi3r.errors import TruthError
from easi3r.evaluation.datasets import video_images
from easi3r.evaluation.datasets.video_images import VideoImages
from easi3r.video import probe
from tests.scenes import write_scenes


def test_frames_are_those_of_the_video_whatever_a_batch_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [path] = write_scenes(tmp_path, 1, frames=6)
    video = probe(str(path))
    whole = VideoImages(video, tuple(range(6)))
    monkeypatch.setattr(video_images, "_HELD_BYTES", 1)
    monkeypatch.setattr(video_images, "_FEWEST_HELD", 2)
    some = VideoImages(video, (1, 2, 4, 5))
    for at in (0, 1, 2, 3, 1):
        np.testing.assert_array_equal(some(at), whole(some.numbers[at]))
    assert some(0).shape == (64, 96, 3)


def test_a_video_that_became_shorter_is_refused(tmp_path: Path) -> None:
    [path] = write_scenes(tmp_path, 1, frames=4)
    images = VideoImages(probe(str(path)), (0, 7))
    with pytest.raises(TruthError, match="no longer gives frame 7"):
        images(1)
