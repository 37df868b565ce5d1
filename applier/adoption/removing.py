"""Deletes what was made for pods and namespaces that are gone (shell), children and referrers first.

Each object is looked at once more just before: in the store, whether it is needed by now, and in Contrail, whether it
is still the one that was judged. Stopped anywhere, the next run finds what is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from applier.adoption.judging import Judged
from applier.adoption.knowledge import is_needed
from applier.adoption.objects import FLOATING_IP, INSTANCE_IP, INTERFACE, MACHINE, PROJECT, SECURITY_GROUP, Live, Mark
from applier.client import ContrailClient
from applier.outcome import Call, Outcome, Verdict, classify
from applier.owners import ROUTER
from schemas.contrail import wire
from schemas.store.engine import store_errors

ORDER = (FLOATING_IP, INSTANCE_IP, INTERFACE, MACHINE, SECURITY_GROUP, PROJECT)
"""Types in the order in which they can go."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What came of one object; `failure` is '' if it is gone."""

    live: Live
    failure: str = ""


class Remover:
    """Deletes objects one by one; raises ContrailUnavailable and StoreUnavailable, after which it may be run again."""

    def __init__(self, client: ContrailClient, engine: Engine, *, mark: Mark) -> None:
        self._client = client
        self._engine = engine
        self._mark = mark

    def unlink(self, judged: Judged, routers: Sequence[str]) -> Removed:
        """Let the nodes go of a virtual-machine: first of all, because an address is free when its object goes."""
        live = judged.live
        if failure := self._why_not(live, live.uuid):
            return Removed(live, failure)
        for router in routers:
            body = wire.ref_delete(ROUTER, router, live.type, live.uuid)
            outcome = classify(Call.LINK, self._client.ref_update(body))
            if outcome.verdict not in (Verdict.DONE, Verdict.GONE):
                return Removed(live, outcome.reason)
        return Removed(live)

    def remove(self, judged: Judged, machines: Mapping[str, str]) -> Removed:
        """Delete one object; `machines` are the uuids of machines by those of their interfaces and addresses."""
        live = judged.live
        uid = live.uuid if live.type == MACHINE else machines.get(live.uuid, "")
        if failure := self._why_not(live, uid):
            return Removed(live, failure)
        outcome = classify(Call.DELETE, self._client.delete(live.type, live.uuid))
        return Removed(live, "" if outcome.verdict in (Verdict.DONE, Verdict.GONE) else _held(outcome))

    def _why_not(self, live: Live, uid: str) -> str:
        namespace = live.pairs.get("namespace", "") if live.kind == "Namespace" else ""
        with store_errors("look at the store once more", self._engine), self._engine.connect() as connection:
            if is_needed(connection, cluster=self._mark[1], uuid=live.uuid, uid=uid, namespace=namespace):
                return "it is needed by now, or Kubernetes is being listed anew; it is left alone"
        answer = self._client.read(live.type, live.uuid, ("annotations",))
        outcome = classify(Call.READ, answer)
        if outcome.verdict is Verdict.GONE:
            return ""
        if outcome.verdict is not Verdict.DONE:
            return outcome.reason
        now = Live.of(live.type, answer.json[live.type])
        if (now.mark, now.fq_name) != (live.mark, live.fq_name):
            return "it has changed meanwhile; it is left alone"
        return ""


def _held(outcome: Outcome) -> str:
    if not outcome.holders:
        return outcome.reason
    return "held by " + ", ".join(f"{type_} {uuid}" for type_, uuid in outcome.holders[:5])
