"""A clip's objects by zarr's own writing and reading, which the store's must equal."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec, TransposeCodec
from zarr.core.buffer import Buffer, default_buffer_prototype
from zarr.storage import MemoryStore

from easi3r.config import StoreSettings
from easi3r.store.encode import ClipArray, array_attributes


def bytes_of_zarr(
    arrays: tuple[ClipArray, ...], attributes: dict[str, Any], chosen: StoreSettings
) -> dict[str, bytes]:
    """The objects that zarr's own writing makes."""
    buffers: dict[str, Buffer] = {}
    store = MemoryStore(buffers)
    zarr.create_group(store, attributes=attributes, zarr_format=3)
    for array in arrays:
        name, shape = array.variable.name, array.values.shape
        frames = min(chosen.frames_per_chunk, max(1, shape[0]))
        padded = math.ceil(shape[0] / frames) * frames
        sharded = array.variable.sharded
        zarr.create_array(
            store,
            name=name,
            data=array.values,
            chunks=(frames, *shape[1:]) if sharded else tuple(max(1, n) for n in shape),
            shards=(padded, *shape[1:]) if sharded else None,
            filters=[TransposeCodec(order=(0, 3, 1, 2))] if name == "point_map" else [],
            compressors=[BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"), Crc32cCodec()],
            fill_value=array.variable.fill_value,
            attributes=array_attributes(array.variable, attributes["scale"], chosen),
            dimension_names=array.variable.dims,
            zarr_format=3,
            config={"write_empty_chunks": True},
        )
    return {path: buffer.to_bytes() for path, buffer in buffers.items()}


def differences_of_zarr(objects: Mapping[str, bytes], arrays: tuple[ClipArray, ...]) -> list[str]:
    """Names of the arrays that zarr does not read from these objects bit for bit."""
    make = default_buffer_prototype().buffer.from_bytes
    store = MemoryStore({path: make(data) for path, data in objects.items()}, read_only=True)
    group = zarr.open_group(store, mode="r", use_consolidated=False)
    return [
        array.variable.name
        for array in arrays
        if np.asarray(group[array.variable.name][...]).tobytes() != array.values.tobytes()
    ]
