"""Segments are Avro, and bytes that are none never raise anything but Damaged."""

from __future__ import annotations

import io

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.bus.log_format import (
    CODECS,
    Damaged,
    Header,
    Incomplete,
    decode_block,
    decode_block_head,
    decode_header,
    encode_block,
    encode_header,
    entry_of,
)

ENTRIES = [entry_of(number, b"key", bytes(number), [("kind", b"Pod")], 1000 + number) for number in range(300)]


def header_of(codec: str) -> Header:
    return decode_header(encode_header("t/0/0", codec))


@pytest.mark.parametrize("codec", CODECS)
def test_a_block_is_read_as_it_was_written_also_by_another_library(codec: str) -> None:
    header = header_of(codec)
    block = encode_block(ENTRIES, header.sync, codec, 3)
    assert decode_block(block, header) == ENTRIES
    assert decode_block_head(block[:20]).size == len(block)
    assert list(fastavro.reader(io.BytesIO(encode_header("t/0/0", codec) + block))) == ENTRIES


def test_every_cut_of_a_header_is_incomplete() -> None:
    whole = encode_header("t/0/0", "zstandard")
    for size in range(len(whole)):
        with pytest.raises(Incomplete):
            decode_header(whole[:size])
    assert decode_header(whole + b"more").size == len(whole)


def test_a_file_that_is_no_avro_or_of_an_unknown_codec_is_damaged() -> None:
    with pytest.raises(Damaged, match="no Avro"):
        decode_header(b"PK\x03\x04 something else")
    with pytest.raises(Damaged, match="codec 'snappy'"):
        decode_header(encode_header("t/0/0", "snappy"))


@pytest.mark.parametrize("codec", CODECS)
@given(data=st.data())
def test_a_damaged_block_is_damaged_or_another_block_and_nothing_else(codec: str, data: st.DataObject) -> None:
    header = header_of(codec)
    block = bytearray(encode_block(ENTRIES[:20], header.sync, codec, 3))
    for _ in range(data.draw(st.integers(1, 4))):
        block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    try:
        entries = decode_block(bytes(block), header)
    except Damaged:
        return
    assert all(set(entry) == set(ENTRIES[0]) for entry in entries)


@given(st.binary(max_size=200))
def test_garbage_is_never_taken_for_a_block_or_a_header(garbage: bytes) -> None:
    for codec in CODECS:
        with pytest.raises(Damaged):
            decode_block(garbage, header_of(codec))
    with pytest.raises(Damaged):
        decode_header(garbage)
