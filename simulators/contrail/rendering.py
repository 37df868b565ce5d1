"""Objects as JSON (pure): whole, or only some fields, with links to what they name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from schemas.contrail.types import TYPES
from simulators.contrail.answers import Json
from simulators.contrail.state import Item, State

_CHILDREN = {type_.replace("-", "_") + "s": type_ for type_ in TYPES}
_BACK_REFERENCES = {type_.replace("-", "_") + "_back_refs": type_ for type_ in TYPES}
_ALWAYS = ("id_perms", "perms2")


@dataclass(frozen=True, slots=True)
class View:
    """What is asked of objects; `fields` None means all. `base` begins links, and is None for no links."""

    base: str | None
    fields: frozenset[str] | None = None
    children: bool = True
    back_references: bool = True

    @classmethod
    def of(cls, query: Mapping[str, Json], base: str) -> View:
        """From the parameters of a read or a list."""
        fields = query.get("fields")
        return cls(
            base=None if is_true(query.get("exclude_hrefs")) else base,
            fields=frozenset(fields.split(",")) if fields else None,
            children=not is_true(query.get("exclude_children")),
            back_references=not is_true(query.get("exclude_back_refs")),
        )


def is_true(value: Json) -> bool:
    """Whether a parameter is set: only the text or value 'true' counts."""
    return str(value).lower() == "true"


def href(base: str, item: Item) -> str:
    """Link to an object."""
    return f"{base}/{item.type}/{item.uuid}"


def summary(item: Item, view: View) -> dict[str, Json]:
    """What lists say of an object when nothing else is asked for."""
    body: dict[str, Json] = {"uuid": item.uuid, "fq_name": item.fq_name}
    if view.base is not None:
        body["href"] = href(view.base, item)
    return body


def listed(state: State, item: Item, view: View) -> dict[str, Json]:
    """An object in a list that asks for fields; only the object itself has a link."""
    return summary(item, view) | _parent(item) | _chosen(state, item, replace(view, base=None), view.fields or ())


def detailed(state: State, item: Item, view: View) -> dict[str, Json]:
    """An object in a list of details: all properties and references, and of the rest the fields that are asked for."""
    all_of_it = View(base=None, children=False, back_references=False)
    return whole(state, item, all_of_it) | listed(state, item, view)


def whole(state: State, item: Item, view: View) -> dict[str, Json]:
    """An object as a read gives it."""
    body = summary(item, view) | {"name": item.name} | _parent(item)
    if view.base is not None and item.parent_uuid is not None:
        body["parent_href"] = f"{view.base}/{item.parent_type}/{item.parent_uuid}"
    if view.fields is not None:
        return body | _chosen(state, item, view, (*_ALWAYS, *view.fields))
    body |= {name: value for name, value in item.properties.items() if value is not None}
    for name in item.references:
        body |= _references(state, item, name, view)
    if view.children:
        for type_ in item.children:
            body |= _children(state, item, type_, view)
    if view.back_references:
        for type_ in item.back_references:
            body |= _back_references(state, item, type_, view)
    return body


def _parent(item: Item) -> dict[str, Json]:
    if item.parent_uuid is None:
        return {}
    return {"parent_type": item.parent_type, "parent_uuid": item.parent_uuid}


def _chosen(state: State, item: Item, view: View, fields: Iterable[str]) -> dict[str, Json]:
    body: dict[str, Json] = {}
    for name in fields:
        if name in item.references:
            body |= _references(state, item, name, view)
        elif name in _BACK_REFERENCES:
            body |= _back_references(state, item, _BACK_REFERENCES[name], view)
        elif name in _CHILDREN:
            body |= _children(state, item, _CHILDREN[name], view)
        elif item.properties.get(name) is not None:
            body[name] = item.properties[name]
    return body


def _references(state: State, item: Item, name: str, view: View) -> dict[str, Json]:
    found = []
    for uuid, attr in item.references[name].items():
        target = state[uuid]
        found.append({"to": target.fq_name, "attr": attr, "uuid": uuid} | _link(target, view))
    return {name: found} if found else {}


def _children(state: State, item: Item, type_: str, view: View) -> dict[str, Json]:
    found = [{"to": c.fq_name, "uuid": c.uuid} | _link(c, view) for c in state.children(item, type_)]
    return {type_.replace("-", "_") + "s": found} if found else {}


def _back_references(state: State, item: Item, type_: str, view: View) -> dict[str, Json]:
    found = []
    for referrer in state.referrers(item, type_):
        attr = next((targets[item.uuid] for targets in referrer.references.values() if item.uuid in targets), None)
        found.append({"to": referrer.fq_name, "attr": attr, "uuid": referrer.uuid} | _link(referrer, view))
    return {type_.replace("-", "_") + "_back_refs": found} if found else {}


def _link(item: Item, view: View) -> dict[str, Json]:
    return {} if view.base is None else {"href": href(view.base, item)}
