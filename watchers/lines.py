"""Splitting a byte stream into lines, whatever chunks it arrives in (pure)."""

from __future__ import annotations

from schemas.errors import MalformedObject
from watchers.excerpt import excerpt

LONGEST_LINE = 32 * 1024 * 1024
"""Bytes; an API server keeps objects under 3 MiB, so a longer line is no line of a watch."""


class LineSplitter:
    """Collects chunks and gives whole lines: bytes, so that a character cut in two is put together again."""

    def __init__(self, *, longest: int = LONGEST_LINE) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._longest = longest

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes, without their end; blank ones, sent to keep alive, are left out.

        Raises MalformedObject when a line grows beyond the limit.
        """
        head, newline, rest = chunk.partition(b"\n")
        self._parts.append(head)
        self._size += len(head)
        if self._size > self._longest:
            raise MalformedObject(
                f"a line of more than {self._longest} bytes, beginning {excerpt(self._parts[0], 80)!r}"
            )
        if not newline:
            return []
        *whole, rest = [b"".join(self._parts), *rest.split(b"\n")]
        self._parts, self._size = [rest], len(rest)
        return [line for line in whole if line and not line.isspace()]
