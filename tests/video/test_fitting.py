"""Stored size and the affine map to it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from easi3r.config import FrameFit
from easi3r.errors import FrameSizeError
from easi3r.video import fit_size

FITS: list[FrameFit] = ["crop", "pad", "resize"]


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


@pytest.mark.parametrize(
    ("source", "fit", "stored", "padding"),
    [
        ((1920, 1080), "pad", (224, 128), (0, 1, 0, 1)),
        ((1080, 1920), "pad", (128, 224), (1, 0, 1, 0)),
        ((500, 500), "pad", (224, 224), (0, 0, 0, 0)),  # nothing of a square is lost
        ((1920, 1080), "resize", (224, 128), (0, 0, 0, 0)),
        ((854, 480), "resize", (224, 128), (0, 0, 0, 0)),
        ((500, 500), "resize", (224, 224), (0, 0, 0, 0)),
    ],
)
def test_stored_sizes_that_keep_the_whole_picture(
    source: tuple[int, int],
    fit: FrameFit,
    stored: tuple[int, int],
    padding: tuple[int, int, int, int],
) -> None:
    fitted = fit_size(*source, 1.0, 230, 16, fit)  # of which 224 are whole patches
    assert (fitted.width, fitted.height) == stored
    assert fitted.padding == padding


@given(
    width=st.integers(16, 3000),
    height=st.integers(16, 3000),
    pixel_aspect=st.sampled_from([1.0, 16 / 15, 224 / 225, 0.5, 2.0]),
    long_side=st.integers(32, 600),
    patch=st.sampled_from([8, 14, 16]),
    fit=st.sampled_from(["pad", "resize"]),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_all_of_the_picture_is_stored(
    width: int, height: int, pixel_aspect: float, long_side: int, patch: int, fit: FrameFit
) -> None:
    try:
        fitted = fit_size(width, height, pixel_aspect, long_side, patch, fit)
    except FrameSizeError:
        shown = sorted([width * pixel_aspect, height])
        assert shown[0] / shown[1] * (long_side // patch * patch) < patch
        return
    assert fitted.width % patch == fitted.height % patch == 0
    assert max(fitted.width, fitted.height) == long_side // patch * patch
    left, top, right, bottom = fitted.padding
    assert 0 <= left + right < patch
    assert 0 <= top + bottom < patch
    assert abs(left - right) <= 1
    assert abs(top - bottom) <= 1
    # The corners of the source's picture are those of the stored picture, half a pixel outside.
    first = fitted.source_to_stored @ [-0.5, -0.5, 1.0]
    np.testing.assert_allclose(first, [left - 0.5, top - 0.5, 1.0], atol=1e-9)
    last = fitted.source_to_stored @ [width - 0.5, height - 0.5, 1.0]
    inner = [fitted.width - right - 0.5, fitted.height - bottom - 0.5, 1.0]
    np.testing.assert_allclose(last, inner, atol=1e-9)
    scale_x, scale_y, _ = np.diag(fitted.source_to_stored)
    square = scale_y * pixel_aspect / scale_x  # 1: pixels are square on the screen
    shorter = min(fitted.width - left - right, fitted.height - top - bottom)
    most_px = 0.5 if fit == "pad" else 0.5 + patch / 2  # 0.5: rounding to pixels
    assert abs(np.log(square)) <= -np.log1p(-most_px / shorter) + 1e-9


def test_padding_repeats_the_pixels_at_the_edges() -> None:
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (52, 96, 3), dtype=np.uint8)
    fitted = fit_size(96, 52, 1.0, 96, 16, "pad")
    stored = fitted.apply(Image.fromarray(picture))
    assert fitted.padding == (0, 6, 0, 6)
    np.testing.assert_array_equal(stored[6:-6], picture)
    np.testing.assert_array_equal(stored[:6], np.broadcast_to(picture[0], (6, 96, 3)))
    np.testing.assert_array_equal(stored[-6:], np.broadcast_to(picture[-1], (6, 96, 3)))
    shown = fitted.padding.picture(64, 96)
    assert shown[6:-6].all()
    assert not shown[:6].any()
    assert not shown[-6:].any()


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


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.parametrize("long_side", [320, 64])
@pytest.mark.parametrize("size", [(160, 100), (100, 150), (120, 120)])
def test_affine_says_where_pixels_go(size: tuple[int, int], long_side: int, kind: FrameFit) -> None:
    """A ramp is linear, so resampling keeps it: its stored value names the source pixel."""
    width, height = size
    fit = fit_size(width, height, 1.0, long_side, 16, kind)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    ramps = np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)
    stored = fit.apply(Image.fromarray(ramps)).astype(np.float64)
    assert stored.shape == (fit.height, fit.width, 3)
    stored_x, stored_y = np.meshgrid(np.arange(fit.width), np.arange(fit.height))
    homogeneous = np.stack([stored_x, stored_y, np.ones_like(stored_x)], axis=-1)
    source = homogeneous @ np.linalg.inv(fit.source_to_stored).T
    # The filter's reach at the border, and the padding beyond it.
    margin = int(6 * max(1.0, fit.source_to_stored[0, 0])) + max(fit.padding)
    inner = (slice(margin, -margin), slice(margin, -margin))
    difference = stored[..., :2] - source[..., :2]
    assert np.abs(difference[inner]).max() <= 0.75  # two roundings to integers
    assert np.abs(difference[inner].mean(axis=(0, 1))).max() < 0.06


@pytest.mark.parametrize("fit", FITS)
def test_a_strip_is_refused(fit: FrameFit) -> None:
    with pytest.raises(FrameSizeError, match=r"frames of 4000x20: 512x3 .* no 16 px patch"):
        fit_size(4000, 20, 1.0, 512, 16, fit)
