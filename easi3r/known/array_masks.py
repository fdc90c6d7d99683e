"""Motion masks that a user holds in memory."""

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool


@dataclass(frozen=True)
class ArrayMasks:
    """Masks of every frame of a video; what `easi3r.known.motion_masks.MaskFolder` is for files.

    Attributes:
        moving: True where something moves.
        url: as messages name them.
    """

    moving: Bool[np.ndarray, "frames height width"]
    url: str = "motion_masks"

    @property
    def names(self) -> tuple[str, ...]:
        """Of the mask of each frame."""
        return tuple(str(frame) for frame in range(len(self.moving)))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.moving.shape[2], self.moving.shape[1]

    def read(self, frame: int) -> Bool[np.ndarray, "height width"]:
        """The mask of one frame."""
        return self.moving[frame]

    def digest(self) -> str:
        """SHA-256, hex, of all masks."""
        whole = hashlib.sha256(str(self.moving.shape).encode())
        whole.update(np.packbits(self.moving).tobytes())
        return whole.hexdigest()
