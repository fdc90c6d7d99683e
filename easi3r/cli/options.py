"""Settings as commands take them: a file, with the options given on the command line on top."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from easi3r.config import Settings
from easi3r.errors import SettingsError

Source = Annotated[str, typer.Argument(help="A video, folder, glob or manifest; any fsspec URL.")]
Destination = Annotated[str, typer.Argument(metavar="DEST", help="The dataset; any fsspec URL.")]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="JSON file of settings (see `easi3r settings`).")
]
Weights = Annotated[
    str | None, typer.Option(help="Name, .pth, folder, URL or Hugging Face repository.")
]
LongSide = Annotated[int | None, typer.Option(help="Pixels; default: the weights' own.")]
ClipFrames = Annotated[int | None, typer.Option(help="Frames of a clip.")]
OverlapFrames = Annotated[int | None, typer.Option(help="Shared with the next clip.")]
Stride = Annotated[int | None, typer.Option(help="Take every n-th frame.")]
RateHz = Annotated[float | None, typer.Option(help="Take this many frames a second.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 ..; default: auto.")]
KeepBroken = Annotated[
    bool, typer.Option("--keep-broken", help="Keep the frames before a stream breaks.")
]
MetricsPort = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Serve Prometheus metrics on this port of 127.0.0.1."),
]
ClipLog = Annotated[
    Path | None, typer.Option(help="Append one line of JSON per settled clip to this file.")
]


def annotation_settings(
    file: Path | None,
    *,
    weights: str | None,
    long_side: int | None,
    clip_frames: int | None,
    overlap_frames: int | None,
    stride: int | None,
    rate_hz: float | None,
    device: str | None,
    keep_broken: bool,
) -> Settings:
    """The settings of a run from the options of `annotate` and `plan`, which are the same.

    Raises:
        SettingsError: as `chosen_settings`.
    """
    options: dict[str, dict[str, Any]] = {
        "model": {"weights": weights},
        "video": {
            "long_side_px": long_side,
            "broken_stream": "keep_frames_before_break" if keep_broken else None,
        },
        "sampling": {
            "clip_frames": clip_frames,
            "overlap_frames": overlap_frames,
            "frame_stride": stride,
            "rate_hz": rate_hz,
        },
        "execution": {"device": device},
    }
    return chosen_settings(file, options)


def chosen_settings(file: Path | None, options: dict[str, dict[str, Any]]) -> Settings:
    """Settings of a file with options on top; an option that is None was not given.

    Raises:
        SettingsError: the file is no JSON object, or a setting is out of its range.
    """
    values = {} if file is None else _read(file)
    for group, given in options.items():
        given = {name: value for name, value in given.items() if value is not None}
        if given:
            values[group] = {**values.get(group, {}), **given}
    # One clip a batch unless the file says otherwise: each is shown as soon as it is committed.
    values["execution"] = {"clips_per_batch": 1, **values.get("execution", {})}
    return Settings.parse(values)


def _read(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        remedy = "Give a JSON file such as `easi3r settings > settings.json` writes"
        raise SettingsError(str(file), f"cannot be read as JSON ({error})", remedy) from error
    if not isinstance(values, dict):
        raise SettingsError(str(file), "is not a JSON object", "See `easi3r settings`")
    return values
