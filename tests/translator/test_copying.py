"""Rows as COPY text."""

from __future__ import annotations

import pytest

from translator.copying import NULL, binary, json_parameter, json_text, moment, text


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("plain", "plain"),
        ("", ""),
        ("a\\b", "a\\\\b"),
        ("a\tb\nc\rd", "a\\tb\\nc\\rd"),
        ("\\N", "\\\\N"),
        ("größe 🙂", "größe 🙂"),
    ],
)
def test_texts_are_escaped(value: str, field: str) -> None:
    assert text(value) == field


def test_json_and_bytes_and_times() -> None:
    assert json_text(b'{"a":"x\\ny"}') == '{"a":"x\\\\ny"}'
    assert json_text(None) == NULL
    assert binary(b"\x00\xff") == "\\\\x00ff"
    assert moment(1_700_000_000_123_456) == "2023-11-14T22:13:20.123456+00:00"
    assert [moment(wrong) for wrong in (0, -5, 2**62)] == [NULL] * 3
    assert json_parameter([("a", 1), ["b", None]]) == '[["a",1],["b",null]]'
