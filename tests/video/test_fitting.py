"""Stored size and the affine map to it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from easi3r.errors import FrameSizeError
from easi3r.video import fit_size


@pytest.mark.parametrize(
    ("source", "pixel_aspect", "long_side", "stored"),
    [
        ((640, 480), 1.0, 512, (512, 384)),
        ((480, 640), 1.0, 512, (384, 512)),
        ((854, 480), 1.0, 512, (512, 288)),
        ((1920, 1080), 1.0, 224, (224, 112)),
        ((500, 500), 1.0, 512, (512, 384)),  # square: 4:3
        ((720, 576), 16 / 15, 512, (512, 384)),  # PAL DVD, 4:3 on the screen
        ((720, 540), 3 / 4, 512, (512, 384)),  # square on the screen
    ],
)
def test_stored_sizes(
    source: tuple[int, int], pixel_aspect: float, long_side: int, stored: tuple[int, int]
) -> None:
    fit = fit_size(*source, pixel_aspect, long_side, 16)
    assert (fit.width, fit.height) == stored


@given(
    width=st.integers(16, 3000),
    height=st.integers(16, 3000),
    pixel_aspect=st.sampled_from([1.0, 16 / 15, 224 / 225, 0.5, 2.0]),
    long_side=st.integers(32, 600),
    patch=st.sampled_from([8, 14, 16]),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_crop_lies_inside_and_is_centred(
    width: int, height: int, pixel_aspect: float, long_side: int, patch: int
) -> None:
    try:
        fit = fit_size(width, height, pixel_aspect, long_side, patch)
    except FrameSizeError:
        shown = sorted([width * pixel_aspect, height])
        assert shown[0] / shown[1] * long_side < 4 / 3 * patch + 1
        return
    assert max(fit.resized_width, fit.resized_height) == long_side
    assert fit.width % patch == fit.height % patch == 0
    for offset, cropped, whole in [
        (fit.crop_x, fit.width, fit.resized_width),
        (fit.crop_y, fit.height, fit.resized_height),
    ]:
        assert offset >= 0
        assert 0 <= whole - cropped - 2 * offset <= 1
    # The corner of the source picture, half a pixel before its first pixel's centre, stays one.
    corner = fit.source_to_stored @ [-0.5, -0.5, 1.0]
    np.testing.assert_allclose(corner, [-0.5 - fit.crop_x, -0.5 - fit.crop_y, 1.0], atol=1e-9)
    corner = fit.source_to_stored @ [width - 0.5, height - 0.5, 1.0]
    opposite = [fit.resized_width - 0.5 - fit.crop_x, fit.resized_height - 0.5 - fit.crop_y, 1.0]
    np.testing.assert_allclose(corner, opposite, atol=1e-9)


@pytest.mark.parametrize("long_side", [320, 64])
@pytest.mark.parametrize("size", [(160, 100), (100, 150), (120, 120)])
def test_affine_says_where_pixels_go(size: tuple[int, int], long_side: int) -> None:
    """A ramp is linear, so resampling keeps it: its stored value names the source pixel."""
    width, height = size
    fit = fit_size(width, height, 1.0, long_side, 16)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    ramps = np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)
    stored = fit.apply(Image.fromarray(ramps)).astype(np.float64)
    assert stored.shape == (fit.height, fit.width, 3)
    stored_x, stored_y = np.meshgrid(np.arange(fit.width), np.arange(fit.height))
    homogeneous = np.stack([stored_x, stored_y, np.ones_like(stored_x)], axis=-1)
    source = homogeneous @ np.linalg.inv(fit.source_to_stored).T
    margin = int(6 * max(1.0, fit.source_to_stored[0, 0]))  # the filter's reach at the border
    inner = (slice(margin, -margin), slice(margin, -margin))
    difference = stored[..., :2] - source[..., :2]
    assert np.abs(difference[inner]).max() <= 0.75  # two roundings to integers
    assert np.abs(difference[inner].mean(axis=(0, 1))).max() < 0.06


def test_a_strip_is_refused() -> None:
    with pytest.raises(FrameSizeError, match=r"frames of 4000x20: 512x3 .* no 16 px patch"):
        fit_size(4000, 20, 1.0, 512, 16)
