"""References changed one by one: ref-update and ref-relax-for-delete (shell of the state)."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.contrail.shapes import CONFIG_ROOT, reference_field
from schemas.contrail.types import TYPES
from simulators.contrail.answers import Answer, Call, Json, Refusal, unknown_id
from simulators.contrail.changing import apply, find
from simulators.contrail.drafts import Draft, Wanted
from simulators.contrail.state import Item, State
from simulators.contrail.validation import reference_fault

_RULED = frozenset(("network_ipam_refs", "tag_refs"))
"""Fields that rules of a type look at as a whole; all others are changed in place."""


def type_named(name: object) -> str:
    """A type by its name with dashes or underscores; Refusal 404."""
    dashed = str(name).replace("_", "-")
    if dashed not in TYPES or dashed == CONFIG_ROOT:
        raise Refusal(404, f"Resource type '{name}' not found")
    return dashed


def ref_update(state: State, call: Call) -> Answer:
    """Answer to `POST /ref-update`: adds or takes away one reference, and says yes to what is so already."""
    asked = call.fields()
    type_ = type_named(asked.get("type"))
    target_type = type_named(asked.get("ref-type"))
    uuid, operation = asked.get("uuid"), asked.get("operation")
    if not uuid or not operation:
        named = f"{asked.get('type')}, {uuid}, {asked.get('ref-type')}, {operation}"
        raise Refusal(400, f"Bad Request: type/uuid/ref-type/operation is null: {named}.")
    if operation.upper() not in ("ADD", "DELETE"):
        raise Refusal(400, f"Bad Request: operation should be add or delete: {operation}")
    target = _target(state, asked, target_type, adding=operation.upper() == "ADD")
    item = find(state, type_, uuid)
    field = reference_field(target_type)
    # References that the type does not have are taken, and never shown.
    if target is not None and field in item.known.references:
        if operation.upper() == "ADD":
            _add(state, item, field, target, asked)
        else:
            _remove(state, item, field, target)
    state.touch(item)
    return Answer({"uuid": uuid})


def ref_relax(state: State, call: Call) -> Answer:
    """Answer to `POST /ref-relax-for-delete`: the target may be deleted although it is referred to."""
    asked = call.fields()
    uuid, target_uuid = asked.get("uuid"), asked.get("ref-uuid")
    if not uuid or not target_uuid:
        raise Refusal(400, f"Bad Request: Both uuid and ref-uuid should be specified: {uuid}, {target_uuid}.")
    if uuid not in state:
        raise Refusal(404, f"uuid {uuid} not found")
    target = state.get(target_uuid)
    if target is not None:
        target.relaxed.add(uuid)
    return Answer({"uuid": uuid})


def _target(state: State, asked: Mapping[str, Json], type_: str, *, adding: bool) -> Item | None:
    uuid, fq_name = asked.get("ref-uuid"), asked.get("ref-fq-name")
    if not uuid and not fq_name:
        raise Refusal(400, "Bad Request: ref-uuid or ref-fq-name must be specified")
    if not uuid:
        found = state.named(type_, fq_name or ())
        if found is None:
            raise Refusal(404, f"Name {fq_name} not found")
        return found
    found = state.get(uuid)
    if found is None and adding:
        raise unknown_id(uuid)
    return found


def _add(state: State, item: Item, field: str, target: Item, asked: Mapping[str, Json]) -> None:
    attr = asked.get("attr")
    rule = item.known.references[field]
    if attr and rule.attr is not None:
        reference = {"to": target.fq_name, "attr": attr, "uuid": target.uuid}
        if wrong := reference_fault(rule.attr, reference):
            text = f"Error validating reference {field} value {reference} {wrong}"
            raise Refusal(400, f"Bad reference in ref-update: {text}")
    if field in _RULED:
        _apply(state, item, field, item.references.get(field, {}) | {target.uuid: attr})
    else:
        state.refer(item, field, target.uuid, attr)
    if asked.get("relax_ref_for_delete"):
        target.relaxed.add(item.uuid)


def _remove(state: State, item: Item, field: str, target: Item) -> None:
    if field in _RULED:
        kept = {uuid: attr for uuid, attr in item.references.get(field, {}).items() if uuid != target.uuid}
        _apply(state, item, field, kept)
    else:
        state.unrefer(item, field, target.uuid)


def _apply(state: State, item: Item, field: str, targets: Mapping[str, Json]) -> None:
    wanted = [Wanted(state[uuid].fq_name, uuid, attr, True) for uuid, attr in targets.items()]
    apply(state, item, Draft(item.known, {}, item.uuid, item.fq_name, references={field: wanted}))
