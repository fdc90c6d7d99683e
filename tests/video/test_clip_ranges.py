"""Property tests of clip planning."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.config import SamplingSettings, VideoSettings
from easi3r.errors import BrokenStreamError, TooFewFramesError
from easi3r.types import Video
from easi3r.video import plan_clips

FRAMES = st.lists(st.floats(0.01, 0.5), min_size=0, max_size=90)  # gaps between frames


def a_video(gaps: list[float], stream_break: str | None = None) -> Video:
    return Video(
        url="a.mp4",
        fingerprint="0" * 64,
        size_bytes=1,
        width=64,
        height=48,
        rotation_degrees=0,
        pixel_aspect=1.0,
        codec="h264",
        pts_seconds=8.0 + np.concatenate([[0.0], np.cumsum(gaps, dtype=np.float64)]),
        stream_break=stream_break,
    )


@st.composite
def samplings(draw: st.DrawFn) -> SamplingSettings:
    clip_frames = draw(st.integers(2, 12))
    by_rate = draw(st.booleans())
    return SamplingSettings(
        clip_frames=clip_frames,
        overlap_frames=draw(st.integers(0, clip_frames - 1)),
        frame_stride=1 if by_rate else draw(st.integers(1, 5)),
        rate_hz=draw(st.sampled_from([0.5, 3.0, 10.0, 1e12])) if by_rate else None,
        min_frames=draw(st.integers(2, clip_frames)),
    )


@given(FRAMES, samplings())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_plans_cover_the_video(gaps: list[float], sampling: SamplingSettings) -> None:
    video = a_video(gaps)
    try:
        specs = plan_clips(video, sampling, VideoSettings())
    except TooFewFramesError:
        assert len(sampled_by_definition(video, sampling)) < sampling.min_frames
        return
    assert specs == plan_clips(video, sampling, VideoSettings())
    assert len({spec.clip_id for spec in specs}) == len(specs)

    sampled = sorted({frame for spec in specs for frame in spec.frame_index})
    assert sampled == sampled_by_definition(video, sampling)
    assert {len(spec) for spec in specs} == {min(sampling.clip_frames, len(sampled))}
    assert specs[-1].frame_index[-1] == sampled[-1]

    assert specs[0].owned_start == 0
    assert specs[-1].owned_stop == len(video)
    assert all(first.owned_stop == second.owned_start for first, second in pairwise(specs))
    for first, second in pairwise(specs):
        assert len(set(first.frame_index) & set(second.frame_index)) >= sampling.overlap_frames
    for spec in specs:
        owned = [frame for frame in sampled if spec.owned_start <= frame < spec.owned_stop]
        assert owned
        assert set(owned) <= set(spec.frame_index)
        assert spec.pts_seconds == tuple(video.pts_seconds[list(spec.frame_index)])


def sampled_by_definition(video: Video, sampling: SamplingSettings) -> list[int]:
    times = video.pts_seconds
    if sampling.rate_hz is None:
        return list(range(0, len(times), sampling.frame_stride))
    if sampling.rate_hz > 1e6:  # a tick near every frame
        return list(range(len(times)))
    ticks = np.arange(int((times[-1] - times[0]) * sampling.rate_hz + 1e-6) + 1) / sampling.rate_hz
    return sorted({int(np.abs(times - times[0] - tick).argmin()) for tick in ticks})


@pytest.mark.parametrize(
    ("overlap", "frames", "owned"),
    [
        (0, [(0, 4), (4, 8), (6, 10)], [(0, 4), (4, 7), (7, 10)]),
        (2, [(0, 4), (2, 6), (4, 8), (6, 10)], [(0, 3), (3, 5), (5, 7), (7, 10)]),
    ],
)
def test_plan_of_ten_frames(
    overlap: int, frames: list[tuple[int, int]], owned: list[tuple[int, int]]
) -> None:
    sampling = SamplingSettings(clip_frames=4, overlap_frames=overlap)
    specs = plan_clips(a_video([0.04] * 9), sampling, VideoSettings())
    assert [(spec.frame_index[0], spec.frame_index[-1] + 1) for spec in specs] == frames
    assert [(spec.owned_start, spec.owned_stop) for spec in specs] == owned


def test_clock_takes_nearest_frames_of_uneven_video() -> None:
    video = a_video([0.1, 0.1, 0.9, 0.1, 0.8, 0.3])  # 0, .1, .2, 1.1, 1.2, 2.0, 2.3
    sampling = SamplingSettings(rate_hz=1.0)
    (spec,) = plan_clips(video, sampling, VideoSettings())
    assert spec.frame_index == (0, 3, 5)


def test_broken_stream_needs_consent() -> None:
    video = a_video([0.1] * 9, stream_break="Invalid data")
    with pytest.raises(BrokenStreamError, match=r"a\.mp4: .* 10 frames: Invalid data.*keep_frames"):
        plan_clips(video, SamplingSettings(), VideoSettings())
    policy = VideoSettings(broken_stream="keep_frames_before_break")
    specs = plan_clips(video, SamplingSettings(clip_frames=4), policy)
    assert {spec.stream_break for spec in specs} == {"Invalid data"}


def test_too_few_frames_names_both_numbers() -> None:
    with pytest.raises(TooFewFramesError, match="1 of its 2 frames are sampled, a clip needs 3"):
        plan_clips(a_video([0.1]), SamplingSettings(frame_stride=2), VideoSettings())
