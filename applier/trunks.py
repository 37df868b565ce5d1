"""Finding the interface of the machine that a node is, in Contrail (shell): nested mode.

By the uuid or name that the node's annotation gives, else by the node's address. It belongs to whoever made the
machine, and is only ever read here. Answers are remembered for a while, absences only for a moment. Thread-safe.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from applier.client import ContrailClient
from applier.outcome import Call, Outcome, Verdict, classify
from applier.sub_interface import INTERFACE, PROPERTIES, REFERENCES, live_place
from schemas.contrail.objects import Json, annotations_of, joined
from schemas.contrail.trunk import Trunk

_ADDRESS = "instance-ip"
_NETWORK = "virtual-network"
_BINDINGS = "virtual_machine_interface_bindings"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ABSENCE_SECONDS = 2.0
_TELL = "the annotation opencontrail.org/interface of the Node can name it"


@dataclass(frozen=True, slots=True)
class Parent:
    """The interface: uuid, colon-joined name, and `host`, the name of the host that its port is bound to ('': none)."""

    uuid: str
    name: str
    host: str


class Trunks:
    """Parents by what Kubernetes tells of them; raises ContrailUnavailable like the client it asks."""

    def __init__(
        self, client: ContrailClient, *, remember: float = 300.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._remember = remember
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[Trunk, tuple[float, Parent | Outcome]] = {}

    def find(self, trunk: Trunk) -> Parent | Outcome:
        """The parent; an Outcome GONE, with the reason, while there is none, or what the API said instead."""
        with self._lock:
            until, known = self._known.get(trunk, (float("-inf"), None))
        if known is not None and self._clock() < until:
            return known
        found = self._find(trunk)
        if isinstance(found, Parent) or found.verdict is Verdict.GONE:
            keep = self._remember if isinstance(found, Parent) else min(ABSENCE_SECONDS, self._remember)
            with self._lock:
                self._known[trunk] = (self._clock() + keep, found)
        return found

    def forget(self, trunk: Trunk) -> None:
        """What was found is not there any more."""
        with self._lock:
            self._known.pop(trunk, None)

    def _find(self, trunk: Trunk) -> Parent | Outcome:
        uuid = self._named(trunk) if trunk.interface else self._addressed(trunk)
        if isinstance(uuid, Outcome):
            return uuid
        answer = self._client.read(INTERFACE, uuid, (_BINDINGS, PROPERTIES, REFERENCES))
        outcome = classify(Call.READ, answer)
        if outcome.verdict is Verdict.GONE:
            return _absent(trunk, f"virtual-machine-interface {uuid} is not in Contrail")
        if outcome.verdict is not Verdict.DONE:
            return outcome
        live = answer.json[INTERFACE]
        name = joined(tuple(live["fq_name"]))
        if live_place(live) is not None:
            return _absent(trunk, f"virtual-machine-interface {name} is a sub-interface itself")
        return Parent(uuid, name, _host(live))

    def _named(self, trunk: Trunk) -> str | Outcome:
        if _UUID.fullmatch(trunk.interface):
            return trunk.interface
        return self._uuid_of(trunk, INTERFACE, trunk.interface)

    def _addressed(self, trunk: Trunk) -> str | Outcome:
        if not trunk.address:
            return _absent(trunk, f"Kubernetes tells no internal address of it; {_TELL}")
        network = self._uuid_of(trunk, _NETWORK, trunk.network) if trunk.network else ""
        if isinstance(network, Outcome):
            return network
        answer = self._client.read_many(
            _ADDRESS,
            fields=(REFERENCES, "annotations"),
            filters=f"instance_ip_address=={json.dumps(trunk.address)}",
            referring_to=network,
        )
        outcome = classify(Call.LOOKUP, answer)
        if outcome.verdict is not Verdict.DONE:
            return outcome
        # Another network may have the address, too; that of a pod, of any cluster, is no machine's.
        others = [i for i in answer.json[f"{_ADDRESS}s"] if annotations_of(i).get("kind") is None]
        found = sorted({str(ref["uuid"]) for item in others for ref in item.get(REFERENCES) or ()})
        where = f"in network {trunk.network}" if trunk.network else "in Contrail"
        if not found:
            return _absent(trunk, f"no interface {where} has its address {trunk.address}; {_TELL}")
        if len(found) > 1:
            which = ", ".join(found[:5])
            return _absent(
                trunk, f"{len(found)} interfaces {where} have its address {trunk.address} ({which}); {_TELL}"
            )
        return found[0]

    def _uuid_of(self, trunk: Trunk, type_: str, name: str) -> str | Outcome:
        answer = self._client.fqname_to_id(type_, name.split(":"))
        outcome = classify(Call.LOOKUP, answer)
        if outcome.verdict is Verdict.GONE:
            return _absent(trunk, f"{type_} {name} is not in Contrail")
        return str(answer.json["uuid"]) if outcome.verdict is Verdict.DONE else outcome


def _host(live: Mapping[str, Json]) -> str:
    pairs = (live.get(_BINDINGS) or {}).get("key_value_pair") or ()
    return next((str(pair.get("value") or "") for pair in pairs if pair.get("key") == "host_id"), "")


def _absent(trunk: Trunk, why: str) -> Outcome:
    return Outcome(Verdict.GONE, f"the interface of the machine that is node {trunk.node} is not known: {why}")
