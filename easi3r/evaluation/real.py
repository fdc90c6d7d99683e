"""`easi3r evaluate real`: the same scores on real video, as far as it has ground truth."""

import math
import time

import numpy as np
from jaxtyping import Bool

from easi3r.config import Settings
from easi3r.evaluation.examination import ExaminedClip, examine
from easi3r.evaluation.results import ClipResult, score_geometry, score_motion
from easi3r.evaluation.sequences import (
    FrameChoice,
    MaskedVideo,
    PosedFolder,
    read_masked,
    read_posed,
)
from easi3r.evaluation.truth import Truth
from easi3r.model import LoadedModel
from easi3r.motion import DISFlow
from easi3r.pipeline import frame_size
from easi3r.types import Frames
from easi3r.viz import TruthRow

_PICTURES = 4


def score_sequence(
    sequence: MaskedVideo | PosedFolder,
    model: LoadedModel,
    settings: Settings,
    choice: FrameChoice,
) -> ClipResult:
    """Score a sequence: the masks of a masked video; masks, cameras and depths of a posed one.

    In a posed sequence nothing moves.

    Raises:
        TruthError, VideoError: see `easi3r.evaluation.sequences`.
        As `easi3r.pipeline.annotate_frames`.
    """
    size = frame_size(model, settings)
    if isinstance(sequence, PosedFolder):
        frames, truth = read_posed(sequence, choice, *size)
        moving = truth.dynamic_mask
    else:
        frames, moving = read_masked(sequence, choice, *size)
        truth = None
    start = time.perf_counter()
    examined = examine(frames, model, settings)
    seconds = time.perf_counter() - start
    return ClipResult(
        name=sequence.name,
        group=sequence.name,
        frames=len(frames),
        height=frames.images.shape[1],
        width=frames.images.shape[2],
        scene_depth=math.nan if truth is None else truth.scene_depth,
        moving_share=float(moving.mean()),
        masks=score_motion(examined, frames, moving, None, DISFlow()),
        geometry={} if truth is None else score_geometry(examined, truth, camera_moves=True),
        seconds=seconds,
        pictures=_pictures(frames, examined, moving, truth),
    )


def _pictures(
    frames: Frames,
    examined: ExaminedClip,
    moving: Bool[np.ndarray, "frames height width"],
    truth: Truth | None,
) -> tuple[TruthRow, ...]:
    return tuple(
        TruthRow(
            name=f"frame {frames.frame_index[at]}",
            image=frames.images[at],
            true_mask=moving[at],
            mask=examined.masks.mask[at],
            score=examined.masks.score[at],
            true_depth=None if truth is None else truth.depth[at],
            depth=examined.reconstruction.depth[at],
        )
        for at in sorted({round(x) for x in np.linspace(0, len(frames) - 1, _PICTURES)})
    )
