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


MOST_TRIED = 250_000
"""Meetings of two decisions that no address of a pod is in: a second or two of work."""


class TooLong(Exception):
    """A list would have more rules than MOST, or take too long to make. Never leaves the compiler."""


def once(found: Iterable[T | None]) -> tuple[T, ...]:
    """All that is found, each once, where it first stands; None is what came to nothing.

    Raises TooLong as soon as there are more than MOST, or more than MOST_TRIED came to nothing.
    """
    kept: dict[T, None] = {}
    tried = 0
    for each in found:
        if each is not None:
            kept[each] = None
        else:
            tried += 1
        if len(kept) > MOST or tried > MOST_TRIED:
            raise TooLong
    return tuple(kept)
