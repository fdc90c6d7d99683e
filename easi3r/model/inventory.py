"""Named weights, and which of them are on this machine.

Nothing here goes online: for a repository this lists what is in the cache, while loading fetches a
newer revision where the server has one.
"""

from enum import StrEnum
from pathlib import Path

import torch
from huggingface_hub import constants
from pydantic import BaseModel, ConfigDict

from easi3r.errors import CheckpointError
from easi3r.model.catalogue import PUBLISHED_WEIGHTS, PublishedWeights, allows_commercial_use
from easi3r.model.checkpoints import read_config
from easi3r.model.locations import (
    WeightFiles,
    cached_files,
    embedded_names,
    file_sha256,
    files_on_disk,
    local_files,
)
from easi3r.model.network import DUSt3R
from easi3r.model.network_config import ModelConfig


class Place(StrEnum):
    """Where the file that `load_checkpoint` would read is."""

    EMBEDDED = "embedded"
    CACHED = "cached"  # by Hugging Face's library
    FOLDER = "folder"  # of the repository's name, which `load_checkpoint` prefers to the repository
    ABSENT = "not downloaded"


class WeightsFile(BaseModel):
    """The file of weights on this machine: its path, its size and the SHA-256 of its bytes."""

    model_config = ConfigDict(frozen=True)

    path: Path
    bytes: int
    sha256: str

    @classmethod
    def read(cls, path: Path) -> "WeightsFile":
        """Reads all of it, for the hash."""
        return cls(path=path, bytes=path.stat().st_size, sha256=file_sha256(path))


class NamedWeights(BaseModel):
    """Named weights with their size, licence, source and file.

    Attributes:
        name: what `load_checkpoint` and `easi3r annotate --weights` take.
        method: whose network this is: DUSt3R, or MonST3R, which has the same architecture.
        parameters: how many numbers the network has.
        long_side_px: of the images the weights were trained at.
        commercial_use: whether the licence is known to allow it.
        source: where the weights come from.
        file: None where they are not on this machine.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    method: str
    parameters: int
    long_side_px: int
    licence: str
    commercial_use: bool
    source: str
    place: Place
    file: WeightsFile | None

    def rows(self) -> tuple[tuple[str, str], ...]:
        """(label, value) pairs for a table."""
        size = f"{self.parameters / 1e6:.1f} M parameters, images of {self.long_side_px} px"
        commercial = "allowed" if self.commercial_use else "not allowed"
        here, sha256 = str(self.place), "unknown until downloaded"
        if self.file is not None:
            here = f"{self.place}, {self.file.bytes / 1e6:.1f} MB: {self.file.path}"
            sha256 = self.file.sha256
        return (
            ("network", f"{self.method}, {size}"),
            ("licence", f"{self.licence}; commercial use {commercial}"),
            ("source", self.source),
            ("here", here),
            ("SHA-256", sha256),
        )

    def __str__(self) -> str:
        width = max(len(label) for label, _ in self.rows())
        lines = (f"  {label:<{width}}  {value}" for label, value in self.rows())
        return "\n".join((self.name, *lines))


def list_weights() -> list[NamedWeights]:
    """The embedded weights, then the published ones; reads every file of theirs that is here.

    Raises:
        CheckpointError: a folder of a repository's path, which would be loaded in its stead,
            holds no checkpoint.
    """
    embedded = [_embedded(name) for name in embedded_names()]
    return embedded + [_published(weights) for weights in PUBLISHED_WEIGHTS]


def named_weights(name: str) -> NamedWeights:
    """Size, licence, source and file of the weights of a name.

    Raises:
        CheckpointError: no weights of that name are known; or as `list_weights`.
    """
    if name in embedded_names():
        return _embedded(name)
    for weights in PUBLISHED_WEIGHTS:
        if weights.repository == name:
            return _published(weights)
    known = [*embedded_names(), *(weights.repository for weights in PUBLISHED_WEIGHTS)]
    remedy = (
        f"Give one of {', '.join(known)}; "
        "paths, URLs and other repositories go straight to `easi3r annotate --weights`"
    )
    raise CheckpointError(name, "no weights are known by that name", remedy)


def _embedded(name: str) -> NamedWeights:
    with local_files(name) as files:
        assert files.config is not None, "embedded weights have their config beside them"
        config, licence = read_config(name, name, files.config)
        return NamedWeights(
            name=name,
            method="DUSt3R",
            parameters=_parameters(config),
            long_side_px=config.long_side_px,
            licence=licence,
            commercial_use=allows_commercial_use(licence),
            source="part of easi3r",
            place=Place.EMBEDDED,
            file=WeightsFile.read(files.weights),
        )


def _published(weights: PublishedWeights) -> NamedWeights:
    place, files = _at_hand(weights.repository)
    return NamedWeights(
        name=weights.repository,
        method=weights.method,
        parameters=_parameters(weights.config),
        long_side_px=weights.config.long_side_px,
        licence=weights.licence,
        commercial_use=allows_commercial_use(weights.licence),
        source=f"{constants.ENDPOINT}/{weights.repository}",
        place=place,
        file=None if files is None else WeightsFile.read(files.weights),
    )


def _at_hand(repository: str) -> tuple[Place, WeightFiles | None]:
    """Place and files of a repository's weights, searched in the order of `load_checkpoint`."""
    if Path(repository).exists():
        return Place.FOLDER, files_on_disk(Path(repository))
    files = cached_files(repository)
    return (Place.ABSENT if files is None else Place.CACHED), files


def _parameters(config: ModelConfig) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in DUSt3R(config).parameters())
