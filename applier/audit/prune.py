"""Deletes orphans, one by one, in the order in which Contrail lets them go (shell).

Whatever speaks against it, the orphan stays and its finding says why. The last look, at Contrail and at the store,
is taken right before each delete. Killed half-way, the next audit sees what is left.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from sqlalchemy import Connection

from applier.audit import ledger, standing
from applier.audit.calls import Calls
from applier.audit.guards import Orphan, Standing, budget, made_for, why_kept
from applier.audit.session import Session
from applier.audit.settings import AuditSettings
from applier.audit.strays import take_out
from applier.audit.values import Live
from applier.outcome import Call, Outcome, Verdict
from applier.owners import ROUTER
from applier.rows import label
from applier.writer import OwnerMark
from schemas.contrail import wire
from schemas.contrail.objects import ENTRY
from schemas.errors import ContrailUnavailable

logger = logging.getLogger(__name__)

MACHINE = "virtual-machine"
SAYS = "carries our mark, and nothing in the store wants it"
_ROUTERS = "virtual_router_back_refs"
_AWAY = frozenset({Verdict.BUSY, Verdict.SILENT, Verdict.DENIED})


@dataclass(slots=True)
class Pruned:
    """What became of the orphans of one audit: what was deleted, and by uuid why the others stay.

    `over` is how many there were where that broke the budget, which is `limit`; else 0.
    """

    deleted: list[Orphan] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    over: int = 0
    limit: int = 0


class Pruner:
    """Prunes for one audit; `limit` takes the place of the settings' budget where a person gave one."""

    def __init__(
        self,
        session: Session,
        calls: Calls,
        *,
        mark: OwnerMark,
        settings: AuditSettings,
        run: int,
        limit: int | None = None,
    ) -> None:
        self._session = session
        self._calls = calls
        self._mark = mark
        self._settings = settings
        self._run = run
        self._limit = limit
        self.result = Pruned()
        self._uids: dict[str, str] = {}

    def prune(self, orphans: Sequence[Orphan], *, switched_on: bool) -> None:
        """Delete what every guard lets go; `result` tells what came of it, whatever is raised.

        Raises ContrailUnavailable, StoreUnavailable and calls.Stopped.
        """
        try:
            self._prune(orphans, switched_on=switched_on)
        finally:
            reasons = [(uuid, f"{SAYS}; {why}") for uuid, why in self.result.kept.items()]
            self._session.run("say why orphans stay", ledger.give_reasons, self._mark.cluster, reasons)

    def _prune(self, orphans: Sequence[Orphan], *, switched_on: bool) -> None:
        self._uids = made_for(orphans)
        store = self._session.run("ask how the store stands", standing.standing_of, self._mark.cluster, orphans)
        free = [orphan for orphan in orphans if not self._keep(orphan, self._why_kept(orphan, store))]
        result = self.result
        result.limit = self._budget(store)
        if len(free) > result.limit:
            result.over = len(free)
            why = f"kept: {len(free)} orphans may go, more than the budget of {result.limit} allows"
        elif not switched_on:
            why = "nothing speaks against deleting it, but pruning is off"
        else:
            return self._delete_all(free)
        for orphan in free:
            self._keep(orphan, why)

    def _budget(self, store: Standing) -> int:
        if self._limit is not None:
            return self._limit
        return budget(store, absolute=self._settings.deletion_budget, share=self._settings.deletion_share)

    def _why_kept(self, orphan: Orphan, store: Standing) -> str:
        uid = self._uids.get(orphan.uuid)
        return why_kept(orphan, store, uid=uid, distance=self._settings.observation_distance)

    def _keep(self, orphan: Orphan, why: str) -> bool:
        if why:
            self.result.kept[orphan.uuid] = why
        return bool(why)

    def _delete_all(self, orphans: Sequence[Orphan]) -> None:
        needs = {orphan.uuid: orphan.needed for orphan in orphans}
        # A node lets go of a port before its address goes back to the pool: so first the links of all machines.
        for orphan in orphans:
            if orphan.type == MACHINE and (live := self._last_look(orphan)) is not None:
                self._unlink(orphan, live)
        by_uuid = {orphan.uuid: orphan for orphan in orphans}
        order = _order(needs)
        for uuid in reversed(order):
            if stays := sorted(needs[uuid] & self.result.kept.keys()):
                self.result.kept.setdefault(uuid, f"kept: it belongs to {stays[0]}, which stays as well")
        for uuid in order:
            if uuid not in self.result.kept and self._may_go(by_uuid[uuid]):
                self._delete(by_uuid[uuid])

    def _may_go(self, orphan: Orphan) -> bool:
        if orphan.type == ENTRY:  # it is what its key says; whether it is there is seen when it is taken out
            return not self._session.run("ask the store again", self._is_wanted, orphan)
        return self._last_look(orphan) is not None

    def _last_look(self, orphan: Orphan) -> Live | None:
        """The orphan as Contrail has it at this moment, if it may still be deleted; else what is known is noted."""
        fields = ("annotations", _ROUTERS) if orphan.type == MACHINE else ("annotations",)
        outcome, answer = self._calls.attempt(Call.READ, lambda client: client.read(orphan.type, orphan.uuid, fields))
        if outcome.verdict is Verdict.GONE:
            self._session.run("close a finding", ledger.resolve, self._mark.cluster, orphan.uuid, "vanished")
            return None
        if outcome.verdict is not Verdict.DONE or answer is None:
            self._failed(orphan, outcome)
            return None
        live = Live.of(orphan.type, answer.json[orphan.type])
        if live.fq_name != orphan.fq_name or not self._mark.is_on(live.fields):
            self._keep(orphan, "kept: it is not what it was when it was listed")
            return None
        return None if self._session.run("ask the store again", self._is_wanted, orphan) else live

    def _is_wanted(self, connection: Connection, orphan: Orphan) -> bool:
        store = standing.standing_of(connection, self._mark.cluster, [orphan], counted=False)
        if standing.is_known(connection, orphan.uuid):
            return self._keep(orphan, "kept: the store wants it after all")
        return self._keep(orphan, self._why_kept(orphan, store))

    def _unlink(self, machine: Orphan, live: Live) -> None:
        """Take the machine from the nodes that have it: these references are our own links."""
        for router in live.fields.get(_ROUTERS) or ():
            outcome = self._unlink_from(router["uuid"], machine)
            if outcome.verdict not in (Verdict.DONE, Verdict.GONE):
                return self._failed(machine, outcome)
            logger.info("unlinked an orphan machine=%s router=%s", machine.fq_name, ":".join(router["to"]))

    def _unlink_from(self, router: str, machine: Orphan) -> Outcome:
        body = wire.ref_delete(ROUTER, router, machine.type, machine.uuid)
        return self._calls.attempt(Call.LINK, lambda client: client.ref_update(body))[0]

    def _delete(self, orphan: Orphan) -> None:
        outcome = self._deleted(orphan)
        if outcome.verdict is Verdict.HELD:
            self._keep(orphan, f"kept: {self._holders(outcome)}")
        elif outcome.verdict not in (Verdict.DONE, Verdict.GONE):
            self._failed(orphan, outcome)
        else:
            logger.info(
                "pruned an orphan %s uuid=%s resource=%s",
                label(orphan.type, orphan.fq_name),
                orphan.uuid,
                orphan.resource,
            )
            self.result.deleted.append(orphan)
            cluster = self._mark.cluster
            self._session.run("note a deletion", ledger.pruned, self._run, cluster, orphan.uuid)

    def _deleted(self, orphan: Orphan) -> Outcome:
        if orphan.type == ENTRY:
            return take_out(self._calls, orphan)
        return self._calls.attempt(Call.DELETE, lambda client: client.delete(orphan.type, orphan.uuid))[0]

    def _holders(self, outcome: Outcome) -> str:
        """What keeps an object from being deleted, in words; it is only read."""
        said = ", ".join(self._holder(type_, uuid) for type_, uuid in outcome.holders[:3])
        more = f" and {len(outcome.holders) - 3} more" if len(outcome.holders) > 3 else ""
        return f"still needed by {said or 'others'}{more}"

    def _holder(self, type_: str, uuid: str) -> str:
        outcome, answer = self._calls.attempt(Call.READ, lambda client: client.read(type_, uuid, ("annotations",)))
        if outcome.verdict is not Verdict.DONE or answer is None:
            return f"{type_} {uuid}"
        holder = Live.of(type_, answer.json[type_])
        return f"{label(type_, holder.fq_name)} ({'ours' if self._mark.is_on(holder.fields) else 'not ours'})"

    def _failed(self, orphan: Orphan, outcome: Outcome) -> None:
        self._keep(orphan, f"not deleted yet: {outcome.reason}")
        if outcome.verdict in _AWAY:
            raise ContrailUnavailable(f"pruning ended early: {outcome.reason}")


def _order(needs: Mapping[str, Collection[str]]) -> list[str]:
    """Uuids so that children and referrers come before what they need."""
    before: dict[str, set[str]] = {uuid: set() for uuid in needs}
    for uuid, targets in needs.items():
        for target in targets:
            if target in before and target != uuid:
                before[target].add(uuid)
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError:
        return sorted(needs)  # Contrail's 409 then says what comes first
