"""From a committed clip to a PNG, with its source, without it, and with another in its place."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from easi3r.errors import (
    ChangedVideoError,
    ClipNotFoundError,
    NotADatasetError,
    UnreadableURLError,
    UnwritableDestinationError,
)
from easi3r.viz import draw_clip, recorded_frames
from easi3r.viz.style import MOVING_COLOUR
from tests.viz.conftest import Committed


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def test_frames_are_decoded_again_exactly(committed: Committed) -> None:
    again = recorded_frames(committed.clip)
    np.testing.assert_array_equal(again.images, committed.frames.images)
    np.testing.assert_array_equal(again.source_to_stored, committed.frames.source_to_stored)


def test_png_shows_frames_and_masks(committed: Committed, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "clip.png"
    draw_clip(committed.url, committed.clip_id[:8], path)
    picture = pixels(path)
    assert picture.shape[0] > 500
    assert picture.shape[1] > 1200
    assert (picture[0, 0] == 255).all()
    assert (picture == MOVING_COLOUR).all(axis=-1).sum() > 100  # outlines
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 1000


def test_source_that_is_gone_leaves_a_sheet_without_frames(
    committed: Committed, tmp_path: Path
) -> None:
    with_frames, without = tmp_path / "with.png", tmp_path / "without.png"
    draw_clip(committed.url, committed.clip_id, with_frames)
    committed.video.unlink()
    with pytest.raises(UnreadableURLError):
        recorded_frames(committed.clip)
    draw_clip(committed.url, committed.clip_id, without)
    assert pixels(without).shape != pixels(with_frames).shape


def test_source_that_was_replaced_is_not_drawn(committed: Committed, tmp_path: Path) -> None:
    copy = tmp_path / "copy.mp4"
    shutil.copy(committed.video, copy)
    committed.video.write_bytes(copy.read_bytes() + b"\0")
    with pytest.raises(ChangedVideoError, match="no longer those that were annotated"):
        recorded_frames(committed.clip)
    path = tmp_path / "clip.png"
    draw_clip(committed.url, committed.clip_id, path)
    assert pixels(path).size > 0


def test_unknown_clips_and_datasets_are_refused(committed: Committed, tmp_path: Path) -> None:
    with pytest.raises(ClipNotFoundError):
        draw_clip(committed.url, "f" * 32, tmp_path / "clip.png")
    with pytest.raises(NotADatasetError):
        draw_clip(str(tmp_path / "nothing"), committed.clip_id, tmp_path / "clip.png")
    assert not (tmp_path / "clip.png").exists()


def test_unwritable_picture_is_refused(committed: Committed, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UnwritableDestinationError):
        draw_clip(committed.url, committed.clip_id, tmp_path / "file" / "clip.png")
