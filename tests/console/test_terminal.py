"""Names from a cluster cannot drive the terminal that shows them."""

from __future__ import annotations

import pytest

from console.terminal import cells, inert


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("web-1", "web-1"),
        ("café", "café"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\r\nb", "a\\r\\nb"),
        ("\x9b2J", "\\x9b2J"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("\ud800", "\\ud800"),
        ("\u200b", "\\u200b"),
    ],
)
def test_case_96_terminal_escapes_are_written_out(name: str, shown: str) -> None:
    assert inert(name) == shown


def test_a_long_name_is_cut_with_an_ellipsis() -> None:
    assert cells("abcdef", 6) == "abcdef"
    assert cells("abcdefg", 6) == "abcde…"
    assert len(cells("\x1b" * 100, 10)) == 10
