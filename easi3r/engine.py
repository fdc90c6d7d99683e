"""What turns a clip's frames into an annotation, as a worker sees it.

A batch needs nothing else of a network, and nothing of torch: tests run batches on engines that
compute nothing, at a scale no network would allow.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from easi3r.config import Settings
from easi3r.types import ClipAnnotation, ClipSpec, Frames


@runtime_checkable
class Engine(Protocol):
    """Warm: one per process, used by one thread at a time but for `decode`, which overlaps.

    Attributes:
        weights_sha256: of the weights, hex; part of a result's identity.
        device: as quarantine records name it.
    """

    @property
    def weights_sha256(self) -> str: ...

    @property
    def device(self) -> str: ...

    def decode(self, spec: ClipSpec, settings: Settings) -> Frames:
        """The frames that the clip reads, at the size `annotate` wants.

        Raises:
            VideoError, UnreadableURLError: they cannot be read.
            StorageUnavailableError: not now.
        """
        ...

    def annotate(self, spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
        """Masks, cameras and depths of decoded frames.

        Raises:
            PermanentError: the frames allow none.
            OutOfMemoryError: the device is too small for `settings`.
        """
        ...


EngineFactory = Callable[[Settings], Engine]


def load_engine(settings: Settings) -> Engine:
    """The method of this project with the weights of the settings; loaded once per process.

    Raises:
        CheckpointError: the weights cannot be used.
        SettingsError: there is no such device here.
    """
    # Imported here: torch takes seconds, and whoever brings another engine does without.
    from easi3r.model_engine import warm_engine

    model, device = settings.model, settings.execution.device
    return warm_engine(model.weights, model.sha256, device, model.precision)
