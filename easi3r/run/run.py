"""One run over a collection, as it travels from the flow to the workers."""

import os
from dataclasses import dataclass, replace

from easi3r.config import Settings
from easi3r.knowledge import KnownInputs
from easi3r.run.engine import EngineFactory, load_engine
from easi3r.store import result_id
from easi3r.types import ClipSpec


@dataclass(frozen=True)
class Run:
    """What is annotated, where to, and how: small, frozen, and pickled to workers.

    Attributes:
        source: a video, a folder, a glob or a manifest, on any fsspec URL; absolute.
        destination: the dataset, on any fsspec URL; absolute.
        settings: of the run; the hashes of the weights are in them once the run is prepared.
        load: loads a worker's engine; a module-level object, so that it is pickled by its name.
        known: cameras and masks of the videos, where no manifest names them
            (`easi3r.plan.known_sources`); absolute. None: none.
    """

    source: str
    destination: str
    settings: Settings
    load: EngineFactory = load_engine
    known: KnownInputs | None = None

    @classmethod
    def of(
        cls,
        source: str,
        destination: str,
        settings: Settings,
        load: EngineFactory = load_engine,
        known: KnownInputs | None = None,
    ) -> "Run":
        """A run whose local paths are made absolute."""
        source, destination = absolute_location(source), absolute_location(destination)
        known = known.with_paths(absolute_location) if known else None
        return cls(source, destination, settings, load, known)

    def with_weights(self, sha256: str) -> "Run":
        """The run with the hash of its weights pinned: every worker uses those bytes or none."""
        pinned = self.settings.model.model_copy(update={"sha256": sha256})
        return replace(self, settings=self.settings.model_copy(update={"model": pinned}))

    def with_refiner(self, sha256: str) -> "Run":
        """The run with the hash of its refiner's weights pinned; it takes part in `result_id`."""
        pinned = self.settings.masks.model_copy(update={"refiner_sha256": sha256})
        return replace(self, settings=self.settings.model_copy(update={"masks": pinned}))

    def result_id(self, spec: ClipSpec) -> str:
        """Identity of the result that this run makes of a clip; the weights' hash is pinned."""
        return self.result_id_of(spec.clip_id, spec.known_digest)

    def result_id_of(self, clip_id: str, known_digest: str | None) -> str:
        """As `result_id`, by what of a clip takes part in it."""
        settings_digest = self.settings.result_digest(known_digest)
        return result_id(clip_id, self.settings.model.sha256 or "", settings_digest)


def absolute_location(location: str) -> str:
    """A URL as it is; a local path, which may hold `::`, made the same in every process."""
    if "://" in location:
        return location
    absolute = os.path.abspath(location)
    return f"{absolute}/" if location.endswith("/") else absolute
