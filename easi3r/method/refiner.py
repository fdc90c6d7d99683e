"""The refiner of motion masks that settings ask for: its weights' hash, loaded once per process."""

from dataclasses import dataclass, replace
from functools import lru_cache

import torch

from easi3r.config import MaskSettings
from easi3r.errors import CheckpointError
from easi3r.masks import MaskTracker, RefinerMemory, refine_masks, require_refiner
from easi3r.masks.sam2 import load_sam2
from easi3r.method.device_faults import device_faults_named
from easi3r.method.padding import still_in_padding
from easi3r.model.locations import WEIGHTS_NAME, checked_sha256, local_files
from easi3r.tensors import DynamicMasks
from easi3r.types import Frames


@dataclass(frozen=True)
class Refiner:
    """A tracker that refines masks, and what results say of it.

    Attributes:
        name: of the method and its weights, as `sam2 facebook/sam2.1-hiera-large`.
        sha256: of the weights, hex; part of a result's identity.
    """

    name: str
    sha256: str
    tracker: MaskTracker

    def refine(self, frames: Frames, masks: DynamicMasks) -> DynamicMasks:
        """See `easi3r.masks.refine_masks`; nothing moves in padding, and scores stay."""
        mask = refine_masks(frames.images, masks.mask.cpu().numpy(), self.tracker)
        refined = replace(masks, mask=torch.from_numpy(mask).to(masks.mask.device))
        return still_in_padding(refined, frames)


def refiner_of(settings: MaskSettings, device: torch.device) -> Refiner | None:
    """The refiner that settings ask for, loaded once per process; None where they ask for none.

    Raises:
        MissingPackageError: the extra `sam2` is not installed.
        CheckpointError: its weights cannot be used.
        StorageUnavailableError: they cannot be fetched now.
        DeviceFaultError: the device failed.
    """
    return None if settings.refine is None else _loaded(settings, str(device))


def refiner_memory(
    settings: MaskSettings, device: torch.device, frames: Frames
) -> RefinerMemory | None:
    """Memory that the refiner of settings takes for a clip; None where there is none.

    Raises:
        As `refiner_of`.
    """
    refiner = refiner_of(settings, device)
    return None if refiner is None else refiner.tracker.memory(len(frames))


@lru_cache(maxsize=1)
def _loaded(settings: MaskSettings, device: str) -> Refiner:
    location = settings.refiner_weights
    require_refiner()
    with local_files(location) as files:
        if files.weights.name != WEIGHTS_NAME:  # what transformers loads from a folder
            problem = f"{files.weights.name} is not a folder with {WEIGHTS_NAME}"
            remedy = "Give a folder or repository of SAM 2 for video"
            raise CheckpointError(location, problem, remedy)
        sha256 = checked_sha256(location, files, settings.refiner_sha256)
        with device_faults_named(device):
            tracker = load_sam2(location, files.weights.parent, torch.device(device))
    return Refiner(f"{settings.refine} {files.name}", sha256, tracker)
