"""The engine of this project: a network, warm on its device, behind the method of `pipeline`."""

from dataclasses import dataclass
from functools import lru_cache

from easi3r.config import Precision, Settings
from easi3r.model import LoadedModel, load_checkpoint
from easi3r.pipeline import annotate_decoded, decode_clip, select_device
from easi3r.types import ClipAnnotation, ClipSpec, Frames


@dataclass(frozen=True)
class ModelEngine:
    """An `easi3r.engine.Engine` around loaded weights."""

    model: LoadedModel

    @property
    def weights_sha256(self) -> str:
        """See `Engine`."""
        return self.model.sha256

    @property
    def device(self) -> str:
        """See `Engine`."""
        return str(self.model.device)

    def decode(self, spec: ClipSpec, settings: Settings) -> Frames:
        """See `Engine`."""
        return decode_clip(spec, self.model, settings)

    def annotate(self, spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
        """See `Engine`."""
        return annotate_decoded(spec, frames, self.model, settings)


@lru_cache(maxsize=1)
def warm_engine(
    weights: str, sha256: str | None, device: str, precision: Precision | None
) -> ModelEngine:
    """The engine of some weights, loaded once per process and kept for the batches that follow.

    In its precision from the start: what was rounded takes no memory a second time.

    Raises:
        CheckpointError: the weights cannot be used.
        SettingsError: there is no such device here.
    """
    return ModelEngine(load_checkpoint(weights, sha256).on(select_device(device), precision))
