"""An interface as a sub-interface of another: a reference and a VLAN tag that its translation could not know (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from applier.outcome import Outcome, Verdict
from schemas.contrail.objects import ContrailObject, Json, Reference, joined, parted

INTERFACE = "virtual-machine-interface"
PROPERTIES = "virtual_machine_interface_properties"
REFERENCES = "virtual_machine_interface_refs"
_TAG = "sub_interface_vlan_tag"
_TAKEN = "can't have same Vlan tag"
"""Contrail's words for a tag that another sub-interface of the parent has."""


@dataclass(frozen=True, slots=True)
class Place:
    """Below which interface, by Contrail's uuid and colon-joined name, and under which tag."""

    parent_uuid: str
    parent_name: str
    tag: int


def placed(desired: ContrailObject, place: Place) -> ContrailObject:
    """The interface with its place, instead of any that it had."""
    kept = tuple(r for r in desired.references if r.type != INTERFACE)
    parent = Reference(INTERFACE, parted(INTERFACE, place.parent_name), place.parent_uuid)
    return replace(desired, properties=_tagged(desired.properties, place.tag), references=(*kept, parent))


def body_placed(body: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """The same of a row's body."""
    parent = {"type": INTERFACE, "to": place.parent_name.split(":"), "uuid": place.parent_uuid, "attr": None}
    kept = [r for r in body["references"] if r["type"] != INTERFACE]
    return {**body, "properties": _tagged(body["properties"], place.tag), "references": [*kept, parent]}


def place_of(desired: ContrailObject) -> Place | None:
    """The place of a desired interface; None while it has none."""
    parent = next((r for r in desired.references if r.type == INTERFACE), None)
    tag = tag_of(desired.properties)
    if parent is None or parent.uuid is None or tag is None:
        return None
    return Place(parent.uuid, joined(parent.fq_name), tag)


def live_place(live: Mapping[str, Json]) -> Place | None:
    """Where an interface of Contrail is; None for one that is no sub-interface."""
    parent, tag = next(iter(live.get(REFERENCES) or ()), None), tag_of(live)
    return None if parent is None or tag is None else Place(parent["uuid"], joined(tuple(parent["to"])), tag)


def tag_of(fields: Mapping[str, Json]) -> int | None:
    """Tag in an interface's fields; 0 is none, as for the vrouter agent."""
    return (fields.get(PROPERTIES) or {}).get(_TAG) or None


def is_tag_refused(outcome: Outcome) -> bool:
    """Whether Contrail says that another sub-interface has the tag."""
    return outcome.verdict is Verdict.REFUSED and _TAKEN in outcome.reason


def _tagged(properties: Mapping[str, Json], tag: int) -> dict[str, Json]:
    return {**properties, PROPERTIES: {**(properties.get(PROPERTIES) or {}), _TAG: tag}}
