"""Chunks read back; what is damaged or unknown never reads as values."""

import google_crc32c
import numpy as np
import pytest
import zarr
from numcodecs.blosc import Blosc
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec
from zarr.core.buffer import Buffer
from zarr.storage import MemoryStore

from easi3r.store.chunks import (
    DamagedChunkError,
    Layout,
    UnknownLayoutError,
    chunk_contents,
    decode_chunk,
    decode_frames,
    decode_index,
    encode_chunk,
    join_chunks,
    parse_layout,
    sealed,
    span,
    split_chunks,
)

LAYOUT = Layout((5, 3), np.dtype(np.float32), 2, (0, 1), np.nan, Blosc("zstd", 3))


def document(**changes: object) -> bytes:
    """The `zarr.json` of an array of 5 frames, as the store's but for these."""
    buffers: dict[str, Buffer] = {}
    usual = {
        "shape": (5, 3),
        "dtype": "float32",
        "chunks": (2, 3),
        "shards": (6, 3),
        "filters": [],
        "compressors": [BloscCodec(cname="zstd"), Crc32cCodec()],
        "zarr_format": 3,
    }
    zarr.create_array(MemoryStore(buffers), **usual | changes)
    return buffers["zarr.json"].to_bytes()


def test_frames_come_back_from_the_bytes_of_their_span() -> None:
    values = np.arange(15, dtype=np.float32).reshape(5, 3)
    chunks = [encode_chunk(LAYOUT, content) for content in chunk_contents(LAYOUT, values)]
    data = join_chunks(LAYOUT, chunks)
    assert [bytes(chunk) for chunk in split_chunks(LAYOUT, data)] == chunks
    index = decode_index(LAYOUT, data[-LAYOUT.index_bytes :])
    for start in range(5):
        for stop in range(start + 1, 6):
            first, last = span(LAYOUT, index, start, stop)
            decoded = decode_frames(LAYOUT, index, data[first:last], start, stop)
            np.testing.assert_array_equal(decoded, values[start:stop])


def test_the_usual_document_is_known() -> None:
    assert parse_layout(document()).frames_per_chunk == 2
    assert parse_layout(document(chunks=(5, 3), shards=None)).frames_per_chunk is None


@pytest.mark.parametrize(
    "changes",
    [
        {"compressors": [BloscCodec(cname="zstd")]},
        {"compressors": [Crc32cCodec(), BloscCodec(cname="zstd")]},
        {"serializer": BytesCodec(endian="big")},
        {"chunks": (2, 1)},
        {"shards": (8, 3)},
        {"shards": (2, 3)},
        {"chunks": (8, 3), "shards": None},
        {"chunks": (2, 3), "shards": None},
    ],
)
def test_any_other_layout_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(UnknownLayoutError):
        parse_layout(document(**changes))


def test_a_chunk_that_was_never_written_is_no_array_of_fill_values() -> None:
    entries = np.array([[0, 40], [2**64 - 1, 2**64 - 1], [40, 40]], "<u8").tobytes()
    with pytest.raises(DamagedChunkError, match="index"):
        decode_index(LAYOUT, sealed(entries))


@pytest.mark.parametrize("frames", [1, 3])
def test_a_chunk_of_another_size_is_damaged(frames: int) -> None:
    data = encode_chunk(LAYOUT, np.zeros((frames, 3), np.float32))
    with pytest.raises(DamagedChunkError, match=r"no chunk of shape \(2, 3\)"):
        decode_chunk(LAYOUT, data)


@pytest.mark.parametrize("data", [b"", b"abc", sealed(b""), sealed(b"abc"), sealed(bytes(40))])
def test_bytes_that_are_no_chunk_are_damaged(data: bytes) -> None:
    with pytest.raises(DamagedChunkError):
        decode_chunk(LAYOUT, data)


def test_every_flipped_bit_is_noticed() -> None:
    data = encode_chunk(LAYOUT, np.ones((2, 3), np.float32))
    assert google_crc32c.value(data[:-4]) == int.from_bytes(data[-4:], "little")
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedChunkError, match="CRC-32C"):
            decode_chunk(LAYOUT, bytes(flipped))
