"""What adoption looks at: objects of Contrail, what the store desires, and what Kubernetes has (pure values)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from applier.rows import Alias
from applier.writer import mark_of
from schemas.contrail.objects import FqName, Json, annotations_of, joined
from schemas.contrail.shapes import reference_field

PROJECT = "project"
NETWORK = "virtual-network"
IPAM = "network-ipam"
POLICY = "network-policy"
SECURITY_GROUP = "security-group"
MACHINE = "virtual-machine"
INTERFACE = "virtual-machine-interface"
INSTANCE_IP = "instance-ip"
FLOATING_IP = "floating-ip"

Mark = tuple[str, str]
"""Owner and cluster: the annotations by which objects of one cluster are known."""


@dataclass(frozen=True, slots=True)
class Live:
    """An object of Contrail; `fields` as lists give them, `pairs` its annotations."""

    type: str
    uuid: str
    fq_name: FqName
    fields: Mapping[str, Json] = field(compare=False, repr=False)
    parent_uuid: str = ""
    pairs: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, type_: str, item: Mapping[str, Json]) -> Live:
        """From an element of a list."""
        parent = item.get("parent_uuid") or ""
        return cls(type_, item["uuid"], tuple(item["fq_name"]), item, parent, annotations_of(item))

    @property
    def mark(self) -> Mark | None:
        """Whose it says to be; None if it says nothing."""
        return mark_of(self.pairs)

    @property
    def made_at(self) -> float:
        """When it was made, in seconds since 1970; infinity if it does not say so."""
        try:
            made = datetime.fromisoformat(str((self.fields.get("id_perms") or {}).get("created")))
        except ValueError:
            return float("inf")
        return (made if made.tzinfo else made.replace(tzinfo=UTC)).timestamp()

    @property
    def kind(self) -> str:
        """Kubernetes kind that it says to be made for."""
        return self.pairs.get("kind", "")

    @property
    def label(self) -> str:
        """How reports name it."""
        return f"{self.type} {joined(self.fq_name)}"

    def targets(self, type_: str) -> tuple[str, ...]:
        """Uuids of the objects of a type that it refers to."""
        return tuple(ref["uuid"] for ref in self.fields.get(reference_field(type_)) or () if ref.get("uuid"))

    def every_target(self) -> set[str]:
        """Uuids of all objects that it refers to."""
        return {
            ref["uuid"]
            for name, refs in self.fields.items()
            if name.endswith("_refs") and isinstance(refs, list)
            for ref in refs
            if ref.get("uuid")
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """A row of desired_object; `fq_name` is colon-joined, `alias` how Contrail has it if it was adopted before."""

    uuid: str
    type: str
    fq_name: str
    body: Mapping[str, Json] = field(compare=False, repr=False)
    absent: bool = False
    alias: Alias | None = None

    @property
    def label(self) -> str:
        """How reports name it."""
        return f"{self.type} {self.fq_name}"

    def pair(self, key: str) -> str:
        """An annotation's value, '' if it has none."""
        return annotations_of(self.body["properties"]).get(key, "")

    def target(self, type_: str) -> str:
        """The store's uuid of the object of a type that it refers to, '' if there is none."""
        return next((str(ref["uuid"]) for ref in self.body["references"] if ref["type"] == type_ and ref["uuid"]), "")


@dataclass(frozen=True, slots=True)
class Cluster:
    """What is there on Kubernetes' side.

    `pods` are uids and `named` (namespace, name) of the pods that have not ended; `unread` are (namespace, name) of
    pods of which a record could not be read or translated: nobody knows what they need. `listed` is by kind when the
    listing that the store is based on began (seconds since 1970); what was made later it may not know of.
    """

    mark: Mark
    domain: str
    wanted: Sequence[Wanted]
    pods: frozenset[str] = frozenset()
    named: frozenset[tuple[str, str]] = frozenset()
    unread: frozenset[tuple[str, str]] = frozenset()
    namespaces: frozenset[str] = frozenset()
    listed: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The cluster's name, prefix of what it has in Contrail."""
        return self.mark[1]


@dataclass(frozen=True, slots=True)
class Survey:
    """What Contrail has. `routers` are the uuids of the virtual-routers that each virtual-machine is linked from."""

    objects: Sequence[Live]
    routers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
