"""Rounding keeps its bound for every float, and encoding gives back what it was given."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from easi3r.config import StoreSettings
from easi3r.errors import InvalidAnnotationError
from easi3r.store.encode import (
    clip_arrays,
    clip_attributes,
    decoded_differences,
    encode_clip,
    max_relative_error,
    round_mantissa,
)
from tests.store.annotations import make_annotation
from tests.store.zarr_writing import bytes_of_zarr, differences_of_zarr

SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, max_side=4)
EVERY_FLOAT = st.floats(width=32, allow_nan=False, allow_infinity=False)
BITS = st.integers(min_value=4, max_value=23)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(values=arrays.arrays(np.float32, SHAPES, elements=EVERY_FLOAT), bits=BITS)
def test_rounding_keeps_its_bound_for_every_finite_float32(values: np.ndarray, bits: int) -> None:
    rounded = round_mantissa(values, bits)
    exact = values.astype(np.float64)
    assert (np.abs(rounded - exact) <= max_relative_error(bits) * np.abs(exact)).all()
    assert (np.sign(rounded) == np.sign(values)).all()
    np.testing.assert_array_equal(round_mantissa(rounded, bits), rounded)


def test_rounding_keeps_its_bound_at_both_ends_of_float32() -> None:
    ends = np.array([1e-45, 1.1754942e-38, 1.1754944e-38, 3.4028235e38], np.float32)
    for bits in range(4, 24):
        error = np.abs(round_mantissa(ends, bits).astype(np.float64) - ends) / ends
        assert error.max() <= max_relative_error(bits)


def test_the_bound_is_tight() -> None:
    values = np.linspace(1, 2, 4097, dtype=np.float32)
    error = np.abs(round_mantissa(values, 6) / values - 1).max()
    assert 0.9 * max_relative_error(6) < error <= max_relative_error(6)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    frames=st.integers(1, 9),
    height=st.integers(16, 19),
    width=st.integers(16, 18),
    frames_per_chunk=st.integers(1, 12),
    bits=BITS,
)
def test_decoding_gives_back_every_bit(
    frames: int, height: int, width: int, frames_per_chunk: int, bits: int
) -> None:
    annotation = make_annotation(frames, height, width)
    chosen = StoreSettings(frames_per_chunk=frames_per_chunk, mantissa_bits=bits)
    given_arrays = clip_arrays(annotation, chosen)
    objects = encode_clip(given_arrays, clip_attributes(annotation, chosen), chosen)
    assert list(decoded_differences(objects, given_arrays)) == []
    other = clip_arrays(make_annotation(frames, height, width, seed=1), chosen)
    assert {"depth", "point_map", "time"} <= set(decoded_differences(objects, other))


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    frames=st.integers(1, 9),
    size=st.sampled_from([(16, 16), (17, 33), (90, 200)]),
    frames_per_chunk=st.integers(1, 12),
    steps=st.sampled_from([0, 7]),
    seed=st.integers(0, 99),
)
def test_objects_are_byte_for_byte_those_of_zarr(
    frames: int, size: tuple[int, int], frames_per_chunk: int, steps: int, seed: int
) -> None:
    annotation = make_annotation(frames, *size, seed=seed)
    annotation.dynamic_mask[:2] = False
    reconstruction = replace(annotation.reconstruction, loss_history=np.linspace(1, 0, steps))
    annotation = replace(annotation, reconstruction=reconstruction)
    chosen = StoreSettings(frames_per_chunk=frames_per_chunk)
    made = clip_arrays(annotation, chosen)
    attributes = clip_attributes(annotation, chosen)
    objects = encode_clip(made, attributes, chosen)
    assert objects == bytes_of_zarr(made, attributes, chosen)
    assert list(decoded_differences(objects, made)) == []
    assert differences_of_zarr(objects, made) == []


def test_a_clip_is_one_group_and_two_objects_per_array_even_where_nothing_moves() -> None:
    annotation = make_annotation(frames=6)
    annotation.dynamic_mask[:] = False
    chosen = StoreSettings(frames_per_chunk=4)
    made = clip_arrays(annotation, chosen)
    objects = encode_clip(made, clip_attributes(annotation, chosen), chosen)
    names = [array.variable.name for array in made]
    assert len(objects) == 1 + 2 * len(names)
    assert "dynamic_mask/c/0/0/0" in objects


def test_lossy_arrays_shrink_with_the_bits_kept() -> None:
    annotation = make_annotation(frames=4, height=64, width=64)
    sizes = []
    for bits in (23, 12, 6):
        chosen = StoreSettings(mantissa_bits=bits)
        made = clip_arrays(annotation, chosen)
        objects = encode_clip(made, clip_attributes(annotation, chosen), chosen)
        sizes.append(len(objects["depth/c/0/0/0"]) + len(objects["point_map/c/0/0/0/0"]))
    assert sizes[0] > 1.5 * sizes[1] > 2 * sizes[2]


def test_a_point_map_that_exceeds_float32_is_refused() -> None:
    annotation = make_annotation()
    annotation.reconstruction.camera_to_world[2, 0, 3] = 1e39
    with pytest.raises(InvalidAnnotationError, match="exceeds float32"):
        clip_arrays(annotation, StoreSettings())
