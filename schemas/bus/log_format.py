"""Bytes of a log segment: an Avro object container file (Avro 1.11 specification) of records (pure).

A segment is one header and any number of blocks; a block is a count of records, a size, the compressed
records and the header's sync marker. Any Avro tool reads it. Nothing here touches a file.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAGIC = b"Obj\x01"
SYNC_BYTES = 16
BLOCK_HEAD_BYTES = 20
"""Two variable-length integers, each of at most ten bytes."""
MAX_BLOCK_BYTES = 256 * 1024 * 1024
"""A size beyond it is damage, not data: no writer of ours makes such a block."""
CODECS = ("zstandard", "deflate", "null")

_HEADER_FIELD = {
    "type": "record",
    "name": "Header",
    "fields": [{"name": "name", "type": "string"}, {"name": "value", "type": "bytes"}],
}
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "LogRecord",
    "namespace": "org.opencontrail.kube.bus",
    "doc": "One record of a partition; a null value is a tombstone.",
    "fields": [
        {"name": "offset", "type": "long"},
        {"name": "key", "type": ["null", "bytes"]},
        {"name": "value", "type": ["null", "bytes"]},
        {"name": "headers", "type": {"type": "array", "items": _HEADER_FIELD}},
        {"name": "timestamp_ms", "type": "long"},
    ],
}
_SCHEMA_TEXT = json.dumps(SCHEMA)
_METADATA_TEXT = json.dumps({"type": "map", "values": "bytes"})

_UNREADABLE = (
    *(ArithmeticError, EOFError, LookupError, MemoryError, TypeError, ValueError),
    *(zlib.error, zstd.ZstdError, SchemaResolutionError, SchemaParseException),
)
"""What zlib, zstd and fastavro raise on bytes that are not theirs: they share no root."""

Entry = dict[str, Any]
"""One record in the shape of SCHEMA."""


class Damaged(ValueError):
    """Bytes that are no header, or no block, of a segment."""


class Incomplete(Damaged):
    """Bytes that end before their header or block does: still being written, or torn."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a segment says about itself; `size` is where its first block begins."""

    schema: str
    codec: str
    sync: bytes
    size: int

    @property
    def is_current(self) -> bool:
        """Whether the records have the very SCHEMA of this version."""
        return self.schema == _SCHEMA_TEXT


@dataclass(frozen=True, slots=True)
class BlockHead:
    """Count of records and where the parts of a block are, relative to the block's first byte."""

    count: int
    payload_start: int
    payload_size: int

    @property
    def size(self) -> int:
        """Bytes of the whole block, sync marker included."""
        return self.payload_start + self.payload_size + SYNC_BYTES


def entry_of(
    offset: int, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]], timestamp_ms: int
) -> Entry:
    """One record in the shape of SCHEMA."""
    return {
        "offset": offset,
        "key": key,
        "value": value,
        "headers": [{"name": name, "value": data} for name, data in headers],
        "timestamp_ms": timestamp_ms,
    }


def encode_header(identity: str, codec: str) -> bytes:
    """Header of a new segment; the sync marker follows from `identity`, so equal logs are equal bytes.

    Nothing here searches for the marker, so that it needs not be random.
    """
    metadata = {"avro.schema": _SCHEMA_TEXT.encode(), "avro.codec": codec.encode()}
    buffer = io.BytesIO()
    buffer.write(MAGIC)
    schemaless_writer(buffer, _parsed(_METADATA_TEXT), metadata)
    buffer.write(hashlib.sha256(identity.encode()).digest()[:SYNC_BYTES])
    return buffer.getvalue()


def decode_header(data: bytes) -> Header:
    """Header at the start of `data`; raises Incomplete or Damaged."""
    if not data.startswith(MAGIC):
        raise Incomplete("header is cut") if MAGIC.startswith(data) else Damaged("is no Avro file")
    buffer = io.BytesIO(data)
    buffer.seek(len(MAGIC))
    try:
        metadata: Any = schemaless_reader(buffer, _parsed(_METADATA_TEXT), None)
    except (EOFError, IndexError) as error:
        raise Incomplete("header is cut") from error
    except _UNREADABLE as error:
        raise Damaged(f"header is not readable: {type(error).__name__}: {error}") from error
    sync = buffer.read(SYNC_BYTES)
    if len(sync) < SYNC_BYTES:
        raise Incomplete("header is cut")
    try:
        codec = metadata.get("avro.codec", b"null").decode()
        schema = metadata["avro.schema"].decode()
    except (KeyError, UnicodeDecodeError) as error:
        raise Damaged("header names no schema") from error
    if codec not in CODECS:
        raise Damaged(f"codec {codec!r} is none of {', '.join(CODECS)}")
    return Header(schema, codec, sync, buffer.tell())


def encode_block(entries: Sequence[Entry], sync: bytes, codec: str, level: int) -> bytes:
    """One block; `level` is the codec's own."""
    buffer = io.BytesIO()
    schemaless_writer(buffer, _array_of(_SCHEMA_TEXT), entries)
    # Avro writes an array as count, items and a closing zero: between the two is what a block holds.
    count = _encode_long(len(entries))
    payload = _compress(buffer.getvalue()[len(count) : -1], codec, level)
    return b"".join((count, _encode_long(len(payload)), payload, sync))


def decode_block_head(data: bytes) -> BlockHead:
    """Head of the block that starts `data` (BLOCK_HEAD_BYTES are enough); raises Incomplete or Damaged."""
    count, at = _decode_long(data, 0)
    size, at = _decode_long(data, at)
    if count <= 0 or not 0 <= size <= MAX_BLOCK_BYTES:
        raise Damaged(f"block of {count} records in {size} bytes")
    return BlockHead(count, at, size)


def decode_block(data: bytes, header: Header) -> list[Entry]:
    """Records of one whole block; raises Damaged."""
    head = decode_block_head(data)
    if len(data) != head.size:
        raise Incomplete("block is cut")
    if data[-SYNC_BYTES:] != header.sync:
        raise Damaged("block does not end with the file's sync marker")
    try:
        raw = _decompress(data[head.payload_start : -SYNC_BYTES], header.codec)
        array = io.BytesIO(b"".join((_encode_long(head.count), raw, b"\0")))
        reader = None if header.is_current else _array_of(_SCHEMA_TEXT)
        entries: Any = schemaless_reader(array, _array_of(header.schema), reader)
    except _UNREADABLE as error:
        raise Damaged(f"block is not readable: {type(error).__name__}: {error}") from error
    if len(entries) != head.count or array.read(1):
        raise Damaged(f"block counts {head.count} records and holds others")
    found: list[Entry] = entries
    return found


@cache
def _parsed(schema: str) -> Any:
    return parse_schema(json.loads(schema))


@cache
def _array_of(schema: str) -> Any:
    return parse_schema({"type": "array", "items": json.loads(schema)})


def _compress(data: bytes, codec: str, level: int) -> bytes:
    if codec == "zstandard":
        parameter = zstd.CompressionParameter
        options: dict[int, int] = {parameter.compression_level: level, parameter.checksum_flag: 1}
        return bytes(zstd.compress(data, options=options))
    if codec == "deflate":
        deflate = zlib.compressobj(min(level, 9), zlib.DEFLATED, -zlib.MAX_WBITS)
        return deflate.compress(data) + deflate.flush()
    return data


def _decompress(data: bytes, codec: str) -> bytes:
    if codec == "zstandard":
        return bytes(zstd.decompress(data))
    if codec == "deflate":
        return zlib.decompress(data, -zlib.MAX_WBITS)
    return data


def _encode_long(value: int) -> bytes:
    """Avro long (zigzag, seven bits a byte) of a value that is not negative."""
    zigzag = value << 1
    out = bytearray()
    while zigzag > 0x7F:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)


def _decode_long(data: bytes, at: int) -> tuple[int, int]:
    """Avro long at `at`, and where it ends."""
    zigzag = shift = 0
    while shift < 70:
        if at >= len(data):
            raise Incomplete("block head is cut")
        byte = data[at]
        at += 1
        zigzag |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (zigzag >> 1) ^ -(zigzag & 1), at
        shift += 7
    raise Damaged("block head is no pair of Avro longs")
