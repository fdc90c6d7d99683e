"""From source to stored pixels and back: crops, scales, depth images of another size."""

import numpy as np
import pytest

from easi3r.evaluation.source_pixels import PixelLookup
from easi3r.video import fit_size


def test_a_mask_goes_back_and_what_the_crop_lost_is_outside() -> None:
    fit = fit_size(100, 52, 1.0, 100, 16)  # 4 columns and 4 rows are lost, half on each side
    assert (fit.width, fit.height) == (96, 48)
    lookup = PixelLookup.to_stored(fit.source_to_stored, (52, 100), (48, 96))
    everything = lookup(np.ones((48, 96), bool))
    expected = np.zeros((52, 100), bool)
    expected[2:50, 2:98] = True
    np.testing.assert_array_equal(everything, expected)
    values = np.arange(48 * 96).reshape(48, 96)
    np.testing.assert_array_equal(lookup(values, outside=-1)[2:50, 2:98], values)


def test_a_mask_of_half_the_size_becomes_twice_as_large() -> None:
    fit = fit_size(96, 64, 1.0, 48, 16)
    lookup = PixelLookup.to_stored(fit.source_to_stored, (64, 96), (32, 48))
    small = np.random.default_rng(0).random((32, 48)) > 0.5
    np.testing.assert_array_equal(lookup(small), small.repeat(2, axis=0).repeat(2, axis=1))


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_depth_is_read_by_its_own_size(factor: int) -> None:
    """A ramp in an image of another size is the same ramp."""
    fit = fit_size(96, 64, 1.0, 96, 16)
    size = (64 // factor, 96 // factor) if factor < 3 else (128, 192)
    ramp = np.tile((np.arange(size[1]) + 0.5) / size[1], (size[0], 1))
    depth = PixelLookup.to_source(fit.source_to_stored, (64, 96), (64, 96), size)(ramp)
    expected = np.tile((np.arange(96) + 0.5) / 96, (64, 1))
    np.testing.assert_allclose(depth, expected, atol=0.5 / min(size[1], 96) + 1e-9)


def test_truth_of_what_was_padded_is_not_known() -> None:
    """A map that leaves a border: stored pixels outside of the source have no truth."""
    padded = np.array([[1.0, 0, 4], [0, 1, 0], [0, 0, 1]])
    lookup = PixelLookup.to_source(padded, (8, 8), (8, 16), (8, 8))
    depth = lookup(np.ones((8, 8), np.float32))
    assert depth[:, 4:12].all()
    assert not depth[:, :4].any()
    assert not depth[:, 12:].any()
