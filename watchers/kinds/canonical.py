"""One order where order means nothing, one text for a prefix, one wording for a value that is no good (pure)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable
from typing import TypeVar

import msgspec

from schemas.errors import MalformedObject

T = TypeVar("T", bound=msgspec.Struct)
_encoder = msgspec.json.Encoder(order="deterministic")
_PREFIX = re.compile(r"[0-9A-Fa-f:.]+/[0-9]{1,3}")
LONGEST = 100
"""Characters of a refused value that its error repeats."""


def in_order(records: Iterable[T]) -> tuple[T, ...]:
    """The records in one order, whatever theirs, each once."""
    found = tuple(records)
    if len(found) < 2:
        return found
    by_text = {_encoder.encode(record): record for record in found}
    return tuple(by_text[text] for text in sorted(by_text))


def sorted_texts(texts: Collection[str] | None) -> tuple[str, ...]:
    """The texts sorted, each once; none for null."""
    return tuple(sorted(set(texts))) if texts else ()


def one_of(value: str, accepted: Collection[str], field: str) -> str:
    """The value, if it is accepted; raises MalformedObject."""
    if value not in accepted:
        raise MalformedObject(f"{field} is {value[:LONGEST]!r}; accepted are {', '.join(accepted)}")
    return value


def prefix(text: str) -> str | None:
    """The prefix without host bits; None for what is none to the API: no length, a mask, or the zone of an address."""
    try:
        return str(ipaddress.ip_network(text, strict=False)) if _PREFIX.fullmatch(text) else None
    except ValueError:
        return None
