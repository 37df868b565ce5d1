"""Finding the objects that links and entries hang on (shell): uuid by name, and virtual-routers also by address.

Answers are remembered for a while, absences only for a moment; whoever meets a 404 calls `forget`. Thread-safe.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from applier.answer import Answer
from applier.client import ContrailClient
from applier.outcome import Call, Outcome, Verdict, classify
from applier.trunks import Trunks
from schemas.contrail.objects import Entry, Link, joined
from schemas.contrail.trunk import Trunk

ROUTER = "virtual-router"
_ADDRESS = "virtual_router_ip_address"
ABSENCE_SECONDS = 2.0
"""How long it is remembered that an owner is not there: bounds the calls of many pods on an unregistered node."""


@dataclass(frozen=True, slots=True)
class Found:
    """Uuid of an owner, or why there is none: GONE when the API says so, else what it answered instead."""

    uuid: str | None
    outcome: Outcome


class Owners:
    """Uuids of the owners of links and entries; raises ContrailUnavailable like the client it asks."""

    def __init__(
        self,
        client: ContrailClient,
        *,
        trunks: Trunks | None = None,
        remember: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._trunks = trunks or Trunks(client, remember=remember, clock=clock)
        self._remember = remember
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], tuple[float, Found]] = {}
        self._routers: tuple[float, Answer] | None = None

    def find(self, link: Link | Entry) -> Found:
        """Uuid of the owner: the one that a link names, else by fq_name, else (virtual-router) by address or name.

        With a trunk the virtual-router of the host on which the machine with that interface runs.
        """
        if isinstance(link, Link) and link.owner_uuid is not None:
            return Found(link.owner_uuid, Outcome(Verdict.DONE))
        key = self._key(link)
        with self._lock:
            until, found = self._known.get(key, (float("-inf"), None))
        if found is not None and self._clock() < until:
            return found
        found = self._ask(link)
        if found.outcome.verdict in (Verdict.DONE, Verdict.GONE):
            keep = self._remember if found.uuid else min(ABSENCE_SECONDS, self._remember)
            with self._lock:
                self._known[key] = (self._clock() + keep, found)
        return found

    def forget(self, link: Link | Entry) -> None:
        """The API does not know the uuid that we remembered."""
        with self._lock:
            self._known.pop(self._key(link), None)
        if isinstance(link, Link) and link.trunk is not None:
            self._trunks.forget(link.trunk)

    @staticmethod
    def _key(link: Link | Entry) -> tuple[str, str]:
        return link.owner_type, joined(link.owner_fq_name)

    def _ask(self, link: Link | Entry) -> Found:
        if isinstance(link, Link) and link.trunk is not None:
            return self._ask_host(link.trunk)
        answer = self._client.fqname_to_id(link.owner_type, link.owner_fq_name)
        outcome = classify(Call.LOOKUP, answer)
        if outcome.verdict is Verdict.DONE:
            return Found(answer.json["uuid"], outcome)
        if outcome.verdict is Verdict.GONE and isinstance(link, Link) and link.owner_type == ROUTER:
            return self._ask_routers(link, outcome)
        return Found(None, outcome)

    def _ask_routers(self, link: Link, missing: Outcome) -> Found:
        answer = self._all_routers()
        outcome = classify(Call.LOOKUP, answer)
        if outcome.verdict is not Verdict.DONE:
            return Found(None, outcome)
        routers = sorted(answer.json[f"{ROUTER}s"], key=lambda r: str(r["uuid"]))
        # Nodes register under their short name, their full one, or in another case; the address is one.
        for router in routers:
            if link.owner_address and router.get(_ADDRESS) == link.owner_address:
                return Found(router["uuid"], outcome)
        for router in routers:
            if router["fq_name"][-1].lower() == link.owner_fq_name[-1].lower():
                return Found(router["uuid"], outcome)
        return Found(None, missing)

    def _ask_host(self, trunk: Trunk) -> Found:
        parent = self._trunks.find(trunk)
        if isinstance(parent, Outcome):
            return Found(None, parent)
        if not parent.host:
            reason = f"interface {parent.name} of the machine that is node {trunk.node} is bound to no host (host_id)"
            return Found(None, Outcome(Verdict.GONE, reason))
        answer = self._all_routers()
        outcome = classify(Call.LOOKUP, answer)
        if outcome.verdict is not Verdict.DONE:
            return Found(None, outcome)
        routers = sorted(answer.json[f"{ROUTER}s"], key=lambda r: str(r["uuid"]))
        for is_it in (_is_same, _is_same_but_for_domain):
            for router in routers:
                if is_it(router["fq_name"][-1].lower(), parent.host.lower()):
                    return Found(router["uuid"], outcome)
        reason = f"virtual-router of host {parent.host}, on which node {trunk.node} runs, is not registered in Contrail"
        return Found(None, Outcome(Verdict.GONE, reason))

    def _all_routers(self) -> Answer:
        """Every virtual-router; asked for once in a while, however many nodes are not registered."""
        with self._lock:
            if self._routers is not None and self._clock() < self._routers[0]:
                return self._routers[1]
        answer = self._client.read_many(ROUTER, fields=(_ADDRESS,))
        if answer.ok:
            with self._lock:
                self._routers = (self._clock() + min(ABSENCE_SECONDS, self._remember), answer)
        return answer


def _is_same(router: str, host: str) -> bool:
    return router == host


def _is_same_but_for_domain(router: str, host: str) -> bool:
    """Whether one of both is named without its domain."""
    return router.partition(".")[0] == host.partition(".")[0] and ("." not in router or "." not in host)
