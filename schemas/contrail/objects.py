"""Contrail objects, links and entries as values: what translation emits, the store keeps, the applier sends (pure).

A `ContrailObject` is an object that we own. A `Link` is one reference *from* an object that several
resources contribute to or that is not ours (virtual-router to virtual-machine); it is applied by
`ref-update`, so it never overwrites what others put beside it. An `Entry` is one entry in a property of an
object that is not ours (a link-local service of the global-vrouter-config), beside the entries of others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.contrail.trunk import Trunk
from schemas.identity import entry_uuid, link_uuid

FqName = tuple[str, ...]
Json = Any
"""A JSON value: None, bool, int, float, str, list or dict of the same."""

LINK = "link"
"""The `type` of a Link's row in the store, beside Contrail's own type names."""
ENTRY = "entry"
"""The `type` of an Entry's row."""


_COLONED = "route-target"
"""The one type whose names hold colons; they have one part."""


def joined(fq_name: FqName) -> str:
    """Colon-joined fq_name; unambiguous for objects of one type, because Contrail refuses ':' in other names."""
    return ":".join(fq_name)


def parted(type_: str, name: str) -> FqName:
    """The fq_name that `joined` made `name` of."""
    return (name,) if type_ == _COLONED else tuple(name.split(":"))


def annotations_of(fields: Mapping[str, Json]) -> dict[str, str]:
    """Annotations by key, of an object's fields as Contrail gives them or as they are desired; '' for a null value."""
    pairs = (fields.get("annotations") or {}).get("key_value_pair") or ()
    return {str(pair["key"]): "" if pair.get("value") is None else str(pair["value"]) for pair in pairs}


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference of an object: `type` and `fq_name` of the target, its uuid where known, link attribute."""

    type: str
    fq_name: FqName
    uuid: str | None = None
    attr: Json = None


@dataclass(frozen=True, slots=True)
class ContrailObject:
    """An object as it shall be in Contrail.

    `type` is Contrail's dashed name ('virtual-network'); `fq_name` includes the parent's; `parent_type` is
    None for children of config-root; `properties` are JSON values under Contrail's field names, including
    'annotations'; `references` are in canonical order (type, fq_name). `parent_uuid` and the `uuid` of a
    reference are set where the target is an object of ours: the edges of the store come from them, and from `needs`:
    uuids of objects of ours that a property names, which must be there first and stay as long, sorted. `after` are
    uuids of ours which must, before this is written, have been applied as they are wanted now, sorted; nothing that is
    sent names them. `trunk` of a virtual-machine-interface: it is a sub-interface of that one, under a tag that the
    applier chooses.
    """

    type: str
    fq_name: FqName
    uuid: str
    parent_type: str | None = None
    properties: Mapping[str, Json] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()
    parent_uuid: str | None = None
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    trunk: Trunk | None = None

    def body(self) -> dict[str, Json]:
        """The jsonb body of the store: {'parent_type', 'properties', 'references': [{'type','to','uuid','attr'}]}.

        And 'needs', 'after' and 'trunk' where there are any.
        """
        return {
            **_listed("needs", self.needs),
            **_listed("after", self.after),
            **_trunk(self.trunk),
            "parent_type": self.parent_type,
            "properties": dict(self.properties),
            "references": [
                {"type": r.type, "to": list(r.fq_name), "uuid": r.uuid, "attr": r.attr}
                for r in sorted(self.references, key=lambda r: (r.type, r.fq_name))
            ],
        }

    @classmethod
    def from_body(cls, type_: str, fq_name: str, uuid: str, body: Mapping[str, Json]) -> ContrailObject:
        """Read back a row of the store: `body` as written by `body()`, `fq_name` colon-joined."""
        return cls(
            type=type_,
            fq_name=parted(type_, fq_name),
            uuid=uuid,
            parent_type=body["parent_type"],
            properties=body["properties"],
            references=tuple(
                Reference(type=r["type"], fq_name=tuple(r["to"]), uuid=r["uuid"], attr=r["attr"])
                for r in body["references"]
            ),
            needs=tuple(body.get("needs", ())),
            after=tuple(body.get("after", ())),
            trunk=Trunk.from_body(body.get("trunk")),
        )


@dataclass(frozen=True, slots=True)
class Link:
    """One reference from an object that is not ours alone.

    `owner_uuid` is None where only Contrail knows it: the applier resolves it by fq_name, and for a
    virtual-router also by `owner_address` (the node's internal address, '' if unknown). `after` is as an object's.
    With a `trunk` the owner is the virtual-router of the host on which the machine with that interface runs, and
    `owner_fq_name` only tells the rows of nodes apart. One that is `shared` may be asked for from several namespaces,
    and belongs to none; that is no part of the body.
    """

    owner_type: str
    owner_fq_name: FqName
    target_type: str
    target_fq_name: FqName
    target_uuid: str
    owner_uuid: str | None = None
    owner_address: str = ""
    attr: Json = None
    after: tuple[str, ...] = ()
    trunk: Trunk | None = None
    shared: bool = False

    @property
    def uuid(self) -> str:
        """Deterministic id of the link's row in the store."""
        return link_uuid(self.owner_type, joined(self.owner_fq_name), self.target_type, self.target_uuid)

    @property
    def type(self) -> str:
        """Always LINK."""
        return LINK

    @property
    def fq_name(self) -> FqName:
        """Name of the link's row in the store: owner type and name, target type and uuid."""
        return (self.owner_type, *self.owner_fq_name, self.target_type, self.target_uuid)

    def body(self) -> dict[str, Json]:
        """The jsonb body of the store: {'owner': {...}, 'target': {...}, 'attr'}; 'after', 'trunk' where there are."""
        return {
            "owner": {
                "type": self.owner_type,
                "fq_name": list(self.owner_fq_name),
                "uuid": self.owner_uuid,
                "address": self.owner_address,
            },
            "target": {
                "type": self.target_type,
                "fq_name": list(self.target_fq_name),
                "uuid": self.target_uuid,
            },
            "attr": self.attr,
            **_listed("after", self.after),
            **_trunk(self.trunk),
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Json]) -> Link:
        """Read back a row of the store: `body` as written by `body()`."""
        owner, target = body["owner"], body["target"]
        return cls(
            owner_type=owner["type"],
            owner_fq_name=tuple(owner["fq_name"]),
            target_type=target["type"],
            target_fq_name=tuple(target["fq_name"]),
            target_uuid=target["uuid"],
            owner_uuid=owner["uuid"],
            owner_address=owner["address"],
            attr=body["attr"],
            after=tuple(body.get("after", ())),
            trunk=Trunk.from_body(body.get("trunk")),
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry in a property of an object that is not ours.

    `key` tells it from the entries of others, and carries the cluster's name: by which field of `value`, or by which
    position, says schemas/contrail/entries.py. The owner is known by its fq_name.
    """

    owner_type: str
    owner_fq_name: FqName
    property_name: str
    key: str
    value: Mapping[str, Json]

    @property
    def uuid(self) -> str:
        """Deterministic id of the entry's row in the store."""
        return entry_uuid(self.owner_type, joined(self.owner_fq_name), self.property_name, self.key)

    @property
    def type(self) -> str:
        """Always ENTRY."""
        return ENTRY

    @property
    def fq_name(self) -> FqName:
        """Name of the entry's row in the store: owner type and name, property, key."""
        return (self.owner_type, *self.owner_fq_name, self.property_name, self.key)

    def body(self) -> dict[str, Json]:
        """The jsonb body of the store: {'owner': {'type', 'fq_name'}, 'property', 'key', 'value'}."""
        return {
            "owner": {"type": self.owner_type, "fq_name": list(self.owner_fq_name)},
            "property": self.property_name,
            "key": self.key,
            "value": dict(self.value),
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Json]) -> Entry:
        """Read back a row of the store: `body` as written by `body()`."""
        owner = body["owner"]
        return cls(owner["type"], tuple(owner["fq_name"]), body["property"], body["key"], body["value"])


Desired = ContrailObject | Link | Entry


def _trunk(trunk: Trunk | None) -> dict[str, Json]:
    return {} if trunk is None else {"trunk": trunk.body()}


def _listed(key: str, uuids: tuple[str, ...]) -> dict[str, Json]:
    return {key: list(uuids)} if uuids else {}
