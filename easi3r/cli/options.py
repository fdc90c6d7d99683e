"""Options that several commands take, and the settings that they make together.

Nothing here is imported but typer: `easi3r --help` waits for it.
"""

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from easi3r.config import Settings
    from easi3r.knowledge import KnownInputs

Source = Annotated[str, typer.Argument(help="A video, folder, glob or manifest; any fsspec URL.")]
Destination = Annotated[str, typer.Argument(metavar="DEST", help="The dataset; any fsspec URL.")]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="JSON file of settings (see `easi3r settings`).")
]
Weights = Annotated[
    str | None, typer.Option(help="Name, .pth, folder, URL or Hugging Face repository.")
]
LongSide = Annotated[int | None, typer.Option(help="Pixels; default: the weights' own.")]
Fit = Annotated[
    str | None,
    typer.Option(metavar="crop|pad|resize", help="How frames come to whole patches."),
]
Refine = Annotated[
    str | None,
    typer.Option(metavar="sam2", help="Unite the masks with SAM 2's (the extra `sam2`)."),
]
ClipFrames = Annotated[int | None, typer.Option(help="Frames of a clip.")]
OverlapFrames = Annotated[int | None, typer.Option(help="Shared with the next clip.")]
Stride = Annotated[int | None, typer.Option(help="Take every n-th frame.")]
RateHz = Annotated[float | None, typer.Option(help="Take this many frames a second.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 ..; default: auto.")]
KeepBroken = Annotated[
    bool, typer.Option("--keep-broken", help="Keep the frames before a stream breaks.")
]
Intrinsics = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="Intrinsics that you know, in source pixels: a file (of many videos: it holds for "
        "all), or a folder as for --poses. Formats: docs/known-inputs.md.",
    ),
]
Poses = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="Camera poses that you know: of one video the file or folder itself; of many a folder "
        "with an entry for each, called as the video without its suffix.",
    ),
]
Metric = Annotated[bool, typer.Option("--metric", help="The poses are in metres.")]
MotionMasks = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="Masks of what moves: a folder of images; of many videos a folder of such folders, "
        "called as for --poses. In place of the method's, or united (motion.known_masks).",
    ),
]


@dataclass(frozen=True)
class RunOptions:
    """Options of every command that plans a run; None: left to the settings."""

    settings: SettingsFile = None
    weights: Weights = None
    long_side: LongSide = None
    clip_frames: ClipFrames = None
    overlap_frames: OverlapFrames = None
    stride: Stride = None
    rate_hz: RateHz = None
    device: Device = None
    keep_broken: KeepBroken = False
    fit: Fit = None
    refine: Refine = None

    def parsed(self) -> "Settings":
        """The settings of the file with the other options on top.

        Raises:
            SettingsError: the file is no JSON object, or a setting is out of its range.
        """
        broken_stream = "keep_frames_before_break" if self.keep_broken else None
        return parse_settings(
            self.settings,
            {
                "model": {"weights": self.weights},
                "video": {
                    "long_side_px": self.long_side,
                    "broken_stream": broken_stream,
                    "fit": self.fit,
                },
                "sampling": {
                    "clip_frames": self.clip_frames,
                    "overlap_frames": self.overlap_frames,
                    "frame_stride": self.stride,
                    "rate_hz": self.rate_hz,
                },
                "execution": {"device": self.device},
                "masks": {"refine": self.refine},
            },
        )


@dataclass(frozen=True)
class KnownOptions:
    """What the user knows of the videos, where no manifest names it."""

    intrinsics: Intrinsics = None
    poses: Poses = None
    metric: Metric = False
    motion_masks: MotionMasks = None

    def parsed(self) -> "KnownInputs":
        """The same, which may be nothing.

        Raises:
            SettingsError: metric, without poses.
        """
        from easi3r.errors import SettingsError
        from easi3r.knowledge import KnownInputs

        if self.metric and self.poses is None:
            problem = "says that poses are in metres, and there are none"
            remedy = "Give --poses PATH, or `poses` and `metric` as columns of a manifest"
            raise SettingsError("--metric", problem, remedy)
        return KnownInputs(self.intrinsics, self.poses, self.metric, self.motion_masks)


def takes_run_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with every field of its `RunOptions` and `KnownOptions` as an option.

    Typer reads a command's options from its signature, so this writes one.
    """
    groups: dict[str, type[Any]] = {}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        if parameter.annotation not in (RunOptions, KnownOptions):
            parameters.append(parameter)
            continue
        groups[name] = parameter.annotation
        hints = get_type_hints(parameter.annotation, include_extras=True)
        for field in fields(parameter.annotation):
            parameters.append(
                inspect.Parameter(
                    field.name,
                    inspect.Parameter.POSITIONAL_OR_KEYWORD,
                    default=field.default,
                    annotation=hints[field.name],
                )
            )

    def with_options(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    with_options.__name__, with_options.__doc__ = command.__name__, command.__doc__
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_options


def parse_settings(file: Path | None, options: dict[str, dict[str, Any]]) -> "Settings":
    """Settings of a file with options on top; an option that is None changes nothing.

    Raises:
        SettingsError: the file is no JSON object, or a setting is out of its range.
    """
    from easi3r.config import Settings

    values = {} if file is None else _read(file)
    for group, chosen in options.items():
        chosen = {name: value for name, value in chosen.items() if value is not None}
        if chosen:
            values[group] = {**values.get(group, {}), **chosen}
    # One clip a batch unless the file says otherwise: each is shown as soon as it is committed.
    values["execution"] = {"clips_per_batch": 1, **values.get("execution", {})}
    return Settings.parse(values)


def _read(file: Path) -> dict[str, Any]:
    from easi3r.errors import SettingsError

    try:
        values = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        remedy = "Give a JSON file such as `easi3r settings > settings.json` writes"
        raise SettingsError(str(file), f"cannot be read as JSON ({error})", remedy) from error
    if not isinstance(values, dict):
        raise SettingsError(str(file), "is not a JSON object", "See `easi3r settings`")
    return values
