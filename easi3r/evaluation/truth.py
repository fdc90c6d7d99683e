"""Ground truth of a clip, and its resampling to the resolution of an annotation."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64

from easi3r.evaluation.depth_scores import known_depth
from easi3r.geometry import on_picture, source_pixels, transform_intrinsics


@dataclass(frozen=True)
class Truth:
    """True depth, cameras and moving pixels of a video's frames.

    Attributes:
        depth: z in the camera; 0 or NaN where it is not known.
        camera_to_world: OpenCV axes.
        intrinsics: pixels of these arrays.
        dynamic_mask: True where something moves.
        objects: True on whatever could move, whether it does or not; None where not known.
    """

    depth: Float32[np.ndarray, "frames height width"]
    camera_to_world: Float64[np.ndarray, "frames 4 4"]
    intrinsics: Float64[np.ndarray, "frames 3 3"]
    dynamic_mask: Bool[np.ndarray, "frames height width"]
    objects: Bool[np.ndarray, "frames height width"] | None = None

    def __len__(self) -> int:
        return len(self.depth)

    @property
    def scene_depth(self) -> float:
        """Median of the known depths, in their unit; NaN where none is known."""
        known = known_depth(self.depth)
        return float(np.median(self.depth[known])) if known.any() else math.nan


def resample_truth(
    truth: Truth,
    frames: np.ndarray,
    source_to_stored: Float64[np.ndarray, "3 3"],
    height: int,
    width: int,
) -> Truth:
    """Ground truth of some frames at the pixels of an annotation, by the nearest source pixel.

    Nearest, because a depth or a mask averaged over an edge belongs to neither side. Beside the
    source's picture, in padding, no depth is known and nothing moves.

    Args:
        truth: at the resolution of the source video.
        frames: which source frames.
        source_to_stored: as in `easi3r.types.Frames`.
        height, width: pixels of the annotation.
    """
    source_shape = truth.depth.shape[1:]
    rows, columns = source_pixels(source_to_stored, height, width, source_shape)
    inside = on_picture(source_to_stored, height, width, source_shape)
    return Truth(
        depth=truth.depth[frames][:, rows, columns] * inside,
        camera_to_world=truth.camera_to_world[frames],
        intrinsics=transform_intrinsics(truth.intrinsics[frames], source_to_stored),
        dynamic_mask=truth.dynamic_mask[frames][:, rows, columns] & inside,
        objects=None if truth.objects is None else truth.objects[frames][:, rows, columns] & inside,
    )
