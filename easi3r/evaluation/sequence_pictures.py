"""A picture of a sequence: some of its frames, annotation beside truth."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from easi3r.evaluation.sequence import MOVING, TrueSequence
from easi3r.evaluation.source_pixels import PixelLookup
from easi3r.evaluation.stored_clips import StoredClip
from easi3r.viz import TruthRow, save_sheet, truth_sheet

_ROWS = 4


def draw_sequence(
    sequence: TrueSequence,
    clips: Sequence[StoredClip],
    images: Sequence[UInt8[np.ndarray, "frames height width 3"]],
    scores: Sequence[Float32[np.ndarray, "frames rows columns"]],
    truths: Sequence[Float32[np.ndarray, "frames height width"]],
    path: Path,
) -> None:
    """Write a sheet of frames spread over the sequence, at the stored size.

    Args:
        images, scores: of each clip: what it annotates, and its motion scores per token.
        truths: true depth of each clip, 0 where not known.

    Raises:
        TruthError: a true mask cannot be read.
        UnwritableDestinationError: `path` cannot be written.
    """
    owned = [(clip, frame) for clip, one in enumerate(clips) for frame in np.flatnonzero(one.owned)]
    rows = []
    for at in sorted({round(x) for x in np.linspace(0, len(owned) - 1, _ROWS)}):
        number, frame = owned[at]
        clip = clips[number]
        height, width = clip.size
        place = int(clip.places[frame])
        depth = truths[number][frame]
        rows.append(
            TruthRow(
                name=sequence.frame_names[place],
                image=images[number][frame],
                true_mask=_true_mask(sequence, clip, place),
                mask=clip.mask[frame],
                score=cv2.resize(scores[number][frame], (width, height)),
                true_depth=depth if depth.any() else None,
                depth=clip.depth[frame],
            )
        )
    save_sheet(truth_sheet(rows, sequence.name), path)


def _true_mask(
    sequence: TrueSequence, clip: StoredClip, place: int
) -> Bool[np.ndarray, "height width"] | None:
    """Where something truly moves, at the stored pixels."""
    truth = sequence.motion(place)
    if truth is None:
        return np.zeros(clip.size, bool) if sequence.nothing_moves else None
    size = (sequence.height, sequence.width)
    lookup = PixelLookup.to_source(clip.source_to_stored, size, clip.size, size)
    moving: Bool[np.ndarray, "height width"] = lookup(truth) == MOVING
    return moving
