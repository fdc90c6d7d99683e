"""The protocol of refinement: every frame's mask, united with what its neighbours' masks say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, UInt8


@dataclass(frozen=True)
class RefinerMemory:
    """Memory of a tracker, in bytes.

    Attributes:
        held_bytes: of its weights, as long as the process lives.
        working_bytes: upper bound of what one clip takes besides, while it is refined.
    """

    held_bytes: int
    working_bytes: int


@runtime_checkable
class MaskTracker(Protocol):
    """Follows one object through the frames of a clip."""

    def track(
        self,
        images: UInt8[np.ndarray, "frames height width 3"],
        prompts: Mapping[int, Bool[np.ndarray, "height width"]],
    ) -> dict[int, Bool[np.ndarray, "height width"]]:
        """Masks of every frame that is not prompted.

        Args:
            images: RGB.
            prompts: the object's mask in some frames, by number; at least one.
        """
        ...

    def memory(self, frames: int) -> RefinerMemory:
        """Memory for a clip of so many frames."""
        ...


def refine_masks(
    images: UInt8[np.ndarray, "frames height width 3"],
    mask: Bool[np.ndarray, "frames height width"],
    tracker: MaskTracker,
) -> Bool[np.ndarray, "frames height width"]:
    """The union of masks and what a tracker makes of them: it never removes a pixel.

    The masks of the odd frames prompt a propagation that gives those of the even ones, then the
    other way round; so no frame's own mask, right or wrong, takes part in its propagated one. All
    that moves is one object. Frames where nothing moves prompt too, unless that is all of them.
    """
    refined = mask.copy()
    for first in (1, 0):
        prompts = {number: mask[number] for number in range(first, len(mask), 2)}
        if any(prompt.any() for prompt in prompts.values()):
            for number, tracked in tracker.track(images, prompts).items():
                refined[number] |= tracked
    return refined
