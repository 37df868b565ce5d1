"""Objects, links and entries as the config API takes them: paths and bodies (pure).

Whatever makes a body checks first, so nothing that breaks the model is ever sent: all of them raise ModelError.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from schemas.contrail.entries import entry_rule
from schemas.contrail.objects import ContrailObject, Entry, Json, Link, Reference
from schemas.contrail.rules import check, check_entry, check_link
from schemas.contrail.shapes import reference_field
from schemas.contrail.types import type_of

Fields = dict[str, Json]
"""Field name -> value, as inside the wrapper `{"<type>": {...}}`."""

ADD = "ADD"
DELETE = "DELETE"


def collection_path(type_: str) -> str:
    """Path of all objects of a type: the plural is the type and 's', whatever English says."""
    return f"/{type_of(type_).name}s"


def object_path(type_: str, uuid: str) -> str:
    """Path of one object."""
    return f"/{type_of(type_).name}/{uuid}"


def create_fields(wanted: ContrailObject) -> Fields:
    """Fields of a POST: names, uuid, parent, properties and references."""
    fields: Fields = {"fq_name": list(wanted.fq_name), "uuid": wanted.uuid}
    if wanted.parent_type is not None:
        fields["parent_type"] = wanted.parent_type
    return fields | update_fields(wanted)


def create_body(wanted: ContrailObject) -> Mapping[str, Fields]:
    """Body of a POST."""
    return {wanted.type: create_fields(wanted)}


def update_fields(wanted: ContrailObject) -> Fields:
    """Fields of a PUT: properties and references as they shall be.

    A property replaces the whole property, a list of references the whole list. What the object leaves out
    is left out; whether to clear it is told by `managed_fields`.
    """
    check(wanted)
    fields = dict(wanted.properties)
    for reference in sorted(wanted.references, key=lambda r: (r.type, r.fq_name)):
        fields.setdefault(reference_field(reference.type), []).append(_reference(reference))
    return fields


def update_body(wanted: ContrailObject) -> Mapping[str, Fields]:
    """Body of a PUT."""
    return {wanted.type: update_fields(wanted)}


@cache
def managed_fields(type_: str) -> tuple[str, ...]:
    """Fields that are ours alone: present in Contrail but not in the object means they are to be cleared.

    The others are filled by the server when we leave them out, or cannot change after creation: they are
    compared only where the object has them.
    """
    known = type_of(type_)
    properties = [p.name for p in known.properties.values() if not p.filled and not p.fixed]
    references = [field for field, rule in known.references.items() if not rule.filled]
    return tuple(sorted((*properties, *references)))


def ref_update(link: Link, owner_uuid: str, operation: str) -> Fields:
    """Body of `POST /ref-update` that adds (ADD) or takes away (DELETE) this one reference."""
    check_link(link)
    body: Fields = {
        "type": link.owner_type,
        "uuid": owner_uuid,
        "ref-type": link.target_type,
        "ref-uuid": link.target_uuid,
        "ref-fq-name": list(link.target_fq_name),
        "operation": operation,
    }
    if link.attr is not None:
        body["attr"] = link.attr
    return body


def prop_collection_update(entry: Entry, owner_uuid: str, *, absent: bool) -> Fields:
    """Body of `POST /prop-collection-update` that puts this one entry in its place, or takes it away.

    Adding at a position that has an element replaces it, and deleting none is no error, so both may be repeated.
    """
    check_entry(entry)
    rule = entry_rule(entry.owner_type, entry.property_name)
    update: Fields = {"field": entry.property_name, "operation": "delete", "position": entry.key}
    if not absent:
        update |= {"operation": "set" if rule.key else "add", "value": dict(entry.value)}
    return {"uuid": owner_uuid, "updates": [update]}


def ref_delete(owner_type: str, owner_uuid: str, target_type: str, target_uuid: str) -> Fields:
    """Body of `POST /ref-update` that takes away a reference that Contrail has, whoever made it."""
    ends = {"type": owner_type, "uuid": owner_uuid, "ref-type": target_type, "ref-uuid": target_uuid}
    return {**ends, "operation": DELETE}


def _reference(reference: Reference) -> Fields:
    fields: Fields = {"to": list(reference.fq_name)}
    if reference.uuid is not None:
        fields["uuid"] = reference.uuid
    if reference.attr is not None:
        fields["attr"] = reference.attr
    return fields
