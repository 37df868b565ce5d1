"""PUT and DELETE of an object (shell of the state)."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.contrail.types import TYPES
from simulators.contrail.answers import Answer, Call, Refusal, internal, unknown_id
from simulators.contrail.drafts import Draft, fill, resolve
from simulators.contrail.kinds import rules_of
from simulators.contrail.kinds.tags import check_tags
from simulators.contrail.rendering import href
from simulators.contrail.state import Item, State
from simulators.contrail.validation import check_properties, check_references

_KEPT_ID_PERMS = ("enable", "description")
"""What a PUT may change of id_perms; the rest is taken from the object without a word."""
_FIRST = {
    "tag": ("virtual-network",),
    "virtual-network": ("instance-ip",),
    "virtual-machine-interface": ("instance-ip",),
}
"""Which referrers a refused delete names first; otherwise in the order of the model."""


def find(state: State, type_: str, uuid: str) -> Item:
    """The object of this type and uuid; Refusal 404 otherwise."""
    item = state.get(uuid)
    if item is None:
        raise unknown_id(uuid)
    if item.type != type_:
        raise Refusal(404, f"No {type_} object found for id {uuid}")
    return item


def update(state: State, type_: str, uuid: str, call: Call) -> Answer:
    """Answer to `PUT /<type>/<uuid>`: only what is given changes, and what is unknown is dropped."""
    if not call.content:
        return Answer()
    fields = call.fields().get(type_)
    if not isinstance(fields, dict):
        raise internal()
    item = find(state, type_, uuid)
    if not fields:
        return Answer()
    known = item.known
    check_properties(known, fields, "http_put")
    check_references(known, fields, "http_put")
    draft = Draft(known, fields, uuid, item.fq_name)
    fill(draft)
    resolve(draft, state, f"Unknown reference in resource update {type_.replace('-', '_')} {fields}.")
    apply(state, item, draft)
    return Answer({type_: {"uuid": uuid, "href": href(call.base, item)}})


def apply(state: State, item: Item, draft: Draft) -> None:
    """Change an object as drafted, if the rules of its type agree."""
    check_tags(state, draft)
    rules_of(item.type).update(state, item, draft)
    properties = draft.properties
    if "id_perms" in properties:
        asked = properties.pop("id_perms") or {}
        item.properties["id_perms"] |= {name: asked[name] for name in _KEPT_ID_PERMS if name in asked}
    if "perms2" in properties:
        item.properties["perms2"] = item.properties["perms2"] | (properties.pop("perms2") or {})
    item.properties.update(properties)
    for name in item.places.keys() & properties.keys():
        del item.places[name]  # written as a whole: elements are numbered anew
    for name, wanted in draft.references.items():
        state.replace_references(item, name, {r.uuid: r.attr for r in wanted})
    state.touch(item)


def delete(state: State, type_: str, uuid: str, call: Call) -> Answer:
    """Answer to `DELETE /<type>/<uuid>`; refused while something else needs the object."""
    if uuid not in state:
        raise Refusal(404, f"ID {uuid} does not exist")
    item = find(state, type_, uuid)
    for children in _children(state, item):
        raise Refusal(409, f"Delete when children still present: {[href(call.base, c) for c in children]}")
    for referrers in _referrers(state, item):
        raise Refusal(409, f"Delete when resource still referred: {[href(call.base, r) for r in referrers]}")
    rules_of(type_).delete(state, item)
    state.remove(item)
    return Answer()


def _children(state: State, item: Item) -> Iterator[list[Item]]:
    """Children that keep the object, by type; what the server made under it does not count."""
    for known in TYPES.values():
        if known.name in item.children and known.holds_parent:
            default = f"default-{known.name}"
            found = [child for child in state.children(item, known.name) if child.name != default]
            if found:
                yield found


def _referrers(state: State, item: Item) -> Iterator[list[Item]]:
    first = _FIRST.get(item.type, ())
    for type_ in (*first, *(t for t in TYPES if t not in first)):
        if type_ not in item.back_references:
            continue
        found = [r for r in state.referrers(item, type_) if r.uuid not in item.relaxed and _holds(r, item)]
        if found:
            yield found


def _holds(referrer: Item, item: Item) -> bool:
    rules = referrer.known.references
    fields = [name for name, targets in referrer.references.items() if item.uuid in targets]
    return any(name not in rules or rules[name].holds for name in fields)
