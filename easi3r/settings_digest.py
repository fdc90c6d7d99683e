"""Which settings are part of a result's identity (docs/decisions/015-ids-that-stay.md)."""

from typing import Any

from pydantic import BaseModel

FIRST_SETTINGS: dict[str, frozenset[str]] = {
    "Settings": frozenset(
        ("sampling", "video", "graph", "model", "segmentation", "motion", "alignment", "store")
    ),
    "SamplingSettings": frozenset(
        ("clip_frames", "overlap_frames", "frame_stride", "rate_hz", "min_frames")
    ),
    "VideoSettings": frozenset(("long_side_px", "broken_stream")),
    "ShotSettings": frozenset(("detector", "threshold", "short_shots")),
    "GraphSettings": frozenset(("kind", "window", "stride")),
    "ModelSettings": frozenset(("precision",)),
    "SegmentationSettings": frozenset(("clusters", "seed")),
    "MotionCalibration": frozenset(("coefficients", "intercept", "threshold", "certain")),
    "MotionSettings": frozenset(("cue", "calibration", "match_layers", "match_heads")),
    "AlignmentSettings": frozenset(
        (
            "max_steps",
            "shared_focal",
            "min_confidence",
            "flow_weight",
            "flow_start_fraction",
            "flow_max_error_px",
            "flow_drop_above",
            "smoothness_weight",
            "depth_weight",
            "seed",
        )
    ),
    "StoreSettings": frozenset(("point_map", "frames_per_chunk", "mantissa_bits")),
}
"""The settings that take part in the digest at any value. Later ones take part only where they are
not at their default, so that a new setting does not make every dataset be computed anew."""

_NEVER_DIGESTED = {
    ("Settings", "execution"),
    ("Settings", "degenerate"),
    ("ModelSettings", "weights"),
    ("ModelSettings", "sha256"),
    ("MaskSettings", "refiner_weights"),
}
_SWITCHES = {"MaskSettings": "refine"}
"""Groups that change nothing where one of their settings is null, and the name of that setting."""


def digested(settings: BaseModel) -> dict[str, Any]:
    """The values of settings that take part in a digest."""
    kind = type(settings).__name__
    values: dict[str, Any] = {}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        switch = _SWITCHES.get(type(value).__name__)
        if switch is not None and getattr(value, switch) is None:
            continue
        changed = value != field.default or name in FIRST_SETTINGS.get(kind, ())
        if changed and (kind, name) not in _NEVER_DIGESTED:
            values[name] = digested(value) if isinstance(value, BaseModel) else value
    return values
