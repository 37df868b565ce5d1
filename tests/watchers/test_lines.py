"""Splitting a stream into lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import MalformedObject
from watchers.lines import LineSplitter


def test_case_12_a_line_in_two_chunks_and_two_lines_in_one() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b'{"a":') == []
    assert splitter.feed(b'1}\n{"b":2}\n{"c"') == [b'{"a":1}', b'{"b":2}']
    assert splitter.feed(b":3}\n") == [b'{"c":3}']


def test_case_12_a_character_cut_in_two_is_whole_again() -> None:
    splitter = LineSplitter()
    first, second = "ü".encode()[:1], "ü".encode()[1:]
    assert splitter.feed(b"{" + first) == []
    assert splitter.feed(second + b"}\n") == ["{ü}".encode()]


def test_case_12_blank_lines_that_keep_a_connection_alive_are_left_out() -> None:
    assert LineSplitter().feed(b"\n\r\n  \n{}\n\n") == [b"{}"]


def test_a_line_without_end_is_refused_before_it_fills_memory() -> None:
    splitter = LineSplitter(longest=10)
    splitter.feed(b"12345678")
    with pytest.raises(MalformedObject, match="more than 10 bytes"):
        splitter.feed(b"90123")


@given(st.lists(st.binary(max_size=20).filter(lambda b: b"\n" not in b and b.strip()), max_size=8), st.data())
def test_lines_do_not_depend_on_where_the_chunks_end(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    splitter, found = LineSplitter(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += splitter.feed(stream[:size])
        stream = stream[size:]
    assert found == lines
