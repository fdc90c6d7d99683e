"""Probing good and bad files, generated here."""

import hashlib
import logging
from fractions import Fraction
from pathlib import Path

import av.logging
import numpy as np
import pytest

from easi3r.errors import (
    EmptyFileError,
    NoFramesError,
    NotAVideoError,
    NoVideoStreamError,
    UnreadableURLError,
    VideoError,
)
from easi3r.video import probe
from tests.video.encoding import Recipe, encode, encode_audio


def written(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize(
    ("recipe", "codec"),
    [
        (Recipe(), "h264"),
        (Recipe(codec="libx265", width=66, height=50), "hevc"),
        (Recipe(codec="libx265", pixel_format="yuv420p10le"), "hevc"),
        (Recipe(container="webm", codec="libvpx-vp9", width=65, height=49), "vp9"),
        (Recipe(container="matroska", codec="ffv1", pixel_format="yuv444p", width=33), "ffv1"),
        (Recipe(container="mpegts"), "h264"),
        (Recipe(container_options={"movflags": "frag_keyframe+empty_moov"}), "h264"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.container,
)
def test_probing_describes_the_encoded_video(tmp_path: Path, recipe: Recipe, codec: str) -> None:
    content = encode(recipe)
    video = probe(written(tmp_path / "a video", content))
    assert (len(video), video.width, video.height) == (12, recipe.width, recipe.height)
    assert video.codec == codec
    assert video.stream_break is None
    assert not video.timestamps_derived
    assert video.size_bytes == len(content)
    assert video.fingerprint == hashlib.sha256(content).hexdigest()
    np.testing.assert_allclose(np.diff(video.pts_seconds), 0.04, atol=1e-9)


def test_uneven_timestamps_are_neither_evened_nor_shifted(tmp_path: Path) -> None:
    times = [4000, 4010, 4100, 4700, 4733, 5000]
    recipe = Recipe(container="matroska", times_ms=times)
    video = probe(written(tmp_path / "a.mkv", encode(recipe)))
    np.testing.assert_allclose(video.pts_seconds * 1000, times, atol=1e-9)


@pytest.mark.parametrize(
    ("degrees", "mirrored", "clockwise"),
    [(0, False, 0), (90, False, 270), (180, False, 180), (-90, False, 90), (0, True, 0)],
)
def test_rotation_swaps_sides_and_pixel_aspect(
    tmp_path: Path, degrees: float, mirrored: bool, clockwise: int
) -> None:
    recipe = Recipe(frames=2, display=(degrees, mirrored), pixel_aspect=Fraction(4, 3))
    video = probe(written(tmp_path / "a.mp4", encode(recipe)))
    assert video.rotation_degrees == clockwise
    upright = clockwise % 180 == 0
    assert (video.width, video.height) == ((64, 48) if upright else (48, 64))
    assert video.pixel_aspect == pytest.approx(4 / 3 if upright else 3 / 4)


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"", EmptyFileError, "no bytes"),
        (np.random.default_rng(0).bytes(20_000), NotAVideoError, "cannot open it"),
        (b"no video\n" * 99, NotAVideoError, "cannot open it"),
        (encode(Recipe())[:200], NotAVideoError, "moov atom not found"),
        (encode_audio(), NoVideoStreamError, r"no video stream \(streams: audio\)"),
    ],
    ids=["empty", "noise", "text", "head only", "audio"],
)
def test_bad_files(tmp_path: Path, content: bytes, error: type[VideoError], words: str) -> None:
    url = written(tmp_path / "bad.mp4", content)
    with pytest.raises(error, match=words) as caught:
        probe(url)
    assert caught.value.subject == url


def test_no_frame_decodes(tmp_path: Path) -> None:
    content = bytearray(encode(Recipe()))
    start, stop = content.index(b"mdat") + 4, content.index(b"moov") - 4
    content[start:stop] = bytes(stop - start)
    with pytest.raises(NoFramesError, match="not one frame decodes"):
        probe(written(tmp_path / "a.mp4", bytes(content)))


def test_missing_file() -> None:
    with pytest.raises(UnreadableURLError, match=r"/no/such\.mp4: cannot be read"):
        probe("/no/such.mp4")


@pytest.mark.parametrize("container", ["matroska", "mp4"])
def test_truncated_files_break(tmp_path: Path, container: str) -> None:
    fragmented = {"movflags": "frag_keyframe+empty_moov"} if container == "mp4" else {}
    recipe = Recipe(
        frames=40, width=160, height=120, container=container, container_options=fragmented
    )
    content = encode(recipe)
    url = written(tmp_path / "whole", content)
    assert probe(url).stream_break is None
    for _ in range(2):  # FFmpeg would not repeat itself
        video = probe(written(tmp_path / "half", content[: len(content) // 2]))
        assert 3 <= len(video) < 40
        assert video.stream_break is not None
        np.testing.assert_array_equal(video.pts_seconds, probe(url).pts_seconds[: len(video)])


def test_a_damaged_start_is_skipped_up_to_the_next_keyframe(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = bytearray(encode(Recipe(frames=20, container="h264")))
    first = content.index(b"\x00\x00\x01\x65") + 4  # the first keyframe
    content[first + 40 : first + 80] = b"\xff" * 40
    with caplog.at_level(logging.WARNING, "easi3r.video"):
        video = probe(written(tmp_path / "a.h264", bytes(content)))
    assert "before the first frame do not decode (Damaged frame" in caplog.text
    assert len(video) == 15  # a keyframe every five
    assert video.stream_break is None


def test_a_change_of_size_is_a_break(tmp_path: Path) -> None:
    small = encode(Recipe(container="mpegts"))
    large = encode(Recipe(container="mpegts", width=96))
    video = probe(written(tmp_path / "a.ts", small + large))
    assert (len(video), video.width) == (12, 64)
    assert video.stream_break == "Frame size changes from (64, 48) to (96, 48)"


def test_raw_stream_gets_times_from_its_frame_rate(tmp_path: Path) -> None:
    video = probe(written(tmp_path / "a.h264", encode(Recipe(container="h264"))))
    assert video.timestamps_derived
    np.testing.assert_allclose(video.pts_seconds, np.arange(12) / 25, atol=1e-9)


def test_avi_has_only_decoding_times(tmp_path: Path) -> None:
    video = probe(written(tmp_path / "a.avi", encode(Recipe(frames=40, container="avi"))))
    assert video.timestamps_derived
    np.testing.assert_allclose(np.diff(video.pts_seconds), 0.04, atol=1e-9)


def test_scripts_cannot_open_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "secret.mp4", encode(Recipe()))
    script = written(tmp_path / "a.mp4", b"ffconcat version 1.0\nfile secret.mp4\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotAVideoError):
        probe(script)


def test_titles_that_are_not_utf8(tmp_path: Path) -> None:
    content = encode(Recipe(title="AAAA")).replace(b"AAAA", b"\xff\xfe\xe9A")
    assert len(probe(written(tmp_path / "a.mp4", content))) == 12


def test_ffmpeg_is_silent_and_left_as_it_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    content = encode(Recipe(frames=40, container="matroska"))
    url = written(tmp_path / "a.mkv", content[: len(content) // 2])
    before = (av.logging.get_level(), av.logging.get_skip_repeated())
    with caplog.at_level(logging.DEBUG, "libav"):
        assert probe(url).stream_break == "matroska,webm: File ended prematurely"
    assert (av.logging.get_level(), av.logging.get_skip_repeated()) == before
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
