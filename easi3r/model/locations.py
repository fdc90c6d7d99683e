"""Where weights are: embedded by name, a path, a Hugging Face repository, or any fsspec URL."""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import fsspec

from easi3r.errors import CheckpointError, StorageUnavailableError

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
SAFETENSORS_SUFFIX = ".safetensors"
WEIGHTS_SUFFIXES = (".pth", ".pt", SAFETENSORS_SUFFIX)


@dataclass(frozen=True)
class WeightFiles:
    """Files of one checkpoint on local disk.

    Attributes:
        name: how results name the weights.
        weights: `.pth` or `.safetensors`.
        config: JSON description of the network; None where the weights hold their own.
    """

    name: str
    weights: Path
    config: Path | None


@contextlib.contextmanager
def local_files(location: str) -> Iterator[WeightFiles]:
    """The files behind a location, fetched if need be; see `load_checkpoint` for its forms.

    Raises:
        CheckpointError: nothing usable is there.
        StorageUnavailableError: the network or the server failed; try again.
    """
    embedded = _embedded_folder()
    if location in embedded_names():
        with (
            resources.as_file(embedded / f"{location}{SAFETENSORS_SUFFIX}") as weights,
            resources.as_file(embedded / f"{location}.json") as config,
        ):
            yield WeightFiles(location, weights, config)
    elif "://" in location:
        yield _fetch(location)
    elif Path(location).exists():
        yield files_on_disk(Path(location))
    elif re.fullmatch(r"[\w.-]+/[\w.-]+", location) and not location.endswith(WEIGHTS_SUFFIXES):
        yield _from_hub(location)
    else:
        problem = "no such file or folder, and no embedded weights of that name"
        remedy = f"Give a path, a URL, a Hugging Face repository or one of {embedded_names()}"
        raise CheckpointError(location, problem, remedy)


def embedded_names() -> list[str]:
    """Names of the weights that are part of the package."""
    folder = _embedded_folder()
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    return sorted(
        n.removesuffix(SAFETENSORS_SUFFIX) for n in names if n.endswith(SAFETENSORS_SUFFIX)
    )


def embedded_card(name: str) -> str | None:
    """The model card, Markdown, of embedded weights; None for other names and without a card."""
    card = _embedded_folder() / f"{name}.md"
    return card.read_text() if name in embedded_names() and card.is_file() else None


def cache_folder() -> Path:
    """Folder of downloads: `EASI3R_CACHE`, else `easi3r` in the user's cache folder."""
    if chosen := os.environ.get("EASI3R_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "easi3r"


def file_sha256(path: Path) -> str:
    """SHA-256, hex, of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights_sha256(location: str, expected: str | None = None) -> str:
    """SHA-256, hex, of the weights at a location; see `load_checkpoint` for its forms.

    Raises:
        CheckpointError: nothing usable is there, or its hash is not the expected one.
        StorageUnavailableError: the network or the server failed; try again.
    """
    with local_files(location) as files:
        return checked_sha256(location, files, expected)


def checked_sha256(location: str, files: WeightFiles, expected: str | None) -> str:
    """SHA-256, hex, of a checkpoint's weights.

    Args:
        location: what an error is about.
        expected: what it must be; None: anything.

    Raises:
        CheckpointError: it is another, or the file cannot be read.
    """
    try:
        sha256 = file_sha256(files.weights)
    except OSError as error:
        problem = f"{files.weights} cannot be read ({error})"
        raise CheckpointError(location, problem, "Give a file that can be read") from error
    if expected is not None and sha256 != expected.lower():
        problem = f"the weights' SHA-256 is {sha256}, not {expected}"
        raise CheckpointError(location, problem, "Correct the hash or fetch the weights again")
    return sha256


def files_on_disk(path: Path) -> WeightFiles:
    """A folder as on Hugging Face, a `.pth`, or a `.safetensors` with its config beside it.

    Raises:
        CheckpointError: the config or the weights are missing.
    """
    if path.is_dir():
        weights, config = path / WEIGHTS_NAME, path / CONFIG_NAME
        absent = [file.name for file in (weights, config) if not file.is_file()]
        if absent:
            problem = f"the folder lacks {' and '.join(absent)}"
            raise CheckpointError(str(path), problem, "Give a folder that holds both, or a .pth")
        return WeightFiles(path.resolve().name, weights, config)
    if path.suffix != SAFETENSORS_SUFFIX:
        return WeightFiles(path.stem, path, None)
    for config in (path.with_suffix(".json"), path.with_name(CONFIG_NAME)):
        if config.is_file():
            return WeightFiles(path.stem, path, config)
    problem = "no config stands beside the weights"
    remedy = f"Put the network's size in {path.with_suffix('.json').name} or {CONFIG_NAME} there"
    raise CheckpointError(str(path), problem, remedy)


def cached_files(repository: str) -> WeightFiles | None:
    """What Hugging Face's cache holds of a repository; None unless complete. Never goes online."""
    from huggingface_hub import try_to_load_from_cache  # slow, and only for repositories

    config = try_to_load_from_cache(repository, CONFIG_NAME)
    weights = try_to_load_from_cache(repository, WEIGHTS_NAME)
    if not isinstance(config, str) or not isinstance(weights, str):
        return None
    return WeightFiles(repository, Path(weights), Path(config))


def _embedded_folder() -> Traversable:
    return resources.files("easi3r") / "weights"


def _from_hub(repository: str) -> WeightFiles:
    """A Hugging Face repository, through its own cache (`HF_HOME`) and server (`HF_ENDPOINT`)."""
    from huggingface_hub import hf_hub_download  # slow, and only for repositories
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        config = Path(hf_hub_download(repository, CONFIG_NAME))
        weights = Path(hf_hub_download(repository, WEIGHTS_NAME))
    except LocalEntryNotFoundError as error:
        problem = f"Hugging Face cannot be reached and its cache lacks the weights ({error})"
        remedy = "Check the network, or give the path of a downloaded copy"
        raise StorageUnavailableError(repository, problem, remedy) from error
    except RepositoryNotFoundError as error:
        problem = "no such path here, and no such (or no open) repository on Hugging Face"
        raise CheckpointError(repository, problem, "Check the path or the repository id") from error
    except EntryNotFoundError as error:
        problem = f"the repository lacks {CONFIG_NAME} or {WEIGHTS_NAME}"
        raise CheckpointError(repository, problem, "Use a repository that holds both") from error
    except HfHubHTTPError as error:
        problem = f"Hugging Face answered with an error ({error})"
        raise StorageUnavailableError(repository, problem, "Try again later") from error
    return WeightFiles(repository, weights, config)


def _fetch(url: str) -> WeightFiles:
    """A `.pth`, a `.safetensors` or a folder at an fsspec URL, downloaded once to the cache."""
    url = url.rstrip("/")
    folder = cache_folder() / "weights" / hashlib.sha256(url.encode()).hexdigest()[:16]
    parent, _, name = url.rpartition("/")
    if not name.endswith(WEIGHTS_SUFFIXES):
        config = _download(f"{url}/{CONFIG_NAME}", folder / CONFIG_NAME)
        return WeightFiles(name, _download(f"{url}/{WEIGHTS_NAME}", folder / WEIGHTS_NAME), config)
    weights = _download(url, folder / name)
    if not name.endswith(SAFETENSORS_SUFFIX):
        return WeightFiles(weights.stem, weights, None)
    own_config = f"{weights.stem}.json"
    try:
        config = _download(f"{parent}/{own_config}", folder / own_config)
    except CheckpointError:
        config = _download(f"{parent}/{CONFIG_NAME}", folder / CONFIG_NAME)
    return WeightFiles(weights.stem, weights, config)


def _download(url: str, target: Path) -> Path:
    """Fetch once: complete under its name or not there at all, its SHA-256 recorded beside it."""
    record = target.with_name(f"{target.name}.sha256")
    if target.is_file() and record.is_file():
        if file_sha256(target) != record.read_text().strip():
            problem = f"the copy in the cache, {target}, has changed since it was downloaded"
            raise CheckpointError(url, problem, f"Delete {target.parent} and run again")
        return target
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        filesystem, path = fsspec.core.url_to_fs(url)
        filesystem.get_file(path, str(partial))
        record.write_text(file_sha256(partial))
        partial.replace(target)
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        problem = f"it cannot be read ({type(error).__name__}: {error})"
        raise CheckpointError(url, problem, "Check the URL and your credentials") from error
    except (ValueError, ImportError) as error:
        problem = f"fsspec cannot open it ({error})"
        raise CheckpointError(url, problem, "Use a URL that fsspec knows") from error
    except Exception as error:  # each storage has errors of its own
        problem = f"the download failed ({type(error).__name__}: {error})"
        if 400 <= getattr(error, "status", 500) < 500:
            raise CheckpointError(url, problem, "Check the URL and your credentials") from error
        remedy = "Try again later, or check the URL and your credentials"
        raise StorageUnavailableError(url, problem, remedy) from error
    finally:
        partial.unlink(missing_ok=True)
    return target
