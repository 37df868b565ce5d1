"""All Contrail types that the model knows, by name (pure).

They are those that translation can make, those that these refer to, and those that the API makes by itself.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType

from schemas.contrail.families import instance, network, routing, security, service, system
from schemas.contrail.shapes import CONFIG_ROOT, ObjectType
from schemas.errors import ModelError

TYPES: Mapping[str, ObjectType] = MappingProxyType(
    {known.name: known for family in (system, network, routing, instance, service, security) for known in family.TYPES}
)
"""Every type by its dashed name, config-root among them."""


def type_of(name: str) -> ObjectType:
    """The type of this name; ModelError if there is none."""
    known = TYPES.get(name)
    if known is None or name == CONFIG_ROOT:
        raise ModelError(f"Contrail has no type {name!r}{suggestion(name, TYPES)}")
    return known


@cache
def depths(name: str, parent: str | None = None) -> frozenset[int]:
    """Lengths that an fq_name of this type can have, under this parent type or under any (None)."""
    if name == CONFIG_ROOT:
        return frozenset((0,))
    parents = type_of(name).parents if parent is None else (parent,)
    return frozenset(depth + 1 for above in parents for depth in depths(above))


def suggestion(name: str, known: Iterable[str]) -> str:
    """`; is 'x' meant?`, or nothing where nothing known is like it."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; is {close[0]!r} meant?" if close else ""
