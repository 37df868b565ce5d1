"""Fields of a manifest that nobody reads: a word mistyped there would be passed over in silence (pure).

The watchers ignore what they do not know, because a newer API server may say more. A person who asks of a manifest is
told instead, as kubectl does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import inspect

Json = Any
_OF_OBJECT = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
_OF_METADATA = frozenset(
    {
        "annotations",
        "clusterName",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "labels",
        "managedFields",
        "name",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)


def unknown(input_: type[msgspec.Struct], name: str, value: Json) -> Iterator[str]:
    """Paths of the fields that the input type has not, below its field of this name."""
    wanted = _fields(input_)[name]
    yield from _below(wanted, value, name)


def of_object(document: dict[str, Json]) -> Iterator[str]:
    """Fields beside and in `metadata` that no object has: below a lost `spec:` everything would be passed over."""
    yield from (str(key) for key in document if key not in _OF_OBJECT)
    metadata = document.get("metadata")
    yield from (
        f"metadata.{key}" for key in (metadata if isinstance(metadata, dict) else ()) if key not in _OF_METADATA
    )


@lru_cache(maxsize=16)
def _fields(input_: type[msgspec.Struct]) -> dict[str, inspect.Type]:
    found = inspect.type_info(input_)
    assert isinstance(found, inspect.StructType)
    return {each.encode_name: each.type for each in found.fields}


def _below(wanted: inspect.Type, value: Json, path: str) -> Iterator[str]:
    if isinstance(wanted, inspect.UnionType):
        for each in wanted.types:
            yield from _below(each, value, path)
    elif isinstance(wanted, inspect.ListType) and isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _below(wanted.item_type, inner, f"{path}[{number}]")
    elif isinstance(wanted, inspect.StructType) and isinstance(value, dict):
        known = {each.encode_name: each.type for each in wanted.fields}
        for key, inner in value.items():
            if key in known:
                yield from _below(known[key], inner, f"{path}.{key}")
            else:
                yield f"{path}.{key}"
