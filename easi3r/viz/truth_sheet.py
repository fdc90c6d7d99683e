"""The truth sheet: one frame of several clips, annotation beside ground truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from matplotlib.figure import Figure

from easi3r.viz.style import (
    DEPTH_COLOURS,
    HEADING_SIZE,
    INK,
    LABEL_SIZE,
    MUTED,
    SCORE_COLOURS,
    TITLE_SIZE,
    bare,
    overlay_masks,
)

_TILE = 1.75  # inches, the longer side of a picture
_HEADER = 0.75
_LEFT = 0.35
_GAP = 0.06
_DEPTH_PERCENTILES = (2, 98)


@dataclass(frozen=True)
class TruthRow:
    """One frame of a clip.

    Attributes:
        image: RGB, 0..255.
        true_mask, mask: True where something moves; `true_mask` is None where that is not known.
        score: higher where something is more likely to move.
        true_depth: > 0; 0 or NaN where not known; None where none is.
        depth: > 0, in any unit: drawn after division by the median of depth / true depth.
    """

    name: str
    image: UInt8[np.ndarray, "height width 3"]
    true_mask: Bool[np.ndarray, "height width"] | None
    mask: Bool[np.ndarray, "height width"]
    score: Float32[np.ndarray, "height width"]
    true_depth: Float32[np.ndarray, "height width"] | None
    depth: Float32[np.ndarray, "height width"]


def truth_sheet(rows: Sequence[TruthRow], title: str) -> Figure:
    """Figure with a row per clip: frame, true and our mask, our score, true and our depth.

    Scores run from the lowest to the highest of the frame; depths are drawn on a logarithmic scale,
    so that a far background leaves something of the foreground, both of a row over one range.
    True masks and true depth have no column where no row has any.
    """
    names = ["frame", "true mask", "our mask", "our score", "true depth", "our depth"]
    if all(row.true_depth is None for row in rows):
        names.remove("true depth")
    if all(row.true_mask is None for row in rows):
        names.remove("true mask")
    heights = [_TILE * min(1.0, row.image.shape[0] / row.image.shape[1]) for row in rows]
    width = _LEFT + len(names) * (_TILE + _GAP) + 0.1
    height = _HEADER + sum(heights) + _GAP * len(rows) + 0.1
    figure = Figure(figsize=(width, height), facecolor="white")
    _write(figure, _LEFT, 0.28, title, HEADING_SIZE, "left")
    for column, name in enumerate(names):
        middle = _LEFT + column * (_TILE + _GAP) + _TILE / 2
        _write(figure, middle, _HEADER - 0.12, name, TITLE_SIZE, "center")
    top = _HEADER
    for row, tile_height in zip(rows, heights, strict=True):
        tile_width = tile_height * row.image.shape[1] / row.image.shape[0]
        pictures = _pictures(row)
        for column, name in enumerate(names):
            left = _LEFT + column * (_TILE + _GAP) + (_TILE - tile_width) / 2
            bottom = height - top - tile_height
            axes = figure.add_axes(
                (left / width, bottom / height, tile_width / width, tile_height / height)
            )
            one = pictures[name]
            axes.imshow(one.values, cmap=one.colours, vmin=one.low, vmax=one.high)
            bare(axes)
            if column == 0:
                axes.set_ylabel(row.name, fontsize=LABEL_SIZE, color=MUTED, labelpad=3)
        top += tile_height + _GAP
    return figure


@dataclass(frozen=True)
class _Picture:
    values: np.ndarray
    colours: str | None = None
    low: float | None = None
    high: float | None = None


def _pictures(row: TruthRow) -> dict[str, _Picture]:
    """Pictures by the name of their column."""
    true_depth = np.full_like(row.depth, np.nan) if row.true_depth is None else row.true_depth
    known = np.isfinite(true_depth) & (true_depth > 0)
    depth, true_depth = np.log(row.depth), np.log(true_depth, where=known, out=_unknown(known))
    if known.any():
        depth -= np.median((depth - true_depth)[known])
    shown = true_depth[known] if known.any() else depth
    near, far = np.percentile(shown, _DEPTH_PERCENTILES).tolist()
    true_mask = np.zeros_like(row.mask) if row.true_mask is None else row.true_mask
    masks = overlay_masks(np.stack([row.image] * 2), np.stack([true_mask, row.mask]))
    return {
        "frame": _Picture(row.image),
        "true mask": _Picture(masks[0]),
        "our mask": _Picture(masks[1]),
        "our score": _Picture(row.score, SCORE_COLOURS),
        "true depth": _Picture(true_depth, DEPTH_COLOURS, near, far),
        "our depth": _Picture(depth, DEPTH_COLOURS, near, far),
    }


def _unknown(like: np.ndarray) -> Float32[np.ndarray, "height width"]:
    return np.full(like.shape, np.nan, np.float32)


def _write(
    figure: Figure,
    left: float,
    top: float,
    text: str,
    size: float,
    align: Literal["left", "center"],
) -> None:
    """Text at a place in inches from the top left."""
    width, height = figure.get_size_inches()
    figure.text(
        left / width, 1 - top / height, text, fontsize=size, color=INK, parse_math=False,
        fontweight="bold" if align == "left" else "normal",
        horizontalalignment=align, verticalalignment="center",
    )  # fmt: skip
