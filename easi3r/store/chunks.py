"""Where the chunks of an array lie in its object, and how values become bytes and back.

Only for arrays as `easi3r.store.encode` lays them out, which zarr's own document describes. Bytes
are those that zarr would write, and every CRC-32C is checked as zarr checks it; only zarr's event
loop is left out, which takes longer than decoding a small chunk.
"""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import google_crc32c
import numpy as np
import zarr
from numcodecs.blosc import Blosc
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, ShardingCodec, TransposeCodec
from zarr.core.buffer import default_buffer_prototype
from zarr.core.metadata import ArrayV3Metadata
from zarr.storage import MemoryStore

DOCUMENT = "zarr.json"
_INDEX_ENTRY_BYTES = 16
_CHECKSUM_BYTES = 4
_DECODED_SIZE = slice(4, 8)  # in the header of a blosc buffer
_SHUFFLES = {"noshuffle": Blosc.NOSHUFFLE, "shuffle": Blosc.SHUFFLE, "bitshuffle": Blosc.BITSHUFFLE}


class UnknownLayoutError(ValueError):
    """An array is laid out or encoded in another way than this module reads; zarr may know it."""


class DamagedChunkError(ValueError):
    """Bytes are missing, differ from their CRC-32C, or decode to another size."""


@dataclass(frozen=True)
class Layout:
    """One array in one object: a single chunk, or chunks along time with an index at the end.

    Attributes:
        frames_per_chunk: None where the array is a single chunk, without an index.
        order: the axes of a chunk as they lie in its bytes.
        fill_value: what pads the last chunk.
        compressor: of the chunks.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    frames_per_chunk: int | None
    order: tuple[int, ...]
    fill_value: float | int | bool
    compressor: Blosc

    @property
    def object_name(self) -> str:
        """The object, below the array's folder."""
        return "/".join(["c", *("0" for _ in self.shape)])

    @property
    def chunks(self) -> int:
        """How many chunks there are; none of an array without values, which has no object."""
        return math.ceil(self.shape[0] / self.chunk_shape[0])

    @property
    def index_bytes(self) -> int:
        """Length of the index, its checksum included."""
        return self.chunks * _INDEX_ENTRY_BYTES + _CHECKSUM_BYTES

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """Of every chunk, the padded last one included."""
        return (self.frames_per_chunk or max(1, self.shape[0]), *self.shape[1:])


@functools.lru_cache(1024)
def parse_layout(document: bytes) -> Layout:
    """The layout that an array's `zarr.json` describes.

    Raises:
        UnknownLayoutError: not one that `easi3r.store.encode` makes.
    """
    buffer = default_buffer_prototype().buffer.from_bytes(document)
    array = zarr.open_array(MemoryStore({DOCUMENT: buffer}, read_only=True), mode="r")
    assert isinstance(array.metadata, ArrayV3Metadata)
    codecs, frames_per_chunk = array.metadata.codecs, None
    expected = tuple(max(1, length) for length in array.shape)
    known = array.shards is not None or array.chunks == expected
    if len(codecs) == 1 and isinstance(codecs[0], ShardingCodec):
        shard = codecs[0]
        codecs, frames_per_chunk = shard.codecs, shard.chunk_shape[0]
        padded = math.ceil(array.shape[0] / frames_per_chunk) * frames_per_chunk
        known = array.shards == (padded, *array.shape[1:])
        known &= shard.chunk_shape[1:] == array.shape[1:]
        known &= shard.index_location.value == "end"
        known &= _are(shard.index_codecs, BytesCodec, Crc32cCodec)
    order = tuple(range(array.ndim))
    if codecs and isinstance(codecs[0], TransposeCodec):
        order, codecs = codecs[0].order, codecs[1:]
    if not known or not _are(codecs, BytesCodec, BloscCodec, Crc32cCodec):
        raise UnknownLayoutError(f"chunks {array.chunks} of {array.shape} through {codecs}")
    blosc = codecs[1]
    assert isinstance(blosc, BloscCodec)
    dtype, fill = np.dtype(array.dtype), array.fill_value.item()
    return Layout(array.shape, dtype, frames_per_chunk, order, fill, _compressor(blosc))


def _compressor(codec: BloscCodec) -> Blosc:
    shuffle = _SHUFFLES[codec.shuffle.value]
    return Blosc(codec.cname.value, codec.clevel, shuffle, codec.blocksize, codec.typesize)


def _are(codecs: tuple[object, ...], *kinds: type) -> bool:
    """Whether these are the codecs, numbers little-endian."""
    orders = [getattr(c.endian, "value", None) for c in codecs if isinstance(c, BytesCodec)]
    return tuple(map(type, codecs)) == kinds and "big" not in orders


def checked(data: bytes | np.ndarray) -> np.ndarray:
    """The bytes before their CRC-32C.

    Raises:
        DamagedChunkError: too short, or the sum differs.
    """
    octets = np.frombuffer(data, np.uint8)
    content, stored = octets[:-_CHECKSUM_BYTES], octets[-_CHECKSUM_BYTES:].tobytes()
    if google_crc32c.value(content).to_bytes(_CHECKSUM_BYTES, "little") != stored:
        raise DamagedChunkError(f"{len(octets)} bytes that differ from their CRC-32C")
    return content


def decode_index(layout: Layout, data: bytes) -> np.ndarray:
    """The index of the chunks: (offset, length) in bytes of each.

    Args:
        data: the last `index_bytes` of the object.

    Raises:
        DamagedChunkError: it is damaged, or a chunk is missing (the writer omits none).
    """
    index = checked(data).view("<u8")
    if index.size != 2 * layout.chunks or (index == np.iinfo(np.uint64).max).any():
        raise DamagedChunkError(f"an index of {index.size // 2} chunks, of {layout.chunks}")
    return index.reshape(-1, 2).astype(np.int64)


def decode_chunk(
    layout: Layout, data: bytes | np.ndarray, out: np.ndarray | None = None
) -> np.ndarray:
    """The values of a chunk, axes in the layout's `order`.

    Args:
        out: contiguous memory of that shape and type to fill.

    Raises:
        DamagedChunkError: the chunk is damaged, or not of the array's shape.
    """
    shape = tuple(layout.chunk_shape[axis] for axis in layout.order)
    values = np.empty(shape, layout.dtype) if out is None else out
    content = checked(data)
    try:
        if content[_DECODED_SIZE].view("<u4") != values.nbytes:  # blosc takes a larger `out`
            raise ValueError("another size")
        layout.compressor.decode(content, values)
    except (RuntimeError, ValueError) as error:
        problem = f"{len(data)} bytes that are no chunk of shape {shape}"
        raise DamagedChunkError(problem) from error
    return values


def encode_chunk(layout: Layout, values: np.ndarray) -> bytes:
    """The bytes of a chunk whose axes are in the layout's `order`."""
    return sealed(layout.compressor.encode(values))


def sealed(content: bytes) -> bytes:
    """The bytes with their CRC-32C behind them, as `checked` takes them."""
    return content + google_crc32c.value(content).to_bytes(_CHECKSUM_BYTES, "little")


def chunk_contents(layout: Layout, values: np.ndarray) -> Iterator[np.ndarray]:
    """Each chunk of an array as it is encoded: padded, contiguous, axes in the layout's `order`."""
    frames = layout.chunk_shape[0]
    for start in range(0, len(values), frames):
        part = values[start : start + frames].transpose(layout.order)
        if missing := frames - len(part):
            padding = [(0, missing), *((0, 0) for _ in part.shape[1:])]
            part = np.pad(part, padding, constant_values=layout.fill_value)
        yield np.ascontiguousarray(part)


def join_chunks(layout: Layout, chunks: Sequence[bytes]) -> bytes:
    """The object of an array: its chunks in order, and the index if it has one."""
    if layout.frames_per_chunk is None:
        return b"".join(chunks)
    lengths = np.array([len(chunk) for chunk in chunks], "<u8")
    offsets = np.cumsum(lengths, dtype="<u8") - lengths
    index = np.stack([offsets, lengths], axis=1).tobytes()
    return b"".join([*chunks, sealed(index)])


def split_chunks(layout: Layout, data: bytes) -> list[np.ndarray]:
    """The encoded chunks of an object, in order.

    Raises:
        DamagedChunkError: as `decode_index`.
    """
    octets = np.frombuffer(data, np.uint8)
    if layout.frames_per_chunk is None:
        return [octets]
    index = decode_index(layout, data[-layout.index_bytes :])
    return [octets[offset : offset + length] for offset, length in index]


def span(layout: Layout, index: np.ndarray, start: int, stop: int) -> tuple[int, int]:
    """Bytes [first, last) of the object that hold every chunk of frames [start, stop)."""
    chunks = index[_chunks_of(layout, start, stop)]
    return int(chunks[:, 0].min()), int(chunks.sum(axis=1).max())


def decode_frames(
    layout: Layout, index: np.ndarray, data: bytes, start: int, stop: int
) -> np.ndarray:
    """Frames [start, stop) of an array of several chunks, from the bytes of their `span`.

    The layout's `order` must be that of the array.

    Raises:
        DamagedChunkError: as `decode_chunk`.
    """
    values = np.empty((stop - start, *layout.shape[1:]), layout.dtype)
    octets = np.frombuffer(data, np.uint8)
    from_byte, _ = span(layout, index, start, stop)
    for chunk in _chunks_of(layout, start, stop):
        offset, length = index[chunk] - (from_byte, 0)
        begins = chunk * layout.chunk_shape[0]
        first, last = max(start, begins), min(stop, begins + layout.chunk_shape[0])
        part, encoded = values[first - start : last - start], octets[offset : offset + length]
        if len(part) == layout.chunk_shape[0]:
            decode_chunk(layout, encoded, part)
        else:
            part[...] = decode_chunk(layout, encoded)[first - begins : last - begins]
    return values


def _chunks_of(layout: Layout, start: int, stop: int) -> range:
    frames = layout.chunk_shape[0]
    return range(start // frames, math.ceil(stop / frames))
