"""What turns a clip's frames into an annotation, as a worker sees it; and this project's own.

A worker needs nothing else of a network, and nothing of torch: tests run batches on engines that
compute nothing, at a scale no network would allow. So torch is imported when an engine is loaded.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from easi3r.config import Precision, Settings
from easi3r.types import ClipAnnotation, ClipSpec, Frames

if TYPE_CHECKING:
    from easi3r.model import LoadedModel


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
            DeviceFaultError: the device failed; this process can use it no more.
        """
        ...


@runtime_checkable
class EngineFactory(Protocol):
    """Loads engines in workers; pickled by its name, so a module-level object or a class."""

    def __call__(self, settings: Settings, /) -> Engine:
        """The engine of these settings, loaded once per process.

        Raises:
            CheckpointError: the weights cannot be used.
            SettingsError: there is no such device here.
        """
        ...

    def hash_of_weights(self, settings: Settings, /) -> str:
        """SHA-256, hex, of the weights of these settings, without loading an engine.

        Raises:
            CheckpointError: the weights are missing, or of another hash than the settings'.
        """
        ...


@dataclass(frozen=True)
class ModelEngine:
    """The engine of this project: a network on its device, and the method of `pipeline`."""

    model: "LoadedModel"

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
        from easi3r.pipeline import decode_clip

        return decode_clip(spec, self.model, settings)

    def annotate(self, spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
        """See `Engine`."""
        from easi3r.pipeline import annotate_decoded

        return annotate_decoded(spec, frames, self.model, settings)


@dataclass(frozen=True)
class NetworkLoader:
    """The `EngineFactory` of this project: engines are `ModelEngine`s."""

    def __call__(self, settings: Settings) -> Engine:
        """See `EngineFactory`; the refiner of the masks, if there is one, is loaded beside it."""
        model, device = settings.model, settings.execution.device
        engine = warm_engine(model.weights, model.sha256, device, model.precision)
        if settings.masks.refine is not None:
            from easi3r.method.refiner import refiner_of

            refiner_of(settings.masks, engine.model.device)
        return engine

    def hash_of_weights(self, settings: Settings) -> str:
        """See `EngineFactory`; needs no torch."""
        from easi3r.model.locations import weights_sha256

        return weights_sha256(settings.model.weights, settings.model.sha256)


load_engine = NetworkLoader()


def hash_of_refiner(settings: Settings) -> str:
    """SHA-256, hex, of the weights that refine masks under settings; loads none of them.

    Raises:
        MissingPackageError: the refiner's package is not installed.
        CheckpointError: the weights are missing, or of another hash than the settings'.
        StorageUnavailableError: they cannot be fetched now.
    """
    from easi3r.masks.packages import require_refiner
    from easi3r.model.locations import weights_sha256

    masks = settings.masks
    require_refiner()
    return weights_sha256(masks.refiner_weights, masks.refiner_sha256)


@lru_cache(maxsize=1)
def warm_engine(
    weights: str, sha256: str | None, device: str, precision: Precision | None
) -> ModelEngine:
    """The engine of some weights, loaded once per process; later batches use it again.

    In its precision from the start, so that rounded weights take no memory a second time.

    Raises:
        CheckpointError: the weights cannot be used.
        SettingsError: there is no such device here.
        DeviceFaultError: the device failed.
    """
    from easi3r.method.device_faults import device_faults_named
    from easi3r.model import load_checkpoint
    from easi3r.pipeline import select_device

    chosen = select_device(device)
    with device_faults_named(str(chosen)):
        return ModelEngine(load_checkpoint(weights, sha256).on(chosen, precision))
