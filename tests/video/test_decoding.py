"""Decoding clips: the frames are those of a plain linear decode, wherever the clip starts."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from jaxtyping import UInt8

from easi3r.config import FrameFit, SamplingSettings, VideoSettings
from easi3r.errors import ChangedVideoError, FrameSizeError
from easi3r.types import ClipSpec, Frames
from easi3r.video import ArrayVideo, decode, plan_clips, probe
from easi3r.video.reader import VideoReader
from tests.video.encoding import Recipe, encode, picture

KEEP = VideoSettings(broken_stream="keep_frames_before_break")


def planned(url: Path, clip_frames: int = 4, stride: int = 1) -> tuple[ClipSpec, ...]:
    sampling = SamplingSettings(clip_frames=clip_frames, frame_stride=stride)
    return plan_clips(probe(str(url)), sampling, KEEP)


def linear(path: Path) -> list[UInt8[np.ndarray, "height width 3"]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def assert_linear(spec: ClipSpec, frames: Frames, decoded: list[np.ndarray]) -> None:
    assert tuple(frames.frame_index) == spec.frame_index
    assert tuple(frames.pts_seconds) == spec.pts_seconds
    for image, index in zip(frames.images, spec.frame_index, strict=True):
        np.testing.assert_array_equal(image, decoded[index])


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(),
        Recipe(options={"g": "8", "bf": "2", "x264-params": "open-gop=1:scenecut=0"}),
        Recipe(container="matroska"),
        Recipe(container="matroska", times_ms=[5000 + 7 * i * i for i in range(30)]),
        Recipe(container="mpegts"),
        Recipe(container="mpegts", codec="mpeg2video", options={"g": "6", "bf": "2"}),
        Recipe(container="avi"),
        Recipe(container="h264"),
        Recipe(container="webm", codec="libvpx-vp9", options={"g": "9"}),
        Recipe(codec="libx265", pixel_format="yuv420p10le"),
        Recipe(container_options={"movflags": "frag_keyframe+empty_moov"}),
    ],
    ids=lambda recipe: f"{recipe.container}-{recipe.codec}-{len(recipe.options)}",
)
def test_every_clip_equals_the_linear_decode(tmp_path: Path, recipe: Recipe) -> None:
    path = tmp_path / "a video"
    path.write_bytes(encode(replace(recipe, frames=30)))
    decoded = linear(path)
    assert len(decoded) == 30
    for stride in (1, 4):
        for spec in planned(path, stride=stride):
            frames = decode(spec, long_side_px=64, patch_size=16)
            assert_linear(spec, frames, decoded)  # 64 x 48 is stored as it is


def test_seeking_reads_only_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(encode(Recipe(frames=60)))
    last = planned(path)[-1]
    seen: list[av.VideoFrame] = []
    original = VideoReader.frames

    def watched(self: VideoReader):  # type: ignore[no-untyped-def]
        for frame in original(self):
            seen.append(frame)
            yield frame

    monkeypatch.setattr(VideoReader, "frames", watched)
    decode(last, 64, 16)
    assert len(seen) <= 9  # two groups of five pictures at most


@pytest.mark.parametrize("late_by_seconds", [0.4, 99.0])
def test_a_seek_that_lands_late_is_repeated_from_earlier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late_by_seconds: float
) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(encode(Recipe(frames=40)))
    spec = planned(path)[4]
    original = VideoReader.seek
    monkeypatch.setattr(VideoReader, "seek", lambda self, t: original(self, t + late_by_seconds))
    assert_linear(spec, decode(spec, 64, 16), linear(path))


@pytest.mark.parametrize(
    ("degrees", "mirrored"),
    [(90, False), (180, False), (-90, False), (0, True), (90, True), (180, True)],
)
def test_frames_are_turned_upright(tmp_path: Path, degrees: int, mirrored: bool) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(encode(Recipe(display=(degrees, mirrored))))
    spec = planned(path)[0]
    stored = decode(spec, 64, 16).images[0]
    raw = linear(path)[0]
    # FFmpeg's own convention: the matrix turns counter-clockwise, then flips left to right.
    turned = np.rot90(raw, degrees // 90)
    np.testing.assert_array_equal(stored, turned[:, ::-1] if mirrored else turned)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuv420p10le"])
def test_colours_survive(tmp_path: Path, pixel_format: str) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(encode(Recipe(pixel_format=pixel_format, options={"qp": "4"})))
    images = decode(planned(path)[0], 64, 16).images
    for index, image in enumerate(images):
        difference = image.astype(int) - picture(index, 64, 48)
        assert np.abs(difference).mean() < 4


@pytest.mark.parametrize("fit", ["crop", "pad", "resize"])
def test_frames_in_memory_are_brought_to_size_as_those_of_a_file(
    tmp_path: Path, fit: FrameFit
) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(encode(Recipe(width=70, height=50, frames=4)))
    (spec,) = planned(path)
    arrays = ArrayVideo(np.stack(linear(path)), np.arange(4.0))
    ours, theirs = decode(spec, 64, 16, fit), arrays.decode(spec, 64, 16, fit)
    assert ours.images.shape == {"crop": (4, 32, 64, 3)}.get(fit, (4, 48, 64, 3))
    assert ours.padding == theirs.padding == ((0, 1, 0, 1) if fit == "pad" else (0, 0, 0, 0))
    np.testing.assert_array_equal(ours.images, theirs.images)
    np.testing.assert_array_equal(ours.source_to_stored, theirs.source_to_stored)


def test_odd_sizes_and_pixel_aspect_reach_the_affine(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    recipe = Recipe(codec="libvpx-vp9", width=65, height=49, options={})
    path.write_bytes(encode(replace(recipe, pixel_aspect=Fraction(4, 3))))
    frames = decode(planned(path)[0], 130, 16)
    assert frames.images.shape == (4, 64, 128, 3)
    scales = np.diag(frames.source_to_stored)
    np.testing.assert_allclose(scales, [2.0, 74 / 49, 1.0])
    np.testing.assert_allclose(scales[0] / scales[1], 4 / 3, rtol=0.01)


def test_frames_before_a_break_decode(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    content = encode(Recipe(frames=40, container="matroska"))
    path.write_bytes(content[: len(content) // 2])
    specs = planned(path)
    decoded = linear(path)
    assert all(spec.stream_break for spec in specs)
    for spec in specs:
        assert_linear(spec, decode(spec, 64, 16), decoded)


def test_another_file_under_the_same_name(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    path.write_bytes(encode(Recipe(frames=30, container="matroska")))
    specs = planned(path)
    path.write_bytes(encode(Recipe(frames=30, container="matroska", rate=24)))
    with pytest.raises(ChangedVideoError, match=r"no longer gives 4 frames at 1\.040000 s"):
        decode(specs[-1], 64, 16)
    path.write_bytes(encode(Recipe(frames=20, container="matroska")))
    with pytest.raises(ChangedVideoError):
        decode(specs[-1], 64, 16)


def test_too_small_frames_name_the_video(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(encode(Recipe(width=256, height=16)))
    with pytest.raises(FrameSizeError, match=f"{path}: frames of 256x16"):
        decode(planned(path)[0], 64, 16)
