"""The contact sheet of a clip: frames, motion scores, masks, depths, camera path."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from easi3r.types import Frames
from easi3r.viz.camera_path import draw_camera_path
from easi3r.viz.style import (
    ACCENT,
    DEPTH_COLOURS,
    HEADING_SIZE,
    INK,
    LABEL_SIZE,
    MOVING_COLOUR,
    MUTED,
    RULE,
    SCORE_COLOURS,
    TITLE_SIZE,
    WARNING,
    bare,
    overlay_masks,
)

_GREY = 205  # stands in for a frame that cannot be read
_DEPTH_PERCENTILES = (2, 98)
_UNITS = {"m": "m", "1": "arbitrary unit"}


@dataclass(frozen=True)
class _Row:
    """A row of pictures; RGB, or values with their colours and range."""

    name: str
    values: np.ndarray
    colours: str | None = None
    low: float | None = None
    high: float | None = None
    scale_label: str = ""


@dataclass(frozen=True)
class _Layout:
    """Layout of the sheet, in inches from the top left."""

    rows: int
    columns: int
    tile_width: float
    tile_height: float
    header: float

    left = 0.42
    gap = 0.07
    bar = 0.95
    panel_left = 0.45
    path_side = 3.1
    panel_gap = 0.85
    series_height = 1.1
    right = 0.3
    bottom = 0.5
    column_titles = 0.28

    @property
    def tiles_height(self) -> float:
        return self.rows * (self.tile_height + self.gap) - self.gap

    @property
    def tiles_right(self) -> float:
        return self.left + self.columns * (self.tile_width + self.gap) - self.gap

    @property
    def panels_at(self) -> float:
        return self.tiles_right + self.bar + self.panel_left

    @property
    def top(self) -> float:
        return self.header + self.column_titles

    @property
    def width(self) -> float:
        return self.panels_at + self.path_side + self.right

    @property
    def height(self) -> float:
        return self.top + max(self.tiles_height, self.panels_height) + self.bottom

    @property
    def panels_height(self) -> float:
        return self.path_side + self.panel_gap + self.series_height

    def axes(self, figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
        """Axes at a rectangle in inches, the y axis of the page pointing down."""
        bottom = 1 - (top + height) / self.height
        return figure.add_axes(
            (left / self.width, bottom, width / self.width, height / self.height)
        )

    def tile(self, figure: Figure, row: int, column: int) -> Axes:
        left = self.left + column * (self.tile_width + self.gap)
        top = self.top + row * (self.tile_height + self.gap)
        return self.axes(figure, left, top, self.tile_width, self.tile_height)


def contact_sheet(
    clip: xr.Dataset, frames: Frames | None, count: int = 5, remark: str = ""
) -> Figure:
    """Frame, motion score, mask and depth at evenly spaced times; camera path; provenance.

    Args:
        clip: as `easi3r.open_dataset` gives it.
        frames: of the same frames and size; None leaves their row out, with a remark.
        count: number of times, at most; a shorter clip shows every frame.
        remark: a line under the heading, in a warning colour.

    Raises:
        ValueError: `frames` are not those of the clip.
    """
    if frames is not None:
        _require_same_frames(clip, frames)
    length, height, width = clip["depth"].shape
    sampled = sorted({round(at) for at in np.linspace(0, length - 1, min(count, length))})
    shown = clip[["time", "dynamic_score", "dynamic_mask", "depth"]].isel(time=sampled).load()
    if frames is None:
        remark = remark or "The source's frames were not at hand: drawn without them"
    rows = _rows(shown, None if frames is None else frames.images[sampled])
    layout = _Layout(
        rows=len(rows),
        columns=len(sampled),
        tile_width=min(2.35, 1.75 * width / height),
        tile_height=min(2.35, 1.75 * width / height) * height / width,
        header=1.14 if remark else 0.9,
    )
    figure = Figure(figsize=(layout.width, layout.height), facecolor="white")
    _draw_header(figure, layout, clip, remark)
    _draw_tiles(figure, layout, shown, rows)
    _draw_camera_path(figure, layout, clip, sampled)
    _draw_moving_share(figure, layout, clip, sampled)
    return figure


def _require_same_frames(clip: xr.Dataset, frames: Frames) -> None:
    shape = frames.images.shape[:3]
    if shape != clip["depth"].shape:
        raise ValueError(f"frames are {shape}, the clip is {clip['depth'].shape}")
    if not np.array_equal(frames.frame_index, clip["frame_index"]):
        raise ValueError("frames and clip name different source frames")


def _draw_header(figure: Figure, layout: _Layout, clip: xr.Dataset, remark: str) -> None:
    attributes, provenance = clip.attrs, clip.attrs["provenance"]
    time, index = clip["time"].to_numpy(), clip["frame_index"].to_numpy()
    url = attributes["source_url"]
    name = urlsplit(url).path.rstrip("/").rsplit("/", 1)[-1] or url
    span = f"{len(time)} frames, {time[0]:.2f} s to {time[-1]:.2f} s"
    weights = f"{provenance['weights_name']} ({provenance['weights_sha256'][:12]})"
    lines = [
        (HEADING_SIZE, INK, "bold", f"{name}   {span}"),
        (LABEL_SIZE, MUTED, "normal", f"clip {attributes['clip_id']}   source {url}"),
        (
            LABEL_SIZE,
            MUTED,
            "normal",
            f"source frames {index[0]} to {index[-1]}   weights {weights}   "
            f"licence {attributes['licence']}   easi3r {provenance['code_version']}",
        ),
    ]
    if remark:
        lines.append((LABEL_SIZE, WARNING, "bold", remark))
    top = 0.3
    for size, colour, weight, text in lines:
        limit = int((layout.width - 2 * layout.left) / (size * 0.0078))
        position = (layout.left / layout.width, 1 - top / layout.height)
        figure.text(
            *position, _shortened(text, limit), fontsize=size, color=colour, fontweight=weight,
            verticalalignment="center", parse_math=False,
        )  # fmt: skip
        top += 0.26 if size == HEADING_SIZE else 0.2


def _shortened(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    half = (limit - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def _draw_tiles(figure: Figure, layout: _Layout, shown: xr.Dataset, rows: list[_Row]) -> None:
    height, width = shown.sizes["y"], shown.sizes["x"]
    # Tokens cover the same picture as pixels, whose centres are integers.
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    for number, row in enumerate(rows):
        for column in range(layout.columns):
            axes = layout.tile(figure, number, column)
            picture = axes.imshow(
                row.values[column],
                cmap=row.colours,
                vmin=row.low,
                vmax=row.high,
                extent=extent,
                interpolation="nearest",
            )
            bare(axes)
            if column == 0:
                axes.set_ylabel(row.name, fontsize=TITLE_SIZE, color=INK, labelpad=5)
            if number == 0:
                time = f"{float(shown['time'][column]):.2f} s"
                axes.set_title(time, fontsize=TITLE_SIZE, color=INK, pad=5)
        if row.colours:
            _colour_bar(figure, layout, number, picture, row.scale_label)


def _rows(shown: xr.Dataset, images: np.ndarray | None) -> list[_Row]:
    masks, depth = shown["dynamic_mask"].to_numpy().astype(bool), shown["depth"].to_numpy()
    near, far = np.percentile(depth, _DEPTH_PERCENTILES).tolist()
    unit = _UNITS[shown["depth"].attrs["units"]]
    ground = images if images is not None else np.full((*masks.shape, 3), _GREY, np.uint8)
    rows = [
        _Row(
            "motion score",
            shown["dynamic_score"].to_numpy(),
            SCORE_COLOURS,
            0.0,
            1.0,
            "0 still, 1 moving",
        ),
        _Row("mask", overlay_masks(ground, masks)),
        _Row("depth", depth, DEPTH_COLOURS, near, far, f"depth ({unit})"),
    ]
    return rows if images is None else [_Row("frame", images), *rows]


def _colour_bar(figure: Figure, layout: _Layout, row: int, picture: AxesImage, label: str) -> None:
    top = layout.top + row * (layout.tile_height + layout.gap)
    axes = layout.axes(figure, layout.tiles_right + 0.1, top, 0.1, layout.tile_height)
    bar = figure.colorbar(picture, cax=axes, ticks=MaxNLocator(4, steps=[1, 2, 5, 10]))
    bar.outline.set_edgecolor(RULE)
    bar.set_label(label, fontsize=LABEL_SIZE, color=MUTED)
    axes.tick_params(labelsize=LABEL_SIZE, colors=MUTED, length=2)


def _draw_camera_path(
    figure: Figure, layout: _Layout, clip: xr.Dataset, sampled: list[int]
) -> None:
    side = layout.path_side
    axes = layout.axes(figure, layout.panels_at, layout.top, side, side)
    draw_camera_path(
        axes,
        clip["camera_to_world"].to_numpy(),
        clip["intrinsics"].to_numpy(),
        clip.sizes["x"],
        float(np.median(clip["depth"].isel(time=sampled))),
        sampled,
        _UNITS[clip["depth"].attrs["units"]],
    )
    _plain(axes)


def _draw_moving_share(
    figure: Figure, layout: _Layout, clip: xr.Dataset, sampled: list[int]
) -> None:
    top = layout.top + layout.path_side + layout.panel_gap
    axes = layout.axes(figure, layout.panels_at, top, layout.path_side, layout.series_height)
    time = clip["time"].to_numpy()
    share = 100 * clip["dynamic_mask"].mean(("y", "x")).to_numpy()
    colour = tuple(channel / 255 for channel in MOVING_COLOUR)
    axes.fill_between(time, share, color=colour, alpha=0.2, linewidth=0)
    axes.plot(time, share, color=colour, linewidth=1.4)
    axes.scatter(
        time[sampled], share[sampled], s=9, color=ACCENT, zorder=3, linewidths=0, clip_on=False
    )
    axes.set_ylim(0, max(5, 1.15 * share.max()))
    axes.set_xlim(time[0], time[-1])
    axes.set_title("Moving pixels", fontsize=TITLE_SIZE, color=INK, loc="left")
    axes.set_xlabel("time (s)", fontsize=LABEL_SIZE, color=MUTED)
    axes.set_ylabel("share (%)", fontsize=LABEL_SIZE, color=MUTED)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.tick_params(labelsize=LABEL_SIZE, colors=MUTED, length=2.5)
    axes.grid(color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_color(RULE)
