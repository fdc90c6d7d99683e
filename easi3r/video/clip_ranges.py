"""Cutting a video into clips: which frames each one reads, and which it owns."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int64

from easi3r.config import SamplingSettings, ShotSettings, VideoSettings
from easi3r.errors import BrokenStreamError, TooFewFramesError
from easi3r.types import ClipSpec, Video

_TICK_TOLERANCE = 1e-6  # of a clock tick: frame times are exact to far less


def plan_clips(
    video: Video,
    sampling: SamplingSettings,
    policy: VideoSettings,
    shots: ShotSettings | None = None,
) -> tuple[ClipSpec, ...]:
    """The clips of a video, in its order.

    Frames are sampled (every `frame_stride`-th, or those nearest to a clock of `rate_hz` that
    starts with the first frame, none twice). Within each shot, windows of `clip_frames` of them
    follow each other, `overlap_frames` shared. The last window is moved back so as to end with the
    last sampled frame: all have full length, unless the shot itself is shorter than one. What two
    windows share is owned half and half, so each has context on both sides; the owned ranges
    partition the source frames of the shots, sampled or not.

    Args:
        shots: as the video was probed with; None: the whole video is one shot.

    Raises:
        BrokenStreamError: the stream breaks midway and `policy.broken_stream` does not accept it.
        TooFewFramesError: no shot has `min_frames` sampled frames.
    """
    if video.stream_break is not None and policy.broken_stream == "quarantine":
        raise BrokenStreamError(
            video.url,
            f"decoding stops after {len(video)} frames: {video.stream_break}",
            "Repair the file, or set video.broken_stream to keep_frames_before_break",
        )
    sampled = _sampled_frames(video.pts_seconds, sampling)
    specs: list[ClipSpec] = []
    for start, stop in _shots(video, sampled, sampling.min_frames, shots):
        within = sampled[(sampled >= start) & (sampled < stop)]
        if len(within) >= sampling.min_frames:
            specs += _windows(video, within, start, stop, sampling)
    if not specs:
        raise TooFewFramesError(
            video.url,
            f"{len(sampled)} of its {len(video)} frames are sampled"
            f"{f' in {len(video.cuts) + 1} shots' if video.cuts else ''}, a clip needs"
            f" {sampling.min_frames}",
            "Sample more densely, lower sampling.min_frames, or leave this video out",
        )
    return tuple(specs)


def left_out_shots(
    video: Video, sampling: SamplingSettings, shots: ShotSettings | None
) -> tuple[tuple[int, int], ...]:
    """Source frames [start, stop) of the shots too short for a clip, where those are reported."""
    if shots is None or shots.short_shots == "merge":
        return ()
    sampled = _sampled_frames(video.pts_seconds, sampling)
    pieces = pairwise([0, *video.cuts, len(video)])
    return tuple(piece for piece in pieces if _count(sampled, piece) < sampling.min_frames)


def _shots(
    video: Video,
    sampled: Int64[np.ndarray, " sampled"],
    min_frames: int,
    settings: ShotSettings | None,
) -> list[tuple[int, int]]:
    """Source frames [start, stop) of each shot, short ones merged if the settings say so."""
    pieces = list(pairwise([0, *video.cuts, len(video)]))
    if settings is None or settings.short_shots == "report":
        return pieces
    merged: list[tuple[int, int]] = []
    for piece in pieces:
        first_is_short = len(merged) == 1 and _count(sampled, merged[0]) < min_frames
        if merged and (first_is_short or _count(sampled, piece) < min_frames):
            merged[-1] = (merged[-1][0], piece[1])
        else:
            merged.append(piece)
    return merged


def _count(sampled: Int64[np.ndarray, " sampled"], piece: tuple[int, int]) -> int:
    return int(np.searchsorted(sampled, piece[1]) - np.searchsorted(sampled, piece[0]))


def _windows(
    video: Video,
    sampled: Int64[np.ndarray, " sampled"],
    shot_start: int,
    shot_stop: int,
    sampling: SamplingSettings,
) -> Iterator[ClipSpec]:
    starts = _window_starts(len(sampled), sampling)
    length = min(sampling.clip_frames, len(sampled))
    cuts = [sampled[(first + length + second) // 2] for first, second in pairwise(starts)]
    owned = pairwise([shot_start, *cuts, shot_stop])
    for start, (owned_start, owned_stop) in zip(starts, owned, strict=True):
        yield _spec(video, sampled[start : start + length], int(owned_start), int(owned_stop))


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
