"""The truth sheet: one frame of several clips, what was found beside what is true."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from easi3r.viz.overlay import overlay_masks
from easi3r.viz.style import (
    DEPTH_COLOURS,
    HEADING_SIZE,
    INK,
    LABEL_SIZE,
    MUTED,
    RULE,
    SCORE_COLOURS,
    TITLE_SIZE,
)

_TILE = 1.75  # inches, the longer side of a picture
_HEADER = 0.75
_LEFT = 0.35
_GAP = 0.06
_COLUMNS = ("frame", "true mask", "our mask", "our score", "true depth", "our depth")
_DEPTH_PERCENTILES = (2, 98)


@dataclass(frozen=True)
class TruthRow:
    """One frame of a clip.

    Attributes:
        image: RGB, 0..255.
        true_mask, mask: True where something moves.
        score: higher where something is more likely to move.
        true_depth: > 0; 0 or NaN where not known.
        depth: > 0, in any unit: drawn after division by the median of depth / true depth.
    """

    name: str
    image: UInt8[np.ndarray, "height width 3"]
    true_mask: Bool[np.ndarray, "height width"]
    mask: Bool[np.ndarray, "height width"]
    score: Float32[np.ndarray, "height width"]
    true_depth: Float32[np.ndarray, "height width"]
    depth: Float32[np.ndarray, "height width"]


def truth_sheet(rows: Sequence[TruthRow], title: str) -> Figure:
    """A row a clip: frame, true and our mask, our score, true and our depth.

    Scores run from the lowest to the highest of the frame; both depths of a row share one range.
    """
    heights = [_tile_height(row) for row in rows]
    width = _LEFT + len(_COLUMNS) * (_TILE + _GAP) + 0.1
    height = _HEADER + sum(heights) + _GAP * len(rows) + 0.1
    figure = Figure(figsize=(width, height), facecolor="white")
    figure.text(
        _LEFT / width, 1 - 0.28 / height, title, fontsize=HEADING_SIZE, color=INK,
        fontweight="bold", verticalalignment="center",
    )  # fmt: skip
    top = _HEADER
    for row, tile_height in zip(rows, heights, strict=True):
        tile_width = tile_height * row.image.shape[1] / row.image.shape[0]
        for column, draw in enumerate(_pictures(row)):
            left = _LEFT + column * (_TILE + _GAP) + (_TILE - tile_width) / 2
            bottom = height - top - tile_height
            axes = figure.add_axes(
                (left / width, bottom / height, tile_width / width, tile_height / height)
            )
            axes.imshow(draw.values, cmap=draw.colours, vmin=draw.low, vmax=draw.high)
            _bare(axes)
            if column == 0:
                axes.set_ylabel(row.name, fontsize=LABEL_SIZE, color=MUTED, labelpad=3)
        top += tile_height + _GAP
    for column, name in enumerate(_COLUMNS):
        centre = _LEFT + column * (_TILE + _GAP) + _TILE / 2
        figure.text(
            centre / width, 1 - (_HEADER - 0.12) / height, name, fontsize=TITLE_SIZE, color=INK,
            horizontalalignment="center", verticalalignment="center",
        )  # fmt: skip
    return figure


@dataclass(frozen=True)
class _Picture:
    values: np.ndarray
    colours: str | None = None
    low: float | None = None
    high: float | None = None


def _tile_height(row: TruthRow) -> float:
    height, width = row.image.shape[:2]
    return _TILE * min(1.0, height / width)


def _pictures(row: TruthRow) -> list[_Picture]:
    known = np.isfinite(row.true_depth) & (row.true_depth > 0)
    scale = np.median(row.depth[known] / row.true_depth[known]) if known.any() else 1.0
    near, far = np.percentile(row.true_depth[known], _DEPTH_PERCENTILES) if known.any() else (0, 1)
    masks = overlay_masks(np.stack([row.image] * 2), np.stack([row.true_mask, row.mask]))
    return [
        _Picture(row.image),
        _Picture(masks[0]),
        _Picture(masks[1]),
        _Picture(row.score, SCORE_COLOURS),
        _Picture(np.where(known, row.true_depth, np.nan), DEPTH_COLOURS, near, far),
        _Picture(row.depth / scale, DEPTH_COLOURS, near, far),
    ]


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(RULE)
