"""Presentation times of a stream's frames, also where the container gives none that are usable."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Float64


def seconds_of(timestamp: int | None, time_base: Fraction | None) -> float:
    """A timestamp in seconds, the float nearest to it; NaN where there is none."""
    if timestamp is None or time_base is None:
        return float("nan")
    return float(timestamp * time_base)


def ascending_times(
    pts_seconds: Sequence[float], dts_seconds: Sequence[float], frame_seconds: float | None
) -> tuple[Float64[np.ndarray, " frames"], bool]:
    """Strictly ascending times of frames in presentation order, and whether any was derived.

    Timestamps that are present and ascend are returned as they are. Otherwise the decoder's order
    stands (it is the presentation order) and the timestamps are mended: of presentation and
    decoding timestamps those with fewer faults are taken (AVI has only the latter); a frame whose
    time is missing, or not later than all before it, is placed evenly between its neighbours, or
    `frame_seconds` apart where there is no neighbour on that side.

    Args:
        pts_seconds, dts_seconds: in presentation order; NaN where missing.
        frame_seconds: duration of a frame from the stream's frame rate, None if it has none.

    Raises:
        ValueError: times have to be extrapolated and `frame_seconds` is None.
    """
    candidates = [np.asarray(pts_seconds, np.float64), np.asarray(dts_seconds, np.float64)]
    sound = [_later_than_all_before(times) for times in candidates]
    best = max(range(2), key=lambda which: int(sound[which].sum()))  # of equals: presentation
    if sound[0].all():
        return candidates[0], False
    return _mended(candidates[best], sound[best], frame_seconds), True


def _later_than_all_before(times: Float64[np.ndarray, " frames"]) -> Bool[np.ndarray, " frames"]:
    latest = np.maximum.accumulate(np.where(np.isnan(times), -np.inf, times))
    return times > np.concatenate([[-np.inf], latest[:-1]])


def _mended(
    times: Float64[np.ndarray, " frames"],
    sound: Bool[np.ndarray, " frames"],
    frame_seconds: float | None,
) -> Float64[np.ndarray, " frames"]:
    frames = np.arange(len(times))
    anchors = np.flatnonzero(sound)
    if not (sound[0] and sound[-1]) and frame_seconds is None:
        raise ValueError("neither timestamps nor a frame rate")
    if len(anchors) == 0:
        return frames * float(frame_seconds or 0)
    mended = np.interp(frames, anchors, times[anchors])
    outside = frames - frames.clip(anchors[0], anchors[-1])
    return mended + outside * float(frame_seconds or 0)
