"""What a sequence scores without a network, beside ours: the same frames, the same scores."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from easi3r.evaluation.baselines import constant_velocity, mask_baselines, static_camera
from easi3r.evaluation.results import CONSTANT_DEPTH, CONSTANT_VELOCITY, STATIC_CAMERA
from easi3r.evaluation.sequence import TrueSequence
from easi3r.evaluation.sequence_scores import (
    Values,
    camera_values,
    depth_values,
    mask_values,
    point_values,
)
from easi3r.evaluation.stored_clips import StoredClip, source_masks
from easi3r.motion import DISFlow

Images = UInt8[np.ndarray, "frames height width 3"]
Depths = Sequence[Float32[np.ndarray, "frames height width"]]


def mask_baseline_values(
    sequence: TrueSequence, clips: Sequence[StoredClip], images: Sequence[Images]
) -> dict[str, Values]:
    """Figures of everything, nothing, frame difference and flow against a homography.

    Args:
        images: of each clip, at the stored size, which is the network's; the masks then go to the
            source's pixels as ours do.
    """
    masks: dict[str, list[Bool[np.ndarray, "frames height width"]]] = defaultdict(list)
    flow = DISFlow()
    for each in images:
        for one in mask_baselines(each, flow):
            masks[one.method].append(one.mask)
    return {
        method: mask_values(sequence, source_masks(sequence, clips, of_clips))
        for method, of_clips in masks.items()
    }


def geometry_baseline_values(
    sequence: TrueSequence, clips: Sequence[StoredClip], truths: Depths, with_points: bool
) -> dict[str, Values]:
    """Figures of a camera that stands, one that goes straight ahead, and of one depth.

    The one depth is our median, and its points are seen by our own cameras: no similarity takes
    one that stands to a path.

    Args:
        truths: true depth of each clip at the stored pixels.
    """
    plane = [np.full_like(clip.depth, np.median(clip.depth)) for clip in clips]
    values: dict[str, Values] = {}
    for method, poses in (
        (STATIC_CAMERA, static_camera),
        (CONSTANT_VELOCITY, constant_velocity),
    ):
        values[method], _ = camera_values(sequence, clips, [poses(len(clip)) for clip in clips])
    values[CONSTANT_DEPTH] = depth_values(plane, truths)
    if with_points:
        values[CONSTANT_DEPTH] |= point_values(sequence, clips, plane, truths)[0]
    return {method: one for method, one in values.items() if one}
