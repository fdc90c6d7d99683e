"""Committed clips of a sequence, as scores and baselines take them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float32, Float64, Int64

from easi3r.evaluation.sequence import TrueSequence
from easi3r.evaluation.source_pixels import PixelLookup

Mask = Bool[np.ndarray, "height width"]


@dataclass(frozen=True)
class StoredClip:
    """A clip of a sequence; read from the store once, values and all.

    Attributes:
        places: of its frames in the sequence.
        owned: which of them no other clip owns.
        source_to_stored: as in `easi3r.types.Frames`.
        mask: True where something moves.
        depth, camera_to_world, intrinsics: as in `easi3r.types.Reconstruction`.
    """

    places: Int64[np.ndarray, " frames"]
    owned: Bool[np.ndarray, " frames"]
    source_to_stored: Float64[np.ndarray, "3 3"]
    mask: Bool[np.ndarray, "frames height width"]
    depth: Float32[np.ndarray, "frames height width"]
    camera_to_world: Float64[np.ndarray, "frames 4 4"]
    intrinsics: Float64[np.ndarray, "frames 3 3"]

    @classmethod
    def of(cls, clip: xr.Dataset) -> "StoredClip":
        """A clip as `easi3r.open_dataset` gives it, of a video that holds the sequence's frames."""
        places = clip["frame_index"].to_numpy()
        start, stop = clip.attrs["owned_start"], clip.attrs["owned_stop"]
        return cls(
            places=places,
            owned=(places >= start) & (places < stop),
            source_to_stored=np.asarray(clip.attrs["source_to_stored"], np.float64).reshape(3, 3),
            mask=clip["dynamic_mask"].to_numpy().astype(bool),
            depth=clip["depth"].to_numpy().astype(np.float32),
            camera_to_world=clip["camera_to_world"].to_numpy().astype(np.float64),
            intrinsics=clip["intrinsics"].to_numpy().astype(np.float64),
        )

    def __len__(self) -> int:
        return len(self.places)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the stored frames."""
        return self.mask.shape[1], self.mask.shape[2]

    def true_depth(self, sequence: TrueSequence) -> Float32[np.ndarray, "frames height width"]:
        """True depth at the stored pixels; 0 where it is not known."""
        depth = np.zeros(self.depth.shape, np.float32)
        lookups: dict[tuple[int, ...], PixelLookup] = {}
        for frame, place in enumerate(self.places.tolist()):
            image = sequence.depth(place)
            if image is None:
                continue
            if image.shape not in lookups:
                rows, columns = image.shape
                lookups[image.shape] = PixelLookup.to_source(
                    self.source_to_stored,
                    (sequence.height, sequence.width),
                    self.size,
                    (rows, columns),
                )
            depth[frame] = lookups[image.shape](image)
        return depth


def source_masks(
    sequence: TrueSequence,
    clips: Iterable[StoredClip],
    masks: Iterable[Bool[np.ndarray, "frames height width"]],
) -> Iterator[tuple[int, Mask]]:
    """Place and mask of every frame that a clip owns, at the source's pixels, in order.

    What the crop lost counts as not moving.

    Args:
        masks: of each clip, at its stored size.
    """
    for clip, mask in zip(clips, masks, strict=True):
        lookup = PixelLookup.to_stored(
            clip.source_to_stored, (sequence.height, sequence.width), clip.size
        )
        for frame in np.flatnonzero(clip.owned).tolist():
            yield int(clip.places[frame]), lookup(mask[frame])
