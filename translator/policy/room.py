"""How many rules the list of a namespace may have, and how many prefixes a group of addresses (pure).

Either is one write, so that an update is whole. Contrail's API takes bodies of 1,024,000 bytes, unless it is set up
otherwise (max_request_size); a reference to a rule is up to 245 bytes of them, a prefix up to 85.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")

MOST = 4000
"""Rules of one list, and decisions of one direction."""
MOST_PREFIXES = 12_000
"""Prefixes of one group."""
MOST_SAID = 10 * MOST
"""Decisions of all policies that concern a namespace, as written: many may say the same."""


class TooLong(Exception):
    """A list would have more rules than MOST. Never leaves the compiler."""


def once(found: Iterable[T | None]) -> tuple[T, ...]:
    """All that is found, each once, where it first stands; raises TooLong, as soon as there are more than MOST."""
    kept: dict[T, None] = {}
    for each in found:
        if each is not None:
            kept[each] = None
            if len(kept) > MOST:
                raise TooLong
    return tuple(kept)
