"""Masks and reconstructions of the pipeline, laid out for scoring."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn import functional

from easi3r.config import Settings
from easi3r.evaluation.baselines import MotionMasks
from easi3r.model import LoadedModel
from easi3r.motion import MotionEvidence
from easi3r.pipeline import examine_frames
from easi3r.tensors import DynamicMasks
from easi3r.types import Frames, Reconstruction

OURS = "ours"


@dataclass(frozen=True)
class ExaminedClip:
    """Masks and reconstructions of one clip.

    Attributes:
        masks: of the cue that the settings choose, under the name `OURS`.
        cues: of every cue alone.
        reconstruction: of the second, re-weighted pass.
        first_reconstruction: of the first pass.
        evidence: inputs of the combined cue.
    """

    masks: MotionMasks
    cues: tuple[MotionMasks, ...]
    reconstruction: Reconstruction
    first_reconstruction: Reconstruction
    evidence: MotionEvidence


def examine(frames: Frames, model: LoadedModel, settings: Settings) -> ExaminedClip:
    """Run the pipeline on frames in memory.

    Raises:
        As `easi3r.pipeline.examine_frames`.
    """
    examination = examine_frames(frames, model, settings)
    return ExaminedClip(
        masks=_motion_masks(OURS, examination.masks),
        cues=tuple(_motion_masks(f"cue {one.name}", one.masks) for one in examination.cues),
        reconstruction=examination.reconstruction,
        first_reconstruction=examination.first_reconstruction,
        evidence=examination.evidence,
    )


def _motion_masks(method: str, masks: DynamicMasks) -> MotionMasks:
    height, width = masks.mask.shape[1:]
    score = _at_pixels(masks.score.float(), height, width)
    return MotionMasks(method, masks.mask.cpu().numpy(), score)


def _at_pixels(
    score: Float[Tensor, "frames rows columns"], height: int, width: int
) -> Float32[np.ndarray, "frames height width"]:
    """Scores of a grid that tiles the image, upsampled bilinearly to pixels."""
    pixels = functional.interpolate(
        score[:, None], size=(height, width), mode="bilinear", align_corners=False
    )
    return pixels[:, 0].cpu().numpy()
