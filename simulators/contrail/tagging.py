"""set-tag: tags of an object by type and value instead of by reference (shell of the state)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from schemas.contrail.types import TYPES
from simulators.contrail.answers import Answer, Call, Json, Refusal
from simulators.contrail.changing import find
from simulators.contrail.kinds.tags import SEVERAL
from simulators.contrail.state import Item, State

_FIELD = "tag_refs"
_TARGET = ("obj_type", "obj_uuid")


def set_tag(state: State, call: Call) -> Answer:
    """Answer to `POST /set-tag`; tag types that are not named keep their tags."""
    asked = call.fields()
    type_, uuid = asked.get("obj_type"), asked.get("obj_uuid")
    if not type_ or not uuid:
        raise Refusal(400, "Object type and UUID must be specified")
    dashed = str(type_).replace("_", "-")
    if dashed not in TYPES:
        raise Refusal(400, f"Invalid Contrail resource type: {type_}")
    item = find(state, dashed, uuid)
    tags = dict(item.references.get(_FIELD, {}))
    for tag_type, change in asked.items():
        if tag_type not in _TARGET:
            _change(state, item, tags, tag_type.lower(), change)
    state.replace_references(item, _FIELD, tags)
    state.touch(item)
    return Answer({})


def _change(state: State, item: Item, tags: dict[str, Json], tag_type: str, change: Json) -> None:
    if change is None:
        _drop(tags, [uuid for uuid in tags if state[uuid].properties["tag_type_name"] == tag_type])
        return
    add, remove = change.get("add_values") or (), change.get("delete_values") or ()
    if (add or remove) and tag_type not in SEVERAL:
        raise Refusal(400, f"Tag type {tag_type} cannot be set multiple times on a same object.")
    if (value := change.get("value")) is not None:
        found = _find_tag(state, item, tag_type, value, change)
        if tag_type not in SEVERAL:
            _change(state, item, tags, tag_type, None)
        tags[found.uuid] = None
    for value in add:
        tags[_find_tag(state, item, tag_type, value, change).uuid] = None
    _drop(tags, [_find_tag(state, item, tag_type, value, change).uuid for value in remove])


def _drop(tags: dict[str, Json], uuids: Iterable[str]) -> None:
    for uuid in uuids:
        tags.pop(uuid, None)


def _find_tag(state: State, item: Item, tag_type: str, value: str, change: Mapping[str, Json]) -> Item:
    name = f"{tag_type}={value}"
    scope: list[str] = []
    if not change.get("is_global"):
        project = _project(state, item)
        if project is None:
            raise Refusal(404, f"Not able to determine the scope of the tag '{name}'")
        scope = project.fq_name
    found = state.named("tag", [*scope, name])
    if found is None:
        raise Refusal(404, f"Tag with FQName {[*scope, name]} not found")
    return found


def _project(state: State, item: Item) -> Item | None:
    above: Item | None = item
    while above is not None and above.type != "project":
        above = state.get(above.parent_uuid)
    return above
