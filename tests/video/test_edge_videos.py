"""The table of shared/videos/README.md, row by row, and every clip against a linear decode."""

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from easi3r.config import SamplingSettings, VideoSettings
from easi3r.errors import (
    BrokenStreamError,
    EmptyFileError,
    NoFramesError,
    NoVideoStreamError,
    VideoError,
)
from easi3r.types import Video
from easi3r.video import decode, fit_size, list_videos, plan_clips, probe


@dataclass(frozen=True)
class Row:
    """What probing a video of the table gives; sizes are upright, `start` is in seconds."""

    name: str
    frames: int
    size: tuple[int, int]
    fps: float
    codec: str = "h264"
    rotation: int = 0
    start: float = 0.0
    pixel_aspect: float = 1.0


ROWS = [
    Row("edge/nasa_13013.mp4", 325, (320, 180), 25),
    Row("edge/video_90.mov", 3, (320, 568), 30, rotation=90),
    Row("edge/unordered.mov", 4, (50, 50), 32),
    Row("edge/discard_first_keyframe.mp4", 25, (64, 64), 25),
    Row("edge/sample_partially_fragmented.mp4", 30, (1080, 720), 30000 / 1001, start=2002 / 30000),
    Row(
        "edge/test_non_zero_start.mp4",
        12,
        (200, 112),
        30,
        start=127995 / 15360,
        pixel_aspect=224 / 225,
    ),
    Row("edge/h265_10bits.mp4", 30, (200, 200), 30, codec="hevc"),
    Row("edge/testsrc2_hdr.mp4", 60, (320, 180), 30, codec="hevc"),
    Row("edge/testsrc2_odd_height_and_width_vp9.mp4", 25, (321, 241), 25, codec="vp9"),
    Row("real/dog-gooses.mp4", 86, (854, 480), 24),
    Row("real/lady-running.mp4", 65, (854, 480), 30, codec="mpeg4"),
    Row("real/blackswan.mp4", 50, (854, 480), 30),
    Row("real/film-multishot.mp4", 240, (854, 480), 24),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_good_rows(shared: Path, row: Row) -> None:
    video = probe(str(shared / "videos" / row.name))
    assert len(video) == row.frames
    assert (video.width, video.height) == row.size
    assert video.rotation_degrees == row.rotation
    assert video.pixel_aspect == pytest.approx(row.pixel_aspect)
    assert video.pts_seconds[0] == row.start
    assert video.mean_fps == pytest.approx(row.fps)
    assert (np.diff(video.pts_seconds) > 0).all()
    assert video.codec == row.codec
    assert video.stream_break is None
    assert not video.timestamps_derived
    assert_clips_equal_linear_decode(video, clip_frames=min(5, row.frames))


def test_corrupted(shared: Path) -> None:
    video = probe(str(shared / "videos/edge/corrupted.mp4"))
    assert len(video) == 28
    assert (video.width, video.height) == (1280, 720)
    words = (
        "Invalid data found when processing input (h264: Error splitting the input into NAL units.)"
    )
    assert video.stream_break == words
    with pytest.raises(BrokenStreamError, match="stops after 28 frames"):
        plan_clips(video, SamplingSettings(), VideoSettings())
    assert_clips_equal_linear_decode(video, clip_frames=5)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("result.webm", EmptyFileError, "holds no bytes"),
        ("invalid-bitstream.webm", NoFramesError, "not one frame decodes .*vp9"),
        ("nasa_13013.mp4.audio.mp3", NoVideoStreamError, "no video stream .streams: audio"),
    ],
)
def test_bad_rows(shared: Path, name: str, error: type[VideoError], words: str) -> None:
    url = str(shared / "videos/edge" / name)
    with pytest.raises(error, match=words) as caught:
        probe(url)
    assert caught.value.subject == url


def test_the_folder_is_listed_whole(shared: Path) -> None:
    listing = list_videos(str(shared / "videos/edge"))
    expected = sorted(str(path) for path in (shared / "videos/edge").iterdir())
    assert list(listing) == expected
    assert listing.ignored == {}
    everything = list_videos(str(shared / "videos"))
    assert len(everything) == 17
    assert everything.ignored[".md"] == 1
    assert everything.ignored[".png"] > 50


def assert_clips_equal_linear_decode(video: Video, clip_frames: int) -> None:
    """The first, a middle and the last clip."""
    policy = VideoSettings(broken_stream="keep_frames_before_break")
    specs = plan_clips(video, SamplingSettings(clip_frames=clip_frames), policy)
    fit = fit_size(video.width, video.height, video.pixel_aspect, 128, 16)
    chosen = [specs[place] for place in sorted({0, len(specs) // 2, len(specs) - 1})]
    wanted = {index for spec in chosen for index in spec.frame_index}
    expected = {}
    with av.open(video.url) as container:
        for index, frame in zip(range(len(video)), container.decode(video=0)):
            if index in wanted:
                upright = np.rot90(frame.to_ndarray(format="rgb24"), -video.rotation_degrees // 90)
                expected[index] = fit.apply(Image.fromarray(np.ascontiguousarray(upright)))
    for spec in chosen:
        frames = decode(spec, 128, 16)
        np.testing.assert_array_equal(frames.source_to_stored, fit.source_to_stored)
        for image, index in zip(frames.images, spec.frame_index, strict=True):
            np.testing.assert_array_equal(image, expected[index])
