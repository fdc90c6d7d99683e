from pathlib import Path

import numpy as np
import pytest

from tests.golden.__main__ import compare
from tests.golden.comparison import compare_arrays
from tests.golden.network import explain, load


def test_everything_matches_the_reference(shared: Path) -> None:
    rows = compare(shared / "reference")
    assert {row.file for row in rows} >= {"forward_dpt.npz", "forward_linear.npz", "segment.npz"}
    assert [row for row in rows if not row.passed] == []


def test_the_network_behind_a_file_is_found_with_its_heads(shared: Path) -> None:
    folder = shared / "reference"
    found = explain(folder, load(folder / "forward_linear.npz"))
    assert found is not None
    assert found.path.name == "tiny_linear_state_dict.json"
    assert (found.encoder_heads, found.decoder_heads) == (4, 12)


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
