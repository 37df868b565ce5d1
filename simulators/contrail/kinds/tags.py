"""Tags and their types: a tag is named by its type and value, and cannot change."""

from __future__ import annotations

from collections.abc import Iterable

from simulators.contrail.answers import Refusal
from simulators.contrail.drafts import Draft
from simulators.contrail.kinds.rules import Rules
from simulators.contrail.making import make
from simulators.contrail.numbers import TAG_TYPES
from simulators.contrail.state import Item, State

SEVERAL = frozenset(("label", "neutron_fwaas", "neutron_tag"))
"""Types of which an object may have several tags."""
_FIXED = ("tag_type_name", "tag_value", "tag_id")
_TYPE_ID = "tag_type_id"


def make_tag_type(state: State, name: str) -> Item:
    """The type object of a name, made if it is missing."""
    found = state.named("tag-type", [name])
    if found is not None:
        return found
    number = TAG_TYPES.index(name) if name in TAG_TYPES else state.numbers.tag_types.take()
    return make(state, "tag-type", [name], None, {_TYPE_ID: f"0x{number:04x}"})


def type_number(tag_type: Item) -> int:
    """Number of a tag type."""
    return int(tag_type.properties[_TYPE_ID], 16)


def check_several(types: Iterable[str]) -> None:
    """Refusal 400 if a type that an object may have once is there twice."""
    seen = set()
    for type_ in types:
        if type_ in seen and type_ not in SEVERAL:
            raise Refusal(400, f"Tag type {type_} cannot be set multiple times on a same object.")
        seen.add(type_)


def check_tags(state: State, draft: Draft) -> None:
    """The same for the tags that a client asks for."""
    if tags := draft.references.get("tag_refs"):
        check_several(state[tag.uuid].properties["tag_type_name"] for tag in tags)


def _name(state: State, draft: Draft) -> None:
    type_, value = draft.asked.get("tag_type_name"), draft.asked.get("tag_value")
    if not type_ or not value:
        raise Refusal(400, "Tag must be created with a type and a value")
    if draft.asked.get("tag_id"):
        raise Refusal(400, "Tag id can be set only for user defined tags in range                   32678-65535")
    draft.fq_name[-1] = f"{type_.lower()}={value}"


def _create(state: State, draft: Draft) -> None:
    type_ = draft.properties["tag_type_name"].lower()
    tag_type = make_tag_type(state, type_)
    number = state.numbers.tag_values(type_).take()
    draft.properties["tag_type_name"] = type_
    draft.properties["tag_id"] = f"0x{type_number(tag_type):04x}{number:04x}"
    draft.references["tag_type_refs"] = []
    draft.refer("tag_type_refs", tag_type)


def _update(state: State, item: Item, draft: Draft) -> None:
    for name in _FIXED:
        if draft.properties.get(name, item.properties[name]) != item.properties[name]:
            raise Refusal(400, "Tag name, type, value or ID cannot be updated")


def _delete(state: State, item: Item) -> None:
    type_, number = item.properties["tag_type_name"], int(item.properties["tag_id"][-4:], 16)
    state.numbers.tag_values(type_).free(number)


def _create_type(state: State, draft: Draft) -> None:
    draft.properties[_TYPE_ID] = f"0x{state.numbers.tag_types.take():04x}"


RULES = {
    "tag": Rules(named=_name, create=_create, update=_update, delete=_delete),
    "tag-type": Rules(create=_create_type),
}
