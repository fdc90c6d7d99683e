"""From an annotation to the bytes of its Zarr group, in memory, and back to check them.

Why these codecs and what they cost: docs/decisions/001-store-encoding.md.
"""

import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np
import zarr
from jaxtyping import Float, Float32, Float64
from numcodecs.bitround import BitRound
from zarr.codecs import BloscCodec, Crc32cCodec, TransposeCodec
from zarr.core.buffer import Buffer, default_buffer_prototype
from zarr.core.group import GroupMetadata
from zarr.storage import MemoryStore

from easi3r.config import StoreSettings
from easi3r.errors import InvalidAnnotationError
from easi3r.geometry import fill_world_planes
from easi3r.store.chunks import (
    DOCUMENT,
    Layout,
    chunk_contents,
    decode_chunk,
    encode_chunk,
    join_chunks,
    parse_layout,
    split_chunks,
)
from easi3r.store.schema import (
    FORMAT,
    SCHEMA_VERSION,
    UNIT_OF_LENGTH,
    VARIABLES,
    Variable,
    result_id,
)
from easi3r.store.threads import in_threads
from easi3r.types import ClipAnnotation

_LARGEST = float(np.finfo(np.float32).max)
_CACHED_DOCUMENTS = 1024
_WORTH_THREADS_BYTES = 4_000_000


@dataclass(frozen=True)
class ClipArray:
    """One array of a clip, exactly as a reader will see it."""

    variable: Variable
    values: np.ndarray


def max_relative_error(bits: int) -> float:
    """Upper bound of the relative error of `round_mantissa`."""
    return 2.0 ** -(bits + 1)


def round_mantissa(values: Float[np.ndarray, "*shape"], bits: int) -> Float32[np.ndarray, "*shape"]:
    """Nearest float32 with `bits` mantissa bits; those dropped are zeros, which compress well.

    The relative error is at most `2**-(bits + 1)` for every finite float32, subnormal or huge,
    and for every float64 between float32's smallest normal and largest number.
    """
    rounded = np.empty(values.shape, np.float32)
    for source, target in zip(np.atleast_2d(values), np.atleast_2d(rounded), strict=True):
        _round_into(target, source.astype(np.float64), bits)
    return rounded


def _round_into(
    target: Float32[np.ndarray, "*shape"], values: Float64[np.ndarray, "*shape"], bits: int
) -> None:
    """`round_mantissa` of one frame or plane: a few of them fit into a processor's cache."""
    codec = BitRound(keepbits=bits)
    rounded = codec.decode(codec.encode(values))
    largest = (2 - 2.0**-bits) * 2.0**127  # where rounding up would give infinity
    target[...] = np.clip(rounded, -largest, largest, out=rounded)


def clip_arrays(annotation: ClipAnnotation, settings: StoreSettings) -> tuple[ClipArray, ...]:
    """The arrays of a checked annotation, rounded as the settings say.

    Raises:
        InvalidAnnotationError: a world point exceeds float32.
    """
    reconstruction = annotation.reconstruction
    depth = round_mantissa(reconstruction.depth, settings.mantissa_bits)
    values = {
        "time": annotation.pts_seconds,
        "frame_index": annotation.frame_index,
        "dynamic_mask": annotation.dynamic_mask,
        "dynamic_score": annotation.dynamic_score,
        "depth": depth,
        "confidence": round_mantissa(reconstruction.confidence, settings.mantissa_bits),
        "camera_to_world": reconstruction.camera_to_world,
        "intrinsics": reconstruction.intrinsics,
        "loss_history": reconstruction.loss_history,
    }
    if annotation.unrefined_mask is not None:
        values["dynamic_mask_unrefined"] = annotation.unrefined_mask
    if settings.point_map == "stored":
        values["point_map"] = _point_map(annotation, depth, settings)
    return tuple(
        ClipArray(variable, np.asarray(values[variable.name], variable.dtype))
        for variable in VARIABLES
        if variable.name in values
    )


def _point_map(
    annotation: ClipAnnotation,
    depth: Float32[np.ndarray, "frames height width"],
    settings: StoreSettings,
) -> Float32[np.ndarray, "frames height width 3"]:
    """The point map of the stored depth, its planes apart in memory as they are stored."""
    reconstruction = annotation.reconstruction
    frames, height, width = depth.shape
    planes = np.empty((frames, 3, height, width), np.float32)
    exact = np.empty((1, 3, height, width), np.float64)
    for frame in range(frames):
        part = slice(frame, frame + 1)
        fill_world_planes(
            exact,
            depth[part],
            reconstruction.intrinsics[part],
            reconstruction.camera_to_world[part],
        )
        if max(exact.max(), -exact.min()) > _LARGEST:
            problem = f"a world point of frame {frame} exceeds float32"
            remedy = "Look for the cause upstream: the alignment diverged"
            raise InvalidAnnotationError(f"clip {annotation.spec.clip_id}", problem, remedy)
        for plane, target in zip(exact[0], planes[frame], strict=True):
            _round_into(target, plane, settings.mantissa_bits)
    return planes.transpose(0, 2, 3, 1)


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
        "padding": list(annotation.padding),
        "scale": annotation.scale,
        "poses_given": annotation.poses_given,
        "licence": provenance.weights_licence,
        "point_map": settings.point_map,
        "provenance": asdict(provenance),
        "degraded": list(annotation.degraded),
        "trust": None if annotation.trust is None else asdict(annotation.trust),
        "quality": finite_or_null(annotation.reconstruction.quality),
        "seconds_by_stage": dict(annotation.seconds_by_stage),
        "known_inputs": [] if spec.known is None else list(spec.known.names),
        "undistorted": annotation.undistorted and asdict(annotation.undistorted),
        "warnings": list(annotation.warnings),
    }


def encode_clip(
    arrays: tuple[ClipArray, ...], attributes: Mapping[str, Any], settings: StoreSettings
) -> dict[str, bytes]:
    """Every object of a clip's Zarr group by its path in the group; the bytes zarr would write.

    One shard per array, inner chunks of `frames_per_chunk` frames, codecs of the Zarr 3
    specification only; each inner chunk carries its CRC-32C, so any reader notices damage.
    """
    group = GroupMetadata(attributes=dict(attributes), zarr_format=3)
    objects = {
        path: buffer.to_bytes()
        for path, buffer in group.to_buffer_dict(default_buffer_prototype()).items()
    }
    layouts = []
    for array in arrays:
        variable, shape = array.variable, array.values.shape
        document = _array_document(variable, shape, str(attributes["scale"]), settings)
        objects[f"{variable.name}/{DOCUMENT}"] = document
        layouts.append(parse_layout(document))
    chunks = (
        (layout, content)
        for array, layout in zip(arrays, layouts, strict=True)
        for content in chunk_contents(layout, array.values)
    )
    large = sum(array.values.nbytes for array in arrays) >= _WORTH_THREADS_BYTES
    encoded = iter((in_threads if large else map)(lambda chunk: encode_chunk(*chunk), chunks))
    for array, layout in zip(arrays, layouts, strict=True):
        if layout.chunks:
            path = f"{array.variable.name}/{layout.object_name}"
            objects[path] = join_chunks(layout, list(islice(encoded, layout.chunks)))
    return dict(sorted(objects.items()))


@functools.lru_cache(_CACHED_DOCUMENTS)
def _array_document(
    variable: Variable, shape: tuple[int, ...], scale: str, settings: StoreSettings
) -> bytes:
    """The `zarr.json` of an array, from zarr; the same for every clip of one shape."""
    whole = tuple(max(1, length) for length in shape)
    chunk, shard = whole, None
    if variable.sharded:
        frames = min(settings.frames_per_chunk, shape[0])
        chunk = (frames, *shape[1:])
        shard = (math.ceil(shape[0] / frames) * frames, *shape[1:])
    planar = [TransposeCodec(order=(0, 3, 1, 2))] if variable.name == "point_map" else []
    lossless = [BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"), Crc32cCodec()]
    documents: dict[str, Buffer] = {}
    zarr.create_array(
        MemoryStore(documents),
        shape=shape,
        dtype=variable.dtype,
        chunks=chunk,
        shards=shard,
        filters=planar,
        compressors=lossless,
        fill_value=variable.fill_value,
        attributes=array_attributes(variable, scale, settings),
        dimension_names=variable.dims,
        zarr_format=3,
    )
    return documents[DOCUMENT].to_bytes()


def array_attributes(variable: Variable, scale: str, settings: StoreSettings) -> dict[str, Any]:
    """What an array says of itself, beside its `zarr.json`'s own fields."""
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
    for array in arrays:
        name, values = array.variable.name, array.values
        layout = parse_layout(objects[f"{name}/{DOCUMENT}"])
        same = (layout.dtype, layout.shape) == (values.dtype, values.shape)
        if same and layout.chunks:
            same = _holds(layout, objects[f"{name}/{layout.object_name}"], values)
        if not same:
            yield name


def _holds(layout: Layout, data: bytes, values: np.ndarray) -> bool:
    pairs = zip(split_chunks(layout, data), chunk_contents(layout, values), strict=True)
    return all(
        np.array_equal(decode_chunk(layout, chunk).view(np.uint8), content.view(np.uint8))
        for chunk, content in pairs
    )
