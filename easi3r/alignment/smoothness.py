"""Temporal smoothness: how far and how much the camera turns from each frame to the next."""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from easi3r.alignment.problem import State
from easi3r.geometry.rotations import rotation_vectors
from easi3r.geometry.tensor_cameras import cross_matrix


@dataclass(frozen=True)
class Smoothness:
    """Mean over consecutive frames of the angle (radians) plus the distance (clip units) between
    their cameras, times `weight` (MonST3R's smoothness term, with the angle itself for the chord).
    """

    weight: float

    def relative(
        self, state: State
    ) -> tuple[Float64[Tensor, "steps 3 3"], Float64[Tensor, "steps 3"]]:
        """Pose of each frame's successor in that frame's camera."""
        to_camera = state.rotation[:-1].mT
        shift = (to_camera @ state.centre.diff(dim=0)[..., None])[..., 0]
        return to_camera @ state.rotation[1:], shift

    def value(self, state: State) -> float:
        """The term, weighted."""
        rotation, shift = self.relative(state)
        angle = rotation_vectors(rotation).norm(dim=-1)
        return self.weight * float((angle + shift.norm(dim=-1)).mean())

    def terms(self, state: State) -> tuple[Float64[Tensor, "n n"], Float64[Tensor, " n"]]:
        """Curvature and gradient over the motions (shift, turn) of all frames, 6 numbers each.

        The derivative of a rotation's vector is taken at small angles; along the vector, which is
        all the gradient of its length needs, that is exact.
        """
        rotation, shift = self.relative(state)
        turn = rotation_vectors(rotation)
        steps = len(shift)
        eye = torch.eye(3, dtype=torch.float64, device=shift.device)
        jacobian = shift.new_zeros(steps, 2, 3, steps + 1, 6)
        step = torch.arange(steps, device=shift.device)
        jacobian[step, 0, :, step, :3] = -eye
        jacobian[step, 0, :, step, 3:] = cross_matrix(shift)
        jacobian[step, 0, :, step + 1, :3] = rotation
        jacobian[step, 1, :, step, 3:] = -rotation.mT
        jacobian[step, 1, :, step + 1, 3:] = eye
        residual = torch.stack([shift, turn], dim=1)
        scale = residual.norm(dim=-1).clamp_min(1e-6)
        weighted = jacobian.flatten(3) * (self.weight / steps / scale)[..., None, None]
        flat = jacobian.flatten(3).flatten(0, 2)
        pulled = weighted.flatten(0, 2).T
        return pulled @ flat, pulled @ residual.flatten()
