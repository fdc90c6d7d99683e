"""Loading and saving checkpoints of every released layout, strictly checked (docs/method.md §1)."""

import argparse
import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeGuard

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from easi3r.config import Precision, WeightDefaults
from easi3r.errors import CheckpointError, SettingsError
from easi3r.model.catalogue import defaults_of, licence_of
from easi3r.model.locations import WeightFiles, checked_sha256, local_files
from easi3r.model.network import DUSt3R
from easi3r.model.network_config import ModelConfig
from easi3r.model.precision import defaults_on
from easi3r.model.released import parse_constructor, released_config

State = dict[str, Tensor]
_DEFAULTS = "easi3r_defaults"  # key of the safetensors metadata


@dataclass(frozen=True)
class LoadedModel:
    """A network ready to run, and where it comes from.

    Attributes:
        network: in eval mode, without gradients (`requires_grad_(True)` turns them on); as loaded,
            in float32 on the CPU.
        name: embedded name, repository id, or the file's name without its suffix.
        sha256: of the bytes of the weight file, hex.
        licence: of the weights; results made with them carry it.
        recommended: what the weights recommend where settings leave it to them.
    """

    network: DUSt3R
    config: ModelConfig
    name: str
    sha256: str
    licence: str
    recommended: WeightDefaults = field(default_factory=WeightDefaults)

    @property
    def device(self) -> torch.device:
        """Where the network's parameters are."""
        return self.network.mask_token.device

    @property
    def defaults(self) -> WeightDefaults:
        """Recommended settings, for the device the network is on."""
        return defaults_on(self.device, self.recommended)

    def on(self, device: torch.device, precision: Precision | None) -> "LoadedModel":
        """The model on a device, rounded to a precision.

        Args:
            precision: None takes the recommendation for that device.

        Raises:
            SettingsError: float32 of a network that has been rounded to less.
        """
        moved = replace(self, network=self.network.to(device))
        network = moved.network.in_precision(precision or moved.defaults.precision)
        return replace(moved, network=network)


def load_checkpoint(location: str, sha256: str | None = None) -> LoadedModel:
    """Load the checkpoint at a location.

    Args:
        location: the name of embedded weights (`nano`); the path or fsspec URL of a `.pth` as
            released, of a `.safetensors` with its config beside it, or of a folder with
            `config.json` and `model.safetensors`; or a Hugging Face repository id. What is remote
            is downloaded once, to `EASI3R_CACHE` (repositories: to `HF_HOME`).
        sha256: expected SHA-256 of the weight file, hex; None accepts any.

    Raises:
        CheckpointError: nothing there, unreadable, of another hash, architecture or shape.
        StorageUnavailableError: the network or the server failed; try again.
    """
    with local_files(location) as files:
        digest = checked_sha256(location, files, sha256)
        recommended = None
        if files.config is None:
            config, licence, state = _read_pickle(location, files)
        else:
            config, licence = read_config(location, files.name, files.config)
            state = _read_safetensors(location, files.weights)
            recommended = _read_defaults(location, files.weights)
    network = _build(location, config, state)
    recommended = recommended or defaults_of(config)
    return LoadedModel(network, config, files.name, digest, licence, recommended)


def save_checkpoint(
    weights: Path, network: DUSt3R, licence: str, defaults: WeightDefaults | None = None
) -> None:
    """Write `weights` (`.safetensors`, float16) and the config of the same stem beside it.

    Tied tensors are written once, under the name that comes first. What the weights recommend goes
    into the file's own metadata, so that their hash covers it.
    """
    written: dict[int, str] = {}
    state = network.state_dict()
    for name, tensor in state.items():
        written.setdefault(tensor.data_ptr(), name)
    halves = {name: state[name].to("cpu", torch.float16).contiguous() for name in written.values()}
    metadata = {} if defaults is None else {_DEFAULTS: defaults.model_dump_json()}
    save_file(halves, weights, metadata)
    config = network.config.to_json() | {"licence": licence}
    weights.with_suffix(".json").write_text(json.dumps(config, indent=2) + "\n")


def read_config(location: str, name: str, path: Path) -> tuple[ModelConfig, str]:
    """Size and licence from JSON: our own fields, or the released constructor keywords.

    Args:
        location: what an error is about.
        name: of the weights; decides the licence where the JSON names none.
        path: of the JSON file.

    Raises:
        CheckpointError: the file is not JSON or describes no network.
    """
    remedy = "Fetch the checkpoint again, or correct its config"
    try:
        values = json.loads(path.read_text())
    except ValueError as error:
        problem = f"{path.name} is not JSON ({error})"
        raise CheckpointError(location, problem, remedy) from error
    if not isinstance(values, dict):
        raise CheckpointError(location, f"{path.name} is not a JSON object", remedy)
    licence = str(values.pop("licence", licence_of(name)))
    if "enc_depth" in values or "head_type" in values:
        return released_config(location, values), licence
    try:
        return ModelConfig.from_json(values), licence
    except SettingsError as error:
        problem = f"{path.name} describes no network ({error})"
        raise CheckpointError(location, problem, remedy) from error


def _read_safetensors(location: str, path: Path) -> State:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        problem = f"{path.name} is not a readable safetensors file ({error})"
        raise CheckpointError(location, problem, "Fetch the checkpoint again") from error


def _read_defaults(location: str, path: Path) -> WeightDefaults | None:
    with safe_open(path, "pt") as file:
        text = (file.metadata() or {}).get(_DEFAULTS)
    if text is None:
        return None
    try:
        return WeightDefaults.model_validate_json(text)
    except ValidationError as error:
        problem = f"its recommended settings are not understood ({error})"
        raise CheckpointError(location, problem, "Use weights made for this version") from error


def _read_pickle(location: str, files: WeightFiles) -> tuple[ModelConfig, str, State]:
    """A `.pth` as released: `args.model` is the constructor's text, `model` the state dict."""
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(files.weights, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile pickle may raise anything
        problem = (
            f"it is damaged, or a pickle of more than weights ({type(error).__name__}: {error})"
        )
        remedy = "Fetch it again, from a source you trust; such files are never unpickled"
        raise CheckpointError(location, problem[:500], remedy) from error
    args = content.get("args") if isinstance(content, dict) else None
    state = content.get("model") if isinstance(content, dict) else None
    text = getattr(args, "model", None)
    if not isinstance(text, str) or not _is_state(state):
        problem = "it lacks `args.model` (the constructor's text) or `model` (the state dict)"
        raise CheckpointError(location, problem, "Use a .pth in the released layout")
    config = released_config(location, parse_constructor(location, text))
    return config, licence_of(files.name), state


def _build(location: str, config: ModelConfig, state: State) -> DUSt3R:
    """The network with these tensors, every one of them accounted for."""
    with torch.device("meta"):
        network = DUSt3R(config)
    expected = network.state_dict()
    state = _with_copies(state, set(expected))
    _check(location, expected, state)
    network.load_state_dict({name: t.float() for name, t in state.items()}, assign=True)
    return network.eval().requires_grad_(False)


def _with_copies(state: State, expected: set[str]) -> State:
    """Tensors that released files leave out because they equal others."""
    state = dict(state)
    if not any(name.startswith("dec_blocks2.") for name in state):
        first = [name for name in state if name.startswith("dec_blocks.")]
        for name in first:  # separate memory, so that training can part the two decoders
            state[name.replace("dec_blocks.", "dec_blocks2.", 1)] = state[name].clone()
    for name in expected:
        tied = _tied_name(name)
        if tied is not None:
            present = state.get(name, state.get(tied))
            if present is not None:
                state.setdefault(name, present)
                state.setdefault(tied, present)
    return state


def _tied_name(name: str) -> str | None:
    """`scratch.layerN_rn` of a name `scratch.layer_rn.(N-1)`, None for other names."""
    match = re.search(r"scratch\.layer_rn\.(\d)\.", name)
    if match is None:
        return None
    return name.replace(match[0], f"scratch.layer{int(match[1]) + 1}_rn.")


def _check(location: str, expected: State, state: State) -> None:
    """One error that lists everything in which the tensors differ from the network's."""
    missing = [name for name in expected if name not in state]
    unexpected = [name for name in state if name not in expected]
    misshapen, untied = [], []
    for name in expected.keys() & state.keys():
        tensor, shape = state[name], tuple(expected[name].shape)
        if not tensor.is_floating_point():
            misshapen.append(f"{name} of {tensor.dtype} instead of floats")
        elif tuple(tensor.shape) != shape:
            misshapen.append(f"{name} {tuple(tensor.shape)} instead of {shape}")
        elif (tied := _tied_name(name)) is not None and not torch.equal(tensor, state[tied]):
            untied.append(f"{name} and {tied}")
    kinds = {
        "missing": missing,
        "unexpected": unexpected,
        "misshapen": misshapen,
        "different although tied": untied,
    }
    problems = [f"{len(names)} {kind}: {_listed(names)}" for kind, names in kinds.items() if names]
    if problems:
        remedy = "Use weights and a config of the same network"
        raise CheckpointError(location, "its tensors do not fit: " + "; ".join(problems), remedy)


def _is_state(value: object) -> TypeGuard[State]:
    """Whether an untrusted value is a state dict."""
    return isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items()
    )


def _listed(names: list[str], most: int = 8) -> str:
    rest = len(names) - most
    return ", ".join(sorted(names)[:most]) + (f" and {rest} more" if rest > 0 else "")
