"""Whether Contrail would take an object, link or entry, decided before anything is sent (pure).

The API drops unknown fields silently, answers many faults with 500, and does not check references that are
added by ref-update at all: so everything is checked here. Errors name object, field and the likely culprit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache

from schemas.contrail.entries import entry_rule
from schemas.contrail.objects import ContrailObject, Entry, FqName, Json, Link, Reference, joined
from schemas.contrail.shape_check import mismatch
from schemas.contrail.shapes import CONFIG_ROOT, ObjectType, ReferenceRule
from schemas.contrail.types import depths, suggestion, type_of
from schemas.errors import ModelError

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_COLON_ALLOWED = frozenset(("route-target",))
_ADDRESSED = ("virtual_network_refs", "network_ipam_refs")


def check(wanted: ContrailObject) -> None:
    """Raise ModelError unless the API would take this object, once its parent and targets are there."""
    known = type_of(wanted.type)
    label = f"{wanted.type} {joined(wanted.fq_name)}"
    _check_uuid(label, "uuid", wanted.uuid)
    _check_parent(label, known, wanted)
    _check_name(label, "fq_name", known.name, wanted.fq_name, wanted.parent_type or CONFIG_ROOT)
    for name, value in wanted.properties.items():
        _check_property(label, known, name, value)
    _check_present(label, known, wanted.properties)
    fields = _check_references(label, known, wanted.references)
    _check_type_rules(label, wanted, fields)


def check_link(link: Link) -> None:
    """Raise ModelError unless the owner's type may refer to the target's, and both are named properly."""
    label = f"link from {link.owner_type} {joined(link.owner_fq_name)} to {link.target_type} {link.target_uuid}"
    owner = type_of(link.owner_type)
    _check_name(label, "owner_fq_name", owner.name, link.owner_fq_name)
    if link.owner_uuid is not None:
        _check_uuid(label, "owner_uuid", link.owner_uuid)
    target = Reference(link.target_type, link.target_fq_name, link.target_uuid, link.attr)
    _check_reference(label, owner, target)


def check_entry(entry: Entry) -> None:
    """Raise ModelError unless the owner's type has the property, with entries of this kind and this key."""
    label = f"entry {entry.key!r} in {entry.property_name} of {entry.owner_type} {joined(entry.owner_fq_name)}"
    _check_name(label, "owner_fq_name", type_of(entry.owner_type).name, entry.owner_fq_name)
    rule = entry_rule(entry.owner_type, entry.property_name)
    if not entry.key or ":" in entry.key:
        raise ModelError(f"{label}: the key must be text without ':', which joins the parts of names")
    if wrong := mismatch(rule.element, dict(entry.value)):
        raise ModelError(f"{label}: value{wrong}")
    if rule.key and entry.value.get(rule.key) != entry.key:
        raise ModelError(f"{label}: {rule.key} is {entry.value.get(rule.key)!r}; it must be the key")


def _check_parent(label: str, known: ObjectType, wanted: ContrailObject) -> None:
    if (wanted.parent_type or CONFIG_ROOT) in known.parents and wanted.parent_type != CONFIG_ROOT:
        return
    accepted = [p if p != CONFIG_ROOT else None for p in known.parents]
    raise ModelError(f"{label}: parent_type {wanted.parent_type!r} is not possible; accepted are {accepted}")


def _check_name(label: str, field: str, type_: str, fq_name: FqName, parent: str | None = None) -> None:
    for part in fq_name:
        if not isinstance(part, str) or not part:
            raise ModelError(f"{label}: {field} has an empty or non-text part: {fq_name!r}")
        if ":" in part and type_ not in _COLON_ALLOWED:
            raise ModelError(f"{label}: {field} part {part!r} holds ':', which joins the parts")
    accepted = depths(type_, parent)
    if len(fq_name) not in accepted:
        raise ModelError(
            f"{label}: {field} {list(fq_name)} has {len(fq_name)} parts, a {type_} has {_either(accepted)}; "
            "is a part of its parent's name missing or too many?"
        )


def _check_uuid(label: str, field: str, uuid: str) -> None:
    if not _UUID.fullmatch(uuid):
        raise ModelError(f"{label}: {field} {uuid!r} is not a lower-case uuid with dashes")


def _check_property(label: str, known: ObjectType, name: str, value: Json) -> None:
    rule = known.properties.get(name)
    if rule is None:
        hint = "; references do not belong among properties" if name.endswith("_refs") else ""
        raise ModelError(f"{label}: {known.name} has no property {name!r}{suggestion(name, known.properties)}{hint}")
    if value is None:
        return
    if wrong := mismatch(rule.shape, value):
        raise ModelError(f"{label}: {name}{wrong}")
    if rule.key:
        keys = [element.get(rule.key) for element in value.get(rule.items) or ()]
        if len(set(keys)) < len(keys):
            twice = sorted(str(key) for key in keys if keys.count(key) > 1)
            raise ModelError(f"{label}: {name} has {rule.key} {twice[0]!r} more than once")


def _check_present(label: str, known: ObjectType, properties: Mapping[str, Json]) -> None:
    for name in _mandatory(known.name)[0]:
        if not properties.get(name):
            raise ModelError(f"{label}: property {name!r} is missing; Contrail refuses the object without it")


@cache
def _mandatory(type_: str) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Properties, and fields of references with the type that they lead to, without which there is no such object."""
    known = type_of(type_)
    references = tuple((field, rule.target) for field, rule in known.references.items() if rule.mandatory)
    return tuple(name for name, rule in known.properties.items() if rule.mandatory), references


def _check_references(label: str, known: ObjectType, references: tuple[Reference, ...]) -> frozenset[str]:
    fields = set()
    seen = set()
    for reference in references:
        fields.add(_field_of_plain(known.name, reference) or _check_reference(label, known, reference).field)
        key = (reference.type, reference.fq_name)
        if key in seen:
            raise ModelError(f"{label}: refers to {reference.type} {joined(reference.fq_name)} twice")
        seen.add(key)
    for field, target in _mandatory(known.name)[1]:
        if field not in fields:
            raise ModelError(f"{label}: {field} is missing; a {known.name} needs a {target}")
    return frozenset(fields)


def _field_of_plain(type_: str, reference: Reference) -> str:
    """The field of a reference without attribute that is as it should be, '' for any other."""
    return _checked_plain(type_, reference.type, reference.fq_name, reference.uuid) if reference.attr is None else ""


@lru_cache(maxsize=16384)
def _checked_plain(type_: str, target: str, fq_name: FqName, uuid: str | None) -> str:
    """Kept, because thousands of objects refer to the same tags, groups and networks."""
    try:
        return _check_reference("", type_of(type_), Reference(target, fq_name, uuid)).field
    except ModelError:
        return ""


def _check_reference(label: str, known: ObjectType, reference: Reference) -> ReferenceRule:
    rule = _reference_rules(known.name).get(reference.type)
    if rule is None:
        hint = suggestion(reference.type, _reference_rules(known.name))
        raise ModelError(f"{label}: a {known.name} cannot refer to a {reference.type!r}{hint}")
    name = f"{rule.field} {joined(reference.fq_name)}"
    _check_name(label, rule.field, reference.type, reference.fq_name)
    if reference.uuid is not None:
        _check_uuid(label, f"{name}: uuid", reference.uuid)
    if rule.attr is None:
        if reference.attr is not None:
            raise ModelError(f"{label}: {name} has an attribute, but this kind of reference has none")
    elif reference.attr is None:
        raise ModelError(f"{label}: {name} lacks its attribute, a {rule.attr.name} ({', '.join(rule.attr.fields)})")
    elif wrong := mismatch(rule.attr, reference.attr):
        raise ModelError(f"{label}: {name}: attr{wrong}")
    return rule


def _check_type_rules(label: str, wanted: ContrailObject, fields: frozenset[str]) -> None:
    properties = wanted.properties
    if wanted.type == "instance-ip" and not fields.intersection(_ADDRESSED):
        raise ModelError(f"{label}: {_ADDRESSED[0]} is missing; an instance-ip takes its address from a network")
    if wanted.type == "network-ipam" and properties.get("ipam_subnets"):
        method = properties.get("ipam_subnet_method")
        if method != "flat-subnet":
            raise ModelError(f"{label}: ipam_subnets needs ipam_subnet_method 'flat-subnet', not {method!r}")
    if wanted.type == "tag":
        name = f"{properties.get('tag_type_name')}={properties.get('tag_value')}"
        if wanted.fq_name[-1] != name:
            raise ModelError(f"{label}: a tag's name is <tag_type_name>=<tag_value>, here {name!r}")


@cache
def _reference_rules(type_: str) -> Mapping[str, ReferenceRule]:
    return {rule.target: rule for rule in type_of(type_).references.values()}


def _either(lengths: frozenset[int]) -> str:
    return " or ".join(str(length) for length in sorted(lengths))
