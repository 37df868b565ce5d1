"""What a new schema version may change, as CI holds it (pure).

A reader of either version must read what the other one wrote: the old one while watchers are upgraded first, the
new one for as long as the bus keeps records.
"""

from __future__ import annotations

from typing import Any

Schema = Any
"""An Avro schema as JSON: a name, a list (union) or a dict."""


def complaints(older: Schema, newer: Schema) -> list[str]:
    """Why the newer version must not be released; [] where it may."""
    old_records, new_records = _named(older), _named(newer)
    found = []
    for name, old in old_records.items():
        if name not in new_records:
            found.append(f"{name} is gone: what was written with it can no longer be read")
        elif old["type"] == "record":
            found += _fields(name, old, new_records[name])
        elif set(new_records[name]["symbols"]) != set(old["symbols"]):
            found += _symbols(name, old, new_records[name])
    return found


def _fields(name: str, old: Schema, new: Schema) -> list[str]:
    before, after = ({field["name"]: field for field in record["fields"]} for record in (old, new))
    found = [f"{name}.{f} is new and has no default" for f in after if f not in before and "default" not in after[f]]
    found += [f"{name}.{f} is gone and had no default" for f in before if f not in after and "default" not in before[f]]
    for each in before.keys() & after.keys():
        if not _same(before[each]["type"], after[each]["type"]):
            found.append(f"{name}.{each} has another type")
        if before[each].get("default") != after[each].get("default"):
            found.append(f"{name}.{each} has another default")
    return found


def _symbols(name: str, old: Schema, new: Schema) -> list[str]:
    """An enum without a default cannot be read where a symbol is unknown, and a symbol must not go."""
    gone = set(old["symbols"]) - set(new["symbols"])
    if gone:
        return [f"{name} lost {sorted(gone)}"]
    return [] if "default" in old else [f"{name} has new symbols, and old readers have no default for them"]


def _same(old: Schema, new: Schema) -> bool:
    """Whether the shapes are alike; a union may have more branches, since a kind that is unknown is refused by name."""
    if isinstance(old, list) and isinstance(new, list):
        return all(any(_same(a, b) for b in new) for a in old)
    if isinstance(old, dict) and isinstance(new, dict):
        if old["type"] != new["type"]:
            return False
        if "name" in old:
            return bool(old["name"] == new["name"])
        return all(_same(old[part], new[part]) for part in ("items", "values") if part in old)
    return _name(old) == _name(new)


def _name(schema: Schema) -> object:
    return schema["name"] if isinstance(schema, dict) and "name" in schema else schema


def _named(schema: Schema) -> dict[str, Schema]:
    """Records and enums by name, wherever they stand."""
    if isinstance(schema, list):
        return {name: one for each in schema for name, one in _named(each).items()}
    if not isinstance(schema, dict):
        return {}
    inner = [field["type"] for field in schema.get("fields", ())]
    inner += [schema[part] for part in ("items", "values") if part in schema]
    if isinstance(schema["type"], dict | list):
        inner.append(schema["type"])
    return ({schema["name"]: schema} if "name" in schema else {}) | _named(inner)
