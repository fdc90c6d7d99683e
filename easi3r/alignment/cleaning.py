"""Cleaning after the alignment (docs/method.md §6, last item)."""

import torch
from jaxtyping import Bool, Float32
from torch import Tensor

from easi3r.alignment.maps import blocks
from easi3r.alignment.problem import Pixels, State

IN_FRONT = 1e-3
"""A point contradicts a depth if it is nearer by more than this fraction of it."""


def contradicted_pixels(
    state: State, pixels: Pixels, confidence: Float32[Tensor, "frames height width"]
) -> Bool[Tensor, "frames height width"]:
    """True where a pixel's point lies in front of the depth of a more confident pixel of another
    frame.

    Args:
        state: with the depths of all pixels.
    """
    frames, height, width = confidence.shape
    flat = confidence.flatten(1)
    result = torch.zeros_like(flat, dtype=torch.bool)
    to_camera = state.rotation.mT
    focal, principal = state.focal.float()[..., None], state.principal.float()[..., None]
    for frame in range(frames):
        rotation = (to_camera @ state.rotation[frame]).float()
        shift = (to_camera @ (state.centre[frame] - state.centre)[..., None]).float()
        for part in blocks(height * width, frames, flat.device):
            (rays,) = state.rays(slice(frame, frame + 1), pixels.position[:, part])
            points = state.depth[frame, part] * rays
            seen = rotation @ points + shift
            depth = seen[:, 2]
            front = torch.where(depth > 0, depth, 1.0)[:, None]
            x, y = (seen[:, :2] / front * focal + principal).round().unbind(1)
            inside = (depth > 0) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
            index = torch.where(inside, y * width + x, 0.0).long()
            nearer = depth < (1 - IN_FRONT) * state.depth.gather(1, index)
            doubted = flat[frame, part] < flat.gather(1, index)
            result[frame, part] = (inside & nearer & doubted).any(0)
    return result.view(frames, height, width)
