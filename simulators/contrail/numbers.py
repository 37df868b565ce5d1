"""Numbers that the server gives out: ids of networks, security groups, tags (pure, but it changes)."""

from __future__ import annotations

import heapq

TAG_TYPES = ("label", "application", "tier", "deployment", "site")
"""Predefined tag types, at the place of their id."""
FIRST_OPEN_TAG_TYPE = 256
FIRST_SECURITY_GROUP = 8_000_001


class Sequence:
    """Lowest free number first; freed numbers are used again."""

    def __init__(self, first: int) -> None:
        self._next = first
        self._freed: list[int] = []

    def take(self) -> int:
        """The next number."""
        if self._freed:
            return heapq.heappop(self._freed)
        self._next += 1
        return self._next - 1

    def free(self, number: int) -> None:
        """Give a number back."""
        heapq.heappush(self._freed, number)


class Numbers:
    """All sequences of one server."""

    def __init__(self) -> None:
        self.networks = Sequence(1)
        self.security_groups = Sequence(FIRST_SECURITY_GROUP)
        self.tag_types = Sequence(FIRST_OPEN_TAG_TYPE)
        self._tag_values: dict[str, Sequence] = {}

    def tag_values(self, tag_type: str) -> Sequence:
        """Values of one tag type."""
        return self._tag_values.setdefault(tag_type, Sequence(0))
