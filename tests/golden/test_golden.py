import json
from pathlib import Path

import numpy as np
import pytest
import torch

from easi3r.model import DUSt3R, ModelConfig, normalise
from tests.golden import REFERENCE, network
from tests.golden.__main__ import compare
from tests.golden.comparison import compare_arrays
from tests.golden.fill import fill
from tests.golden.network import explain, load


def test_everything_matches_the_reference() -> None:
    rows = compare(REFERENCE)
    files = {row.file for row in rows}
    assert files >= {"forward_dpt.npz", "forward_linear.npz", "segment.npz"}
    assert files >= {"align.npz", "align_flow.npz"}
    assert [row for row in rows if not row.passed] == []


def test_the_network_behind_a_file_is_found_with_its_heads() -> None:
    candidate = explain(REFERENCE, load(REFERENCE / "forward_linear.npz"))
    assert candidate is not None
    assert candidate.path.name == "tiny_linear_state_dict.json"
    assert (candidate.encoder_heads, candidate.decoder_heads) == (4, 12)


def write_folder(folder: Path, config: ModelConfig) -> None:
    """A folder of reference numbers, of our own making."""
    model = DUSt3R(config).eval().requires_grad_(False)
    fill(model)
    shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    (folder / "small_state_dict.json").write_text(json.dumps(shapes))
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 32, 3), dtype=np.uint8)
    edges = np.array([[0, 1], [2, 1], [1, 0]])
    features = model.encode(normalise(torch.from_numpy(images)))
    prediction, means = model.predict(features, edges)
    np.savez(
        folder / "forward_small.npz",
        images=images,
        edges=edges.astype(np.int32),
        encoder_features=features.tokens.numpy(),
        pts3d_1=prediction.points_1.numpy(),
        keymean_dec2=means.decoder_2.numpy(),
    )


def test_a_folder_of_other_sizes(tmp_path: Path) -> None:
    config = ModelConfig(
        patch_size=8,
        encoder_depth=3,
        encoder_channels=48,
        encoder_heads=3,
        decoder_depth=4,
        decoder_channels=64,
        decoder_heads=2,
        head="linear",
        long_side_px=48,
    )
    write_folder(tmp_path, config)
    rows = network.compare(tmp_path)
    assert {row.array for row in rows} == {
        "names, shapes",
        "encoder_features",
        "pts3d_1",
        "keymean_dec2",
    }
    assert all(row.passed for row in rows)
    assert rows[-1].note == "small_state_dict.json, heads 3 and 2"
    arrays = load(tmp_path / "forward_small.npz")
    arrays["pts3d_1"][1, 7, 7, 2] += 0.01 * arrays["pts3d_1"].std()
    np.savez(tmp_path / "forward_small.npz", **arrays)
    failed = [row.array for row in network.compare(tmp_path) if not row.passed]
    assert failed == ["pts3d_1"]


def test_an_array_over_its_bound_fails() -> None:
    reference = np.random.default_rng(0).standard_normal(1000)
    off = reference.copy()
    off[7] += 0.002 * reference.std()
    row = compare_arrays("file", "array", off, reference)
    assert row.error == pytest.approx(0.002)
    assert not row.passed
    assert compare_arrays("file", "array", reference, reference).passed


@pytest.mark.parametrize("ours", [np.zeros((2, 3)), np.full(4, np.nan), np.full(4, 1e9)])
def test_wrong_shapes_and_nan_fail(ours: np.ndarray) -> None:
    assert not compare_arrays("file", "array", ours, np.arange(4.0)).passed
