"""Desired objects as Contrail knows them, where a predecessor made some of them under other uuids (pure).

The store's uuids are computed; those of adopted objects are not. Here is the border: what is desired is rewritten to
the uuids and names that Contrail has, for the object itself and everything that it refers to. A parent is named by its
fq_name only, and has the very name that is desired; but for the address of a service, which has floating-ips below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from applier.rows import Alias, Row, label
from schemas.contrail import wire
from schemas.contrail.objects import ENTRY, LINK, Json
from schemas.contrail.shapes import reference_field
from schemas.contrail.types import type_of

Aliases = Mapping[str, Alias]
"""By the store's uuid; those of instance-ips that may be parents also by their label."""
Body = Mapping[str, Any]
"""Of a ContrailObject, Link or Entry."""

_REFS = "_refs"
_RENAMED_PARENT = "instance-ip"
BESIDE = frozenset({"tag_refs"})
"""Kept references that stay beside those that are desired: tags follow labels, whatever other tags there are."""


def uuids_named(type_: str, body: Body) -> set[str]:
    """Uuids, as the store knows them, of everything that a body refers to."""
    if type_ == ENTRY:
        return set()
    named = [body["owner"], body["target"]] if type_ == LINK else body["references"]
    return {end["uuid"] for end in named if end["uuid"]} | set(body.get("needs", ()))


def parent_named(row: Row) -> str:
    """The store's name of the row's parent, if that may be in Contrail under another name; else ''."""
    return row.fq_name.rpartition(":")[0] if row.body.get("parent_type") == _RENAMED_PARENT else ""


def as_known(row: Row, aliases: Aliases) -> Row:
    """The row as Contrail knows it."""
    if not aliases:
        return row
    alias = aliases.get(row.uuid)
    if (parent := parent_named(row)) and (renamed := aliases.get(label(_RENAMED_PARENT, parent))) is not None:
        row = replace(row, under=renamed.contrail_fq_name)
    if alias is None and aliases.keys().isdisjoint(uuids_named(row.type, row.body)):
        return row
    return replace(row, alias=alias, body=body_as_known(row.type, row.body, alias, aliases))


def body_as_known(type_: str, body: Body, alias: Alias | None, aliases: Aliases) -> Body:
    """The body with Contrail's uuids and names; `alias` is the object's own.

    Of an adopted object, what it keeps takes the place of what is desired, or beside it, and what cannot change is left
    out.
    """
    if type_ == LINK:
        return {**body, "owner": _end(body["owner"], aliases), "target": _end(body["target"], aliases)}
    references = [_reference(reference, aliases) for reference in body["references"]]
    if renamed := {need: aliases[need].contrail_uuid for need in body.get("needs", ()) if need in aliases}:
        body = {**body, "properties": _renamed(body["properties"], renamed)}
    if alias is None:
        return {**body, "references": references}
    kept = {name: value for name, value in alias.kept.items() if value is not None}
    references = [r for r in references if (field := reference_field(r["type"])) not in kept or field in BESIDE]
    return {
        **body,
        "properties": _properties(type_, body["properties"], kept),
        "references": references + _kept_references(type_, kept),
    }


def managed_fields(type_: str, alias: Alias | None) -> tuple[str, ...]:
    """Fields that are cleared when nothing is desired; an adopted object's kept ones are not."""
    managed = wire.managed_fields(type_)
    return managed if alias is None else tuple(name for name in managed if name not in alias.kept)


def _renamed(value: Json, renamed: Mapping[str, str]) -> Json:
    """A property that names what the object needs, with Contrail's uuids: a balancer's member its interface."""
    if isinstance(value, dict):
        return {key: _renamed(held, renamed) for key, held in value.items()}
    if isinstance(value, list):
        return [_renamed(held, renamed) for held in value]
    return renamed.get(value, value) if isinstance(value, str) else value


def _end(end: Mapping[str, Json], aliases: Aliases) -> Mapping[str, Json]:
    alias = aliases.get(end["uuid"]) if end["uuid"] else None
    if alias is None:
        return end
    return {**end, "uuid": alias.contrail_uuid, "fq_name": alias.contrail_fq_name.split(":")}


def _reference(reference: Mapping[str, Json], aliases: Aliases) -> Mapping[str, Json]:
    alias = aliases.get(reference["uuid"]) if reference["uuid"] else None
    if alias is None:
        return reference
    return {**reference, "uuid": alias.contrail_uuid, "to": alias.contrail_fq_name.split(":")}


def _properties(type_: str, desired: Mapping[str, Json], kept: Mapping[str, Json]) -> dict[str, Json]:
    known = type_of(type_).properties
    changeable = {
        name: value for name, value in desired.items() if name not in known or not known[name].fixed or name in kept
    }
    return changeable | {name: value for name, value in kept.items() if not name.endswith(_REFS)}


def _kept_references(type_: str, kept: Mapping[str, Json]) -> list[dict[str, Json]]:
    targets = {field: rule.target for field, rule in type_of(type_).references.items()}
    return [
        {"type": targets[name], "to": list(ref["to"]), "uuid": ref.get("uuid"), "attr": ref.get("attr")}
        for name, refs in kept.items()
        if name in targets
        for ref in refs
    ]
