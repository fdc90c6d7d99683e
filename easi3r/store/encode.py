"""From an annotation to the bytes of its Zarr group, in memory, and back to check them.

Why these codecs and what they cost: docs/decisions/001-store-encoding.md.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import zarr
from jaxtyping import Float, Float32
from numcodecs.bitround import BitRound
from zarr.codecs import BloscCodec, Crc32cCodec, TransposeCodec
from zarr.core.buffer import Buffer, default_buffer_prototype
from zarr.storage import MemoryStore

from easi3r.config import StoreSettings
from easi3r.errors import InvalidAnnotationError
from easi3r.geometry import world_point_map
from easi3r.store.schema import (
    FORMAT,
    SCHEMA_VERSION,
    UNIT_OF_LENGTH,
    VARIABLES,
    Variable,
    result_id,
)
from easi3r.types import ClipAnnotation

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class ClipArray:
    """One array of a clip, exactly as a reader will see it."""

    variable: Variable
    values: np.ndarray


def max_relative_error(bits: int) -> float:
    """The bound that `round_mantissa` keeps."""
    return 2.0 ** -(bits + 1)


def round_mantissa(values: Float[np.ndarray, "*shape"], bits: int) -> Float32[np.ndarray, "*shape"]:
    """Nearest float32 with `bits` mantissa bits; those dropped are zeros, which compress well.

    The relative error is at most `2**-(bits + 1)` for every finite float32, subnormal or huge,
    and for every float64 between float32's smallest normal and largest number.
    """
    codec = BitRound(keepbits=bits)
    rounded = codec.decode(codec.encode(values.astype(np.float64)))
    largest = (2 - 2.0**-bits) * 2.0**127  # where rounding up would give infinity
    return np.clip(rounded, -largest, largest).astype(np.float32)


def clip_arrays(annotation: ClipAnnotation, settings: StoreSettings) -> tuple[ClipArray, ...]:
    """The arrays of a checked annotation, rounded as the settings say.

    Raises:
        InvalidAnnotationError: a world point exceeds float32.
    """
    found = annotation.reconstruction
    depth = round_mantissa(found.depth, settings.mantissa_bits)
    values = {
        "time": annotation.pts_seconds,
        "frame_index": annotation.frame_index,
        "dynamic_mask": annotation.dynamic_mask,
        "dynamic_score": annotation.dynamic_score,
        "depth": depth,
        "confidence": round_mantissa(found.confidence, settings.mantissa_bits),
        "camera_to_world": found.camera_to_world,
        "intrinsics": found.intrinsics,
        "loss_history": found.loss_history,
    }
    if settings.point_map == "stored":
        values["point_map"] = np.concatenate(list(_point_map_chunks(annotation, depth, settings)))
    return tuple(
        ClipArray(variable, np.ascontiguousarray(values[variable.name], variable.dtype))
        for variable in VARIABLES
        if variable.name in values
    )


def _point_map_chunks(
    annotation: ClipAnnotation,
    depth: Float32[np.ndarray, "frames height width"],
    settings: StoreSettings,
) -> Iterator[Float32[np.ndarray, "_ height width 3"]]:
    """The point map of the stored depth, a few frames at a time: float64 is large."""
    found = annotation.reconstruction
    for start in range(0, len(depth), settings.frames_per_chunk):
        part = slice(start, start + settings.frames_per_chunk)
        points = world_point_map(depth[part], found.intrinsics[part], found.camera_to_world[part])
        if np.abs(points).max() > _LARGEST:
            problem = f"a world point of frames {part.start}.. exceeds float32"
            remedy = "Look for the cause upstream: the alignment diverged"
            raise InvalidAnnotationError(f"clip {annotation.spec.clip_id}", problem, remedy)
        yield round_mantissa(points, settings.mantissa_bits)


def finite_or_null(figures: Mapping[str, float]) -> dict[str, float | None]:
    """Named figures for JSON, which has no NaN: null where a figure does not exist."""
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}


def clip_attributes(annotation: ClipAnnotation, settings: StoreSettings) -> dict[str, Any]:
    """What the Zarr group of a clip says of it."""
    spec, provenance = annotation.spec, annotation.provenance
    seconds = float(annotation.pts_seconds[-1] - annotation.pts_seconds[0])
    height, width = annotation.images_shape
    return {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "clip_id": spec.clip_id,
        "result_id": result_id(spec.clip_id, provenance.weights_sha256, provenance.settings_digest),
        "source_url": spec.video_url,
        "source_fingerprint": spec.video_fingerprint,
        "owned_start": spec.owned_start,
        "owned_stop": spec.owned_stop,
        "stream_break": spec.stream_break,
        "timestamps_derived": spec.timestamps_derived,
        "frames_per_second": (len(spec) - 1) / seconds if seconds > 0 else None,
        "image_height": height,
        "image_width": width,
        "source_to_stored": annotation.source_to_stored.tolist(),
        "scale": annotation.scale,
        "licence": provenance.weights_licence,
        "point_map": settings.point_map,
        "provenance": asdict(provenance),
        "quality": finite_or_null(annotation.reconstruction.quality),
        "seconds_by_stage": dict(annotation.seconds_by_stage),
    }


def encode_clip(
    arrays: tuple[ClipArray, ...], attributes: Mapping[str, Any], settings: StoreSettings
) -> dict[str, bytes]:
    """Every object of a clip's Zarr group by its path in the group.

    One shard per array, inner chunks of `frames_per_chunk` frames, codecs of the Zarr 3
    specification only; each inner chunk carries its CRC-32C, so any reader notices damage.
    """
    buffers: dict[str, Buffer] = {}
    store = MemoryStore(buffers)
    zarr.create_group(store, attributes=dict(attributes), zarr_format=3)
    for array in arrays:
        _create_array(store, array, str(attributes["scale"]), settings)
    return {path: buffer.to_bytes() for path, buffer in sorted(buffers.items())}


def _create_array(
    store: MemoryStore, array: ClipArray, scale: str, settings: StoreSettings
) -> None:
    variable, shape = array.variable, array.values.shape
    whole = tuple(max(1, length) for length in shape)
    chunk, shard = whole, None
    if variable.sharded:
        frames = min(settings.frames_per_chunk, shape[0])
        chunk = (frames, *shape[1:])
        shard = (math.ceil(shape[0] / frames) * frames, *shape[1:])
    planar = [TransposeCodec(order=(0, 3, 1, 2))] if variable.name == "point_map" else []
    lossless = [BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"), Crc32cCodec()]
    zarr.create_array(
        store,
        name=variable.name,
        data=array.values,
        chunks=chunk,
        shards=shard,
        filters=planar,
        compressors=lossless,
        fill_value=variable.fill_value,
        attributes=_array_attributes(variable, scale, settings),
        dimension_names=variable.dims,
        zarr_format=3,
        config={"write_empty_chunks": True},  # a missing object is then always a loss
    )


def _array_attributes(variable: Variable, scale: str, settings: StoreSettings) -> dict[str, Any]:
    exact = not variable.lossy
    attributes = {
        "units": variable.units or UNIT_OF_LENGTH[scale],
        "long_name": variable.long_name,
        "description": variable.description,
        "max_relative_error": 0.0 if exact else max_relative_error(settings.mantissa_bits),
    }
    if variable.dims[0] == "time" and variable.name not in {"time", "frame_index"}:
        attributes["coordinates"] = "frame_index"
    return attributes


def decoded_differences(
    objects: Mapping[str, bytes], arrays: tuple[ClipArray, ...]
) -> Iterator[str]:
    """Names of the arrays that these objects do not give back bit for bit."""
    make = default_buffer_prototype().buffer.from_bytes
    store = MemoryStore({path: make(data) for path, data in objects.items()}, read_only=True)
    group = zarr.open_group(store, mode="r", use_consolidated=False)
    for array in arrays:
        stored = group[array.variable.name]
        assert isinstance(stored, zarr.Array)
        values = np.asarray(stored[...])
        same = values.dtype == array.values.dtype and values.shape == array.values.shape
        if not same or values.tobytes() != array.values.tobytes():
            yield array.variable.name
