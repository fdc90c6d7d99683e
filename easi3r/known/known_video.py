"""What a user knows of one video, frame by frame, at its own pixels and at stored ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from easi3r.errors import KnownInputError
from easi3r.geometry import source_pixels, transform_intrinsics
from easi3r.knowledge import KnownCameras, KnownInputs
from easi3r.known.array_masks import ArrayMasks
from easi3r.known.distortion import Distortion
from easi3r.known.motion_masks import MaskFolder
from easi3r.types import ClipSpec

_COVERAGE_REMEDY = (
    "Give one for every frame that clips read; numbers in names count from 0, times match within"
    " 0.02 s"
)


@dataclass(frozen=True)
class KnownVideo:
    """Cameras and motion masks of a video, for each of its frames.

    Pixels are those of the upright source (after rotation metadata), centres at integers.

    Attributes:
        inputs: where they were read.
        intrinsics: without distortion; rows of NaN: the file has no camera for that frame.
        camera_to_world: OpenCV axes; rows of NaN: the file has no pose for that frame.
        metric: `camera_to_world` is in metres.
        distortion: of the lens; frames and masks are undistorted with it before anything else.
        masks: of what moves.
        digest: 64 hex digits, from SHA-256 of all of the above (masks: names and bytes).
    """

    inputs: KnownInputs
    intrinsics: Float64[np.ndarray, "frames 3 3"] | None
    camera_to_world: Float64[np.ndarray, "frames 4 4"] | None
    metric: bool
    distortion: Distortion | None
    masks: MaskFolder | ArrayMasks | None
    digest: str

    def require(self, specs: Sequence[ClipSpec]) -> None:
        """Check that every frame that clips read is covered.

        Raises:
            KnownInputError: names the file, what is missing, the first such frame and the remedy.
        """
        frames = np.unique(np.concatenate([[], *(spec.frame_index for spec in specs)])).astype(int)
        for what, url, known in self._coverage():
            missing = frames[~known[frames]]
            if len(missing):
                problem = (
                    f"has no {what} of frame {missing[0]} of {specs[0].video_url}"
                    f" ({len(missing)} of the {len(frames)} frames that clips read have none)"
                )
                raise KnownInputError(url, problem, _COVERAGE_REMEDY)

    def cameras(
        self,
        frame_index: Int64[np.ndarray, " frames"],
        source_to_stored: Float64[np.ndarray, "3 3"],
    ) -> KnownCameras:
        """The cameras of some frames, in stored pixels.

        Args:
            frame_index: frames of the source.
            source_to_stored: as in `easi3r.types.Frames`.
        """
        intrinsics, poses = self.intrinsics, self.camera_to_world
        return KnownCameras(
            intrinsics=None
            if intrinsics is None
            else transform_intrinsics(intrinsics[frame_index], source_to_stored),
            camera_to_world=None if poses is None else poses[frame_index],
            scale="metric" if self.metric else "arbitrary",
        )

    def moving(
        self,
        frame_index: Int64[np.ndarray, " frames"],
        source_to_stored: Float64[np.ndarray, "3 3"],
        height: int,
        width: int,
    ) -> Bool[np.ndarray, "frames height width"] | None:
        """What the user's masks say of some frames, at stored pixels; None without masks.

        By the nearest source pixel, undistorted; outside of the source nothing moves.

        Raises:
            KnownInputError: a mask is missing, damaged or of another size.
            StorageUnavailableError: storage fails for now.
        """
        if self.masks is None:
            return None
        # One pixel more on every side, where nothing moves, is what lies outside of the source.
        into_padded = np.array([[1.0, 0, -1], [0, 1, -1], [0, 0, 1]])
        padded_shape = (self.masks.size[1] + 2, self.masks.size[0] + 2)
        rows, columns = source_pixels(source_to_stored @ into_padded, height, width, padded_shape)
        masks = (np.pad(self._mask(self.masks, int(frame)), 1) for frame in frame_index)
        return np.stack([mask[rows, columns] for mask in masks])

    def _mask(self, masks: MaskFolder | ArrayMasks, frame: int) -> Bool[np.ndarray, "height width"]:
        mask = masks.read(frame)
        if self.distortion is None:
            return mask
        return self.distortion.undistort(mask.astype(np.uint8), "nearest").astype(bool)

    def _coverage(self) -> list[tuple[str, str, Bool[np.ndarray, " frames"]]]:
        """What is known, where it was read, and of which frames."""
        coverage = []
        arrays = (
            ("intrinsics", self.inputs.intrinsics, self.intrinsics),
            ("pose", self.inputs.poses, self.camera_to_world),
        )
        for what, url, array in arrays:
            if array is not None:
                coverage.append((what, str(url), np.isfinite(array[:, 0, 0])))
        if self.masks is not None:
            there = np.array([name is not None for name in self.masks.names])
            coverage.append(("mask", self.masks.url, there))
        return coverage
