"""A simulated Contrail config API that follows a store, without a network: refuses what the real one would refuse.

Nothing is retried but what the plan says must wait: an object that is refused fails the test with the API's own text.
"""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from applier import entries
from applier.compare import difference
from applier.plan import plan
from applier.rows import Edge, Neighbour, Row
from applier.sub_interface import Place, placed
from schemas.contrail import wire
from schemas.contrail.objects import ENTRY, LINK, ContrailObject, Entry, FqName, Link, Reference
from schemas.contrail.trunk import Trunk
from simulators.contrail.answers import Call
from simulators.contrail.api import answer
from simulators.contrail.seed import seed
from simulators.contrail.state import State
from translator.memory import MemoryStore

NODES = {"n1": "192.168.0.1", "n2": "192.168.0.2", "n3": "192.168.0.3"}


class Refused(AssertionError):
    """The API would not do it."""


def foreign_network(*fq_name: str, cidr: str = "172.16.0.0/24") -> tuple[ContrailObject, ContrailObject]:
    """A network that somebody else made, with an IPAM and a subnet of its own."""
    prefix, _, length = cidr.partition("/")
    ipam = _foreign("network-ipam", (*fq_name[:-1], f"{fq_name[-1]}-ipam"))
    subnets = {"ipam_subnets": [{"subnet": {"ip_prefix": prefix, "ip_prefix_len": int(length)}}]}
    return ipam, _foreign("virtual-network", fq_name, Reference(ipam.type, ipam.fq_name, ipam.uuid, subnets))


def machine_interface(name: str) -> tuple[ContrailObject, ...]:
    """The interface of a machine of somebody else, `default-domain:default-project:<name>`, and its network."""
    home = ("default-domain", "default-project")
    ipam, network = foreign_network(*home, f"{name}-network", cidr="192.168.7.0/24")
    reference = Reference(network.type, network.fq_name, network.uuid)
    return ipam, network, _foreign("virtual-machine-interface", (*home, name), reference)


def foreign_project(name: str) -> tuple[ContrailObject]:
    """A project that somebody else made."""
    return (_foreign("project", ("default-domain", name)),)


class FollowingContrail:
    """The API, what it was told to have from the start, and what it has of the store."""

    def __init__(self, *there: Iterable[ContrailObject], nodes: Mapping[str, str] = NODES) -> None:
        counter = itertools.count()
        self._state = State(make_uuid=lambda _: str(uuid.uuid5(uuid.NAMESPACE_OID, f"made-{next(counter)}")))
        seed(self._state, nodes)
        self._has: dict[str, Row] = {}
        self._tags: dict[str, int] = {}
        self.writes: list[tuple[str, str]] = []
        """What was called, in order: verb ('create', 'update', 'delete', 'link', 'entry') and label."""
        for each in (one for group in there for one in group):
            self._ask("POST", wire.collection_path(each.type), wire.create_body(each))

    def follow(self, store: MemoryStore) -> None:
        """Bring the API to what the store desires; Refused if it would not."""
        rows = self._rows(store)
        edges = self._edges(store)
        while rows:
            result = plan(rows, edges, self._missing(store, edges))
            if not result.steps:
                raise Refused("; ".join(f"{each.row.label}: {each.reason}" for each in result.blocked))
            for step in result.steps:
                self._apply(step.row)
            rows = [each.row for each in result.blocked]

    def follow_patiently(self, store: MemoryStore) -> None:
        """The same, as the applier does it: what is refused is tried again for as long as anything else succeeds.

        Addresses that change hands, and subnets that their last user leaves, are refused until the other one is gone.
        """
        while rows := self._rows(store):
            edges, refused, done = self._edges(store), "", False
            for step in plan(rows, edges, self._missing(store, edges)).steps:
                try:
                    self._apply(step.row)
                    done = True
                except Refused as error:
                    refused = str(error)
            if not done:
                raise Refused(refused or "what is left needs each other")

    def read(self, type_: str, uuid: str) -> dict[str, Any]:
        """An object as the API has it."""
        found: dict[str, Any] = self._ask("GET", wire.object_path(type_, uuid))[type_]
        return found

    def refer(self, type_: str, uuid: str, target_type: str, target: str) -> None:
        """Add a reference, as somebody else would."""
        ends = {"type": type_, "uuid": uuid, "ref-type": target_type, "ref-uuid": target}
        self._ask("POST", "/ref-update", {**ends, "operation": wire.ADD})

    def drifted(self, *types: str) -> list[tuple[str, list[str]]]:
        """Labels of objects of these types that the API has otherwise than they were applied, and the fields."""
        found = []
        for row in self._has.values():
            if row.type in types:
                wanted = wire.update_fields(ContrailObject.from_body(row.type, row.fq_name, row.uuid, row.body))
                if fields := difference(wanted, self.read(row.type, row.uuid), wire.managed_fields(row.type)):
                    found.append((row.label, sorted(fields)))
        return found

    def everything(self, type_: str) -> list[dict[str, Any]]:
        """All objects of a type."""
        listed = self._ask("GET", wire.collection_path(type_))[f"{type_}s"]
        return [self.read(type_, each["uuid"]) for each in listed]

    def names(self, type_: str) -> set[str]:
        """Joined names of all objects of a type."""
        return {":".join(each["fq_name"]) for each in self.everything(type_)}

    def _rows(self, store: MemoryStore) -> list[Row]:
        """Rows that are ahead of the API."""
        rows = []
        for stored in store.tables.objects.values():
            had = self._has.get(stored.uuid)
            if (had is None and stored.absent) or (had is not None and had.generation == stored.generation):
                continue
            rows.append(
                Row(
                    stored.uuid,
                    stored.shard,
                    stored.type,
                    stored.fq_name,
                    json.loads(stored.body),
                    stored.generation,
                    absent=stored.absent,
                    applied_generation=None if had is None else had.generation,
                )
            )
        return rows

    def _edges(self, store: MemoryStore) -> Sequence[Edge]:
        edges = store.tables.edges
        return [Edge(source, target, how == "after") for source in edges for target, how in edges[source]]

    @staticmethod
    def _missing(store: MemoryStore, edges: Sequence[Edge]) -> list[Neighbour]:
        """What must stand first, and nobody asks for."""
        missing = {edge.to_uuid for edge in edges if edge.strict} - store.tables.objects.keys()
        return [Neighbour(uuid, "object", uuid, absent=False, in_place=False) for uuid in sorted(missing)]

    def _apply(self, row: Row) -> None:
        if row.type == LINK:
            self._link(row)
        elif row.type == ENTRY:
            self._entry(row)
        elif row.absent:
            self._let_go(ContrailObject.from_body(row.type, row.fq_name, row.uuid, row.body))
            self._write("delete", row, "DELETE", wire.object_path(row.type, row.uuid))
        else:
            wanted = self._placed(ContrailObject.from_body(row.type, row.fq_name, row.uuid, row.body))
            if row.in_place:
                self._update(row, wanted)
            else:
                self._write("create", row, "POST", wire.collection_path(row.type), wire.create_body(wanted))
        if row.absent:
            self._has.pop(row.uuid, None)
        else:
            self._has[row.uuid] = row

    def _placed(self, wanted: ContrailObject) -> ContrailObject:
        """A sub-interface below the interface that its trunk names, under the tag that it has or the next one."""
        if wanted.trunk is None:
            return wanted
        if wanted.uuid not in self._tags:
            self._tags[wanted.uuid] = len(self._tags) + 1
        parent = self._parent(wanted, wanted.trunk)
        return placed(wanted, Place(parent, wanted.trunk.interface, self._tags[wanted.uuid]))

    def _let_go(self, wanted: ContrailObject) -> None:
        """Take the reference away by which Contrail made the parent hold its sub-interface."""
        if wanted.trunk is not None:
            body = wire.ref_delete(wanted.type, self._parent(wanted, wanted.trunk), wanted.type, wanted.uuid)
            self._ask("POST", "/ref-update", body)

    def _parent(self, wanted: ContrailObject, trunk: Trunk) -> str:
        asked = {"type": wanted.type, "fq_name": trunk.interface.split(":")}
        return str(self._ask("POST", "/fqname-to-id", asked)["uuid"])

    def _update(self, row: Row, wanted: ContrailObject) -> None:
        live = self.read(row.type, row.uuid)
        if changes := difference(wire.update_fields(wanted), live, wire.managed_fields(row.type)):
            self._write("update", row, "PUT", wire.object_path(row.type, row.uuid), {row.type: changes})
        again = self.read(row.type, row.uuid)
        if left := difference(wire.update_fields(wanted), again, wire.managed_fields(row.type)):
            raise Refused(f"{row.label}: the API took the change, and still differs in {sorted(left)}")

    def _link(self, row: Row) -> None:
        link = Link.from_body(row.body)
        asked = {"type": link.owner_type, "fq_name": list(link.owner_fq_name)}
        owner = self._ask("POST", "/fqname-to-id", asked)["uuid"]
        body = wire.ref_update(link, owner, wire.DELETE if row.absent else wire.ADD)
        self._write("link", row, "POST", "/ref-update", body)

    def _entry(self, row: Row) -> None:
        entry = Entry.from_body(row.body)
        owner = self._ask("POST", "/fqname-to-id", {"type": entry.owner_type, "fq_name": list(entry.owner_fq_name)})
        if entries.rule_of(entry).is_collection:
            body = wire.prop_collection_update(entry, owner["uuid"], absent=row.absent)
            self._write("entry", row, "POST", "/prop-collection-update", body)
            return
        live = self.read(entry.owner_type, owner["uuid"]).get(entry.property_name)
        if not row.absent and (held := entries.holder(entry, entries.elements(entry, live))):
            raise Refused(f"{row.label}: {held.key} has {held.what}")
        wanted = entries.without_entry(entry, live) if row.absent else entries.with_entry(entry, live)
        if wanted is not None:
            changed = {entry.owner_type: {entry.property_name: wanted}}
            self._write("entry", row, "PUT", wire.object_path(entry.owner_type, owner["uuid"]), changed)

    def _write(self, verb: str, row: Row, method: str, path: str, body: object = None) -> None:
        self.writes.append((verb, row.label))
        self._ask(method, path, body)

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        said = answer(self._state, Call(method, path, "http://contrail", "", "application/json", content))
        if said.status != 200:
            raise Refused(f"{method} {path}: {said.status} {said.text}; sent was {body}")
        return said.json


def _foreign(type_: str, fq_name: FqName, *references: Reference) -> ContrailObject:
    made = str(uuid.uuid5(uuid.NAMESPACE_OID, ":".join((type_, *fq_name))))
    return ContrailObject(type_, fq_name, made, "domain" if type_ == "project" else "project", {}, references)
