"""Padding beside the picture of padded frames: it never moves, and it says nothing of a scene."""

from dataclasses import replace

import torch
from jaxtyping import Bool
from torch import Tensor

from easi3r.tensors import DynamicMasks, PairPrediction
from easi3r.types import Frames, Reconstruction

UNSURE = 1.0
"""The network's smallest confidence, of which the alignment takes next to nothing."""


def picture_of(frames: Frames, device: torch.device) -> Bool[Tensor, "height width"]:
    """True on the picture of a clip's frames, False on their padding."""
    height, width = frames.images.shape[1:3]
    return torch.from_numpy(frames.padding.picture(height, width)).to(device)


def unsure_in_padding(prediction: PairPrediction, frames: Frames) -> PairPrediction:
    """Predictions whose padding has the smallest confidence; the same object where there is none.

    Registration, focals and cameras leave such pixels out, and the alignment weighs them by a
    thousandth: a network makes up what it shows there.
    """
    if not any(frames.padding):
        return prediction
    padded = ~picture_of(frames, prediction.confidence_1.device)
    return replace(
        prediction,
        confidence_1=prediction.confidence_1.masked_fill(padded, UNSURE),
        confidence_2=prediction.confidence_2.masked_fill(padded, UNSURE),
    )


def still_in_padding(masks: DynamicMasks, frames: Frames) -> DynamicMasks:
    """Masks of which nothing moves in the padding."""
    if not any(frames.padding):
        return masks
    return replace(masks, mask=masks.mask & picture_of(frames, masks.mask.device))


def unknown_in_padding(reconstruction: Reconstruction, frames: Frames) -> Reconstruction:
    """A reconstruction whose padding has no confidence; its depths there continue the picture's."""
    if not any(frames.padding):
        return reconstruction
    picture = frames.padding.picture(*reconstruction.confidence.shape[1:])
    return replace(reconstruction, confidence=reconstruction.confidence * picture)
