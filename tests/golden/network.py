"""The network against the reference: features, point maps, confidences, key means, both passes.

A folder of reference numbers holds `*state_dict*.json` (names and shapes) and `.npz` files with
`images` and `edges`. Which network a file was computed with, and its number of attention heads,
are not stored; the candidate is taken that explains the file.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch

from easi3r.attention import token_masks
from easi3r.model import DUSt3R, ModelConfig, normalise
from tests.golden.comparison import Comparison, compare_arrays, compare_at_most
from tests.golden.fill import fill

Arrays = dict[str, np.ndarray]
Shapes = dict[str, list[int]]

BOUND = 1e-3
OUTPUTS = (
    "encoder_features",
    "features",
    "keymean_dec1",
    "keymean_dec2",
    "pts3d_1",
    "pts3d_2_in_1",
    "conf_1",
    "conf_2",
)


def compare(folder: Path, device: str = "cpu") -> list[Comparison]:
    """Names and shapes of every state dict, then every output of the network in every file."""
    rows = [compare_names(path) for path in sorted(folder.glob("*state_dict*.json"))]
    for path in sorted(folder.glob("*.npz")):
        arrays = load(path)
        if "images" in arrays and "edges" in arrays:
            rows += compare_outputs(path, arrays, device)
    return rows


def compare_names(path: Path) -> Comparison:
    """How many tensors of a published state dict ours lacks, has too many, or shapes otherwise."""
    reference = json.loads(path.read_text())
    with torch.device("meta"):
        network = DUSt3R(size_of(reference, encoder_heads=1, decoder_heads=1))
    ours = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    different = [name for name in ours | reference if ours.get(name) != reference.get(name)]
    note = "tensors of another name or shape"
    return compare_at_most(path.name, "names, shapes", len(different), 0, note)


def compare_outputs(path: Path, arrays: Arrays, device: str) -> list[Comparison]:
    """Every output of the network that the file holds, by the network that explains it."""
    candidate = explain(path.parent, arrays)
    if candidate is None:
        note = "no *state_dict*.json beside it has its sizes"
        return [Comparison(path.name, "network", float("inf"), BOUND, passed=False, note=note)]
    ours = outputs(candidate, arrays, device)
    rows = [compare_arrays(path.name, name, ours[name], arrays[name], BOUND) for name in ours]
    return [
        Comparison(
            row.file, row.array, row.error, row.bound, row.passed, row.note or candidate.note
        )
        for row in rows
    ]


@dataclass(frozen=True)
class Candidate:
    """A network that may have computed a file: names and shapes from `path`, heads supposed."""

    path: Path
    encoder_heads: int
    decoder_heads: int

    @property
    def note(self) -> str:
        return f"{self.path.name}, heads {self.encoder_heads} and {self.decoder_heads}"

    @property
    def network(self) -> DUSt3R:
        return filled_network(self)


@cache
def filled_network(candidate: Candidate) -> DUSt3R:
    """The candidate's network with the reference's parameters."""
    shapes = json.loads(candidate.path.read_text())
    network = DUSt3R(size_of(shapes, candidate.encoder_heads, candidate.decoder_heads)).eval()
    fill(network)
    return network


def explain(folder: Path, arrays: Arrays) -> Candidate | None:
    """The candidate whose largest error over the file is smallest; the first one within bounds."""
    best, least = None, float("inf")
    for candidate in candidates(folder, arrays):
        ours = outputs(candidate, arrays)
        error = max(compare_arrays("", name, ours[name], arrays[name]).error for name in ours)
        if best is None or error < least:
            best, least = candidate, error
        if error <= BOUND:
            break
    return best


def candidates(folder: Path, arrays: Arrays) -> Iterator[Candidate]:
    """Networks of the file's sizes, smallest first, with every number of heads they may have."""
    widths = known_sizes(folder, arrays, ("encoder_features", "features"))
    channels = known_sizes(folder, arrays, ("keymean_dec1", "keymean_dec2"))
    paths = sorted(folder.glob("*state_dict*.json"), key=lambda path: path.stat().st_size)
    for path in paths:
        size = size_of(json.loads(path.read_text()), encoder_heads=1, decoder_heads=1)
        if widths and size.encoder_channels not in widths:
            continue
        for decoder_heads in head_counts(size.decoder_channels):
            if channels and size.decoder_depth * decoder_heads not in channels:
                continue
            for encoder_heads in head_counts(size.encoder_channels):
                yield Candidate(path, encoder_heads, decoder_heads)


def known_sizes(folder: Path, arrays: Arrays, names: tuple[str, ...]) -> set[int]:
    """Last dimensions of those arrays in this file, or else in every file of the folder."""
    sizes = {arrays[name].shape[-1] for name in names if name in arrays}
    if sizes:
        return sizes
    files = [load(path) for path in sorted(folder.glob("*.npz"))]
    return {file[name].shape[-1] for file in files for name in names if name in file}


def head_counts(channels: int) -> list[int]:
    """Possible numbers of heads, most usual head widths first."""
    widths = [width for width in range(4, channels + 1, 4) if channels % width == 0]
    return [channels // width for width in sorted(widths, key=lambda w: abs(np.log2(w / 16)))]


@torch.no_grad()
def outputs(candidate: Candidate, arrays: Arrays, device: str = "cpu") -> Arrays:
    """Our values of the network outputs that the file holds."""
    network = deepcopy(candidate.network).to(device)
    features = network.encode(normalise(torch.from_numpy(arrays["images"]).to(device)))
    tokens = features.tokens.cpu().numpy()
    grid = (len(tokens), features.rows, features.columns, -1)
    ours = {"encoder_features": tokens, "features": tokens.reshape(grid)}
    edges = arrays["edges"].astype(np.int64)
    pixel_masks = input_masks(arrays)
    masks = None
    if pixel_masks is not None:
        moving = torch.from_numpy(pixel_masks).to(device)
        masks = token_masks(moving, network.config.patch_size).flatten(1)
    if "pts3d_1" in arrays:
        prediction, means = network.predict(features, edges, masks)
        ours["pts3d_1"] = prediction.points_1.cpu().numpy()
        ours["pts3d_2_in_1"] = prediction.points_2.cpu().numpy()
        ours["conf_1"] = prediction.confidence_1.cpu().numpy()
        ours["conf_2"] = prediction.confidence_2.cpu().numpy()
    else:
        means = network.key_means(features, edges, masks)
    ours["keymean_dec1"] = means.decoder_1.cpu().numpy()
    ours["keymean_dec2"] = means.decoder_2.cpu().numpy()
    return {name: ours[name] for name in OUTPUTS if name in arrays and name in ours}


def input_masks(arrays: Arrays) -> np.ndarray | None:
    """Pixel masks that steered the reference's pass, None for a plain one.

    `masks` beside point maps were the input; beside statistics they are the outcome, and
    `pass1_masks` the input.
    """
    if "pass1_masks" in arrays:
        return arrays["pass1_masks"]
    return arrays["masks"] if "masks" in arrays and "pts3d_1" in arrays else None


def size_of(shapes: Shapes, encoder_heads: int, decoder_heads: int) -> ModelConfig:
    """The network size that a state dict's shapes tell, with the heads they do not."""
    encoder, _, patch, _ = shapes["patch_embed.proj.weight"]
    levels = [shapes.get(f"downstream_head1.dpt.scratch.layer{n}_rn.weight") for n in range(1, 5)]
    dpt = {}
    if levels[0]:
        dpt["dpt_hook_channels"] = tuple(level[1] for level in levels)
        dpt["dpt_channels"] = levels[0][0]
    return ModelConfig(
        patch_size=patch,
        encoder_depth=depth_of(shapes, "enc_blocks"),
        encoder_channels=encoder,
        encoder_heads=encoder_heads,
        decoder_depth=depth_of(shapes, "dec_blocks"),
        decoder_channels=shapes["decoder_embed.weight"][0],
        decoder_heads=decoder_heads,
        head="dpt" if dpt else "linear",
        long_side_px=512,
        **dpt,
    )


def depth_of(shapes: Shapes, blocks: str) -> int:
    """Number of blocks in a state dict."""
    return 1 + max(int(name.split(".")[1]) for name in shapes if name.startswith(f"{blocks}."))


def load(path: Path) -> Arrays:
    """Every array of a reference file."""
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
