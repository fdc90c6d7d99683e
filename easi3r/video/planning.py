"""Cutting a video into clips: which frames each one reads, and which it answers for."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int64

from easi3r.config import SamplingSettings, VideoSettings
from easi3r.errors import BrokenStreamError, TooFewFramesError
from easi3r.types import ClipSpec, Video

_TICK_TOLERANCE = 1e-6  # of a clock tick: frame times are exact to far less


def plan_clips(
    video: Video, sampling: SamplingSettings, policy: VideoSettings
) -> tuple[ClipSpec, ...]:
    """The clips of a video, in its order.

    Frames are sampled (every `frame_stride`-th, or those nearest to a clock of `rate_hz` that
    starts with the first frame, none twice), and windows of `clip_frames` of them follow each
    other, `overlap_frames` shared. The last window is moved back so as to end with the last
    sampled frame: all have full length, unless the video itself is shorter than one. What two
    windows share is owned half and half, so each has context on both sides; the owned ranges
    partition all source frames, sampled or not.

    Raises:
        BrokenStreamError: the stream breaks midway and `policy.broken_stream` does not accept it.
        TooFewFramesError: fewer than `min_frames` sampled frames.
    """
    if video.stream_break is not None and policy.broken_stream == "quarantine":
        raise BrokenStreamError(
            video.url,
            f"decoding stops after {len(video)} frames: {video.stream_break}",
            "Repair the file, or set video.broken_stream to keep_frames_before_break",
        )
    sampled = _sampled_frames(video.pts_seconds, sampling)
    if len(sampled) < sampling.min_frames:
        raise TooFewFramesError(
            video.url,
            f"{len(sampled)} of its {len(video)} frames are sampled, a clip needs"
            f" {sampling.min_frames}",
            "Sample more densely, lower sampling.min_frames, or leave this video out",
        )
    starts = _window_starts(len(sampled), sampling)
    length = min(sampling.clip_frames, len(sampled))
    cuts = [sampled[(first + length + second) // 2] for first, second in pairwise(starts)]
    return tuple(
        _spec(video, sampled[start : start + length], int(owned_start), int(owned_stop))
        for start, (owned_start, owned_stop) in zip(
            starts, pairwise([0, *cuts, len(video)]), strict=True
        )
    )


def _sampled_frames(
    pts_seconds: Float64[np.ndarray, " frames"], sampling: SamplingSettings
) -> Int64[np.ndarray, " sampled"]:
    if sampling.rate_hz is None:
        return np.arange(0, len(pts_seconds), sampling.frame_stride, dtype=np.int64)
    # A frame is nearest to a tick exactly if a tick lies between the midpoints to its neighbours:
    # one look at each frame, however fast the clock.
    ticks = (pts_seconds - pts_seconds[0]) * sampling.rate_hz
    midpoints = (ticks[1:] + ticks[:-1]) / 2
    before = np.concatenate(
        [[0.0], np.ceil(midpoints), [np.floor(ticks[-1] + _TICK_TOLERANCE) + 1]]
    )
    return np.flatnonzero(before[1:] > before[:-1]).astype(np.int64)


def _window_starts(sampled: int, sampling: SamplingSettings) -> list[int]:
    last = max(sampled - sampling.clip_frames, 0)
    return [*range(0, last, sampling.clip_frames - sampling.overlap_frames), last]


def _spec(
    video: Video, frames: Int64[np.ndarray, " read"], owned_start: int, owned_stop: int
) -> ClipSpec:
    return ClipSpec(
        video_url=video.url,
        video_fingerprint=video.fingerprint,
        frame_index=tuple(frames.tolist()),
        pts_seconds=tuple(video.pts_seconds[frames].tolist()),
        owned_start=owned_start,
        owned_stop=owned_stop,
        stream_break=video.stream_break,
        timestamps_derived=video.timestamps_derived,
    )
