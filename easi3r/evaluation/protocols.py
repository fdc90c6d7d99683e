"""What an evaluation computes: as the paper's released code does, or as `easi3r annotate` does."""

from typing import Literal

from easi3r.config import Settings
from easi3r.evaluation.sequence import TrueSequence

Protocol = Literal["paper", "annotate"]

LONGEST_CLIP = 1024
"""Frames of a whole sequence as one clip, the most that `sampling.clip_frames` allows."""
_LONG_DAVIS = 95  # frames; above, the paper narrows the window
_LONG_WINDOW = 4
_PAPER = {
    "sampling": {"clip_frames": LONGEST_CLIP, "overlap_frames": 0, "frame_stride": 1},
    "shots": None,
    "graph": {"kind": "window", "window": 5, "stride": 2},
}


def frame_stride(protocol: Protocol) -> Literal["paper"] | int:
    """Which frames of a data set a protocol takes, as its readers want to know it."""
    return "paper" if protocol == "paper" else 1


def protocol_settings(sequence: TrueSequence, protocol: Protocol, settings: Settings) -> Settings:
    """The settings that a sequence is annotated with.

    `paper`: the whole sequence is one clip; pairs within a window of 5 offsets, stride 2, of 4 in
    DAVIS's sequences over 95 frames; DyCheck is resized and not cropped. What else is set, stays.
    `annotate`: all settings as they are.
    """
    if protocol == "annotate":
        return settings
    values = settings.model_dump()
    for group, chosen in _PAPER.items():
        values[group] = chosen and {**(values[group] or {}), **chosen}
    values["sampling"].update(rate_hz=None, min_frames=2)
    values["execution"]["clips_per_batch"] = 1  # long clips: every worker takes the next one
    if sequence.dataset == "davis" and len(sequence) > _LONG_DAVIS:
        values["graph"]["window"] = _LONG_WINDOW
    if sequence.dataset == "dycheck":
        values["video"]["fit"] = "resize"
    return Settings.parse(values)
