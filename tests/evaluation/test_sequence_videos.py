"""Lossless videos of sequences: the very pixels, written once, anew where a frame changed."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from easi3r.errors import TruthError, UnwritableDestinationError
from easi3r.evaluation.sequence import TrueSequence
from easi3r.evaluation.sequence_videos import write_sequence_video
from easi3r.video import probe

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 37, 51, 3), dtype=np.uint8)


@pytest.fixture
def sequence() -> TrueSequence:
    """Noise, at odd sizes and uneven times, the first of them long after 0."""
    return TrueSequence(
        name="indoor/noise",
        dataset="real",
        frame_names=tuple("abcde"),
        pts_seconds=1.3e9 + np.array([0, 0.0001, 0.1, 0.25, 1.0]),
        width=51,
        height=37,
        image=IMAGES.__getitem__,
        motion=lambda _: None,
        depth=lambda _: None,
    )


def test_decoding_gives_the_very_pixels(sequence: TrueSequence, tmp_path: Path) -> None:
    path = write_sequence_video(sequence, tmp_path)
    assert path == tmp_path / "indoor" / "noise.mkv"
    with av.open(str(path)) as container:
        images = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    np.testing.assert_array_equal(np.stack(images), IMAGES)
    video = probe(str(path))
    assert (video.width, video.height) == (51, 37)
    assert not video.timestamps_derived
    assert video.pts_seconds.tolist() == pytest.approx([0, 0.001, 0.1, 0.25, 1.0])


def test_the_same_frames_give_the_same_bytes(sequence: TrueSequence, tmp_path: Path) -> None:
    first, second = (write_sequence_video(sequence, tmp_path / name) for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_a_video_is_kept_until_a_frame_changes(sequence: TrueSequence, tmp_path: Path) -> None:
    path = write_sequence_video(sequence, tmp_path)
    written = path.stat().st_mtime_ns
    assert write_sequence_video(sequence, tmp_path) == path
    assert path.stat().st_mtime_ns == written

    changed = IMAGES.copy()
    changed[3, 5, 5, 0] ^= 1
    write_sequence_video(replace(sequence, image=changed.__getitem__), tmp_path)
    assert path.stat().st_mtime_ns != written
    with av.open(str(path)) as container:
        images = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    np.testing.assert_array_equal(np.stack(images), changed)


@pytest.mark.parametrize("spoil", ["cut", "record", "no record"])
def test_a_video_that_does_not_fit_its_record_is_written_again(
    sequence: TrueSequence, tmp_path: Path, spoil: str
) -> None:
    path = write_sequence_video(sequence, tmp_path)
    whole, record = path.read_bytes(), path.with_suffix(".json")
    if spoil == "cut":
        path.write_bytes(whole[:-100])
    elif spoil == "record":
        record.write_text("{")
    else:
        record.unlink()
    assert write_sequence_video(sequence, tmp_path).read_bytes() == whole
    assert sorted(p.name for p in path.parent.iterdir()) == ["noise.json", "noise.mkv"]


def test_a_frame_that_cannot_be_read_leaves_nothing(sequence: TrueSequence, tmp_path: Path) -> None:
    def image(place: int) -> np.ndarray:
        if place == 3:
            raise TruthError("d.png", "cannot be read", "Restore the file")
        return IMAGES[place]

    with pytest.raises(TruthError, match=r"d\.png"):
        write_sequence_video(replace(sequence, image=image), tmp_path)
    assert not list((tmp_path / "indoor").iterdir())


def test_a_folder_that_cannot_be_written_is_named(sequence: TrueSequence, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnwritableDestinationError, match="--out"):
        write_sequence_video(sequence, tmp_path / "file")
