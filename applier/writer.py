"""Brings one object, link or entry of the store into Contrail (shell): the verb follows from what Contrail has.

Everything is harmless to repeat: uuids are computed, so a create whose answer was lost finds its own object, and
what is already as it shall be is not written. An object that we did not make is never touched, beyond our links, our
entries and what was adopted; and what links refer to from an object of ours stays when that is written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from applier.aliases import managed_fields
from applier.answer import Answer
from applier.client import ContrailClient
from applier.compare import difference
from applier.entry_writer import EntryWriter
from applier.nested import SubInterfaces
from applier.observe import ADDRESS, ADDRESS_FIELDS, FLOATING_IP
from applier.outcome import Call, Outcome, Verdict, classify, is_address_refused
from applier.owners import ROUTER, Found, Owners
from applier.rows import Row
from applier.sub_interface import INTERFACE, place_of
from schemas.contrail import wire
from schemas.contrail.objects import ENTRY, LINK, ContrailObject, Entry, Json, Link, annotations_of, joined
from schemas.errors import Fenced, ModelError

logger = logging.getLogger(__name__)

Linked = Callable[[Row, Mapping[str, Json]], frozenset[str]]

_MACHINE = "virtual-machine"
_MACHINES = "virtual_machine_refs"
_DONE = Outcome(Verdict.DONE)
_LATE = Outcome(Verdict.LATE, "not sent: it is not certain that this applier still holds the object's shard")
_ADOPT = "`python -m applier adopt` takes it over"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one attempt; `live` holds the object's fields as Contrail has them, where they were read."""

    outcome: Outcome
    live: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class OwnerMark:
    """The annotations by which our objects are known among others': 'owner' and 'cluster'."""

    owner: str
    cluster: str

    def is_on(self, live: Mapping[str, Json]) -> bool:
        """Whether the object carries this mark."""
        return owner_of(live) == (self.owner, self.cluster)


def owner_of(live: Mapping[str, Json]) -> tuple[str, str] | None:
    """Owner and cluster in the annotations of an object of Contrail, '' for one that is missing; None for neither."""
    return mark_of(annotations_of(live))


def mark_of(pairs: Mapping[str, str]) -> tuple[str, str] | None:
    """The same of annotations by key."""
    if pairs.keys().isdisjoint(("owner", "cluster")):
        return None
    return pairs.get("owner", ""), pairs.get("cluster", "")


class Writer:
    """Applies rows, one call of `apply` each; raises ContrailUnavailable when an answer is missing. Thread-safe.

    Before anything that writes is sent, `may_write` is asked whether the rows are still ours to apply. `linked` tells
    the uuids of what links refer to from a row's object as Contrail has it (applier/links.py); it may raise
    StoreUnavailable. `nested` finds the places of sub-interfaces (applier/nested.py).
    """

    def __init__(
        self,
        client: ContrailClient,
        *,
        owners: Owners,
        mark: OwnerMark,
        nested: SubInterfaces | None = None,
        linked: Linked = lambda row, live: frozenset(),
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self._client = client
        self._nested = nested
        self._linked = linked
        self._may_write = may_write
        self._owners = owners
        self._mark = mark
        self._entries = EntryWriter(client, owners=owners, write=self._write)

    def apply(self, row: Row) -> Attempt:
        """Make Contrail have, or no longer have, what the row says."""
        try:
            if row.type == LINK:
                return Attempt(self._apply_link(row, Link.from_body(row.body)))
            if row.type == ENTRY:
                return Attempt(self._entries.apply(row, Entry.from_body(row.body)))
            if row.absent:
                return Attempt(self._delete(row))
            desired = ContrailObject.from_body(row.type, row.contrail_fq_name, row.contrail_uuid, row.body)
            if row.alias is None and not row.in_place:
                return self._make(row, desired)
            if desired.trunk is not None and place_of(desired) is None:
                return self._located(row, desired)
            return self._update(row, desired, may_create=row.alias is None)
        except ModelError as error:
            return Attempt(Outcome(Verdict.INVALID, str(error)))

    def _make(self, row: Row, desired: ContrailObject) -> Attempt:
        """Create an object that Contrail does not have; of a sub-interface, where its node's interface is now."""
        if desired.trunk is None or self._nested is None:
            return self._create(row, desired, row.address)
        made = self._nested.made(row, desired, lambda it: self._create(row, it, row.address), lambda a: a.outcome)
        return Attempt(made) if isinstance(made, Outcome) else made

    def _located(self, row: Row, desired: ContrailObject) -> Attempt:
        """Update a sub-interface that Contrail has, and of which the store knows no place: adopted, or lost."""
        if self._nested is None:
            return self._update(row, desired, may_create=row.alias is None)
        update = partial(self._update, may_create=row.alias is None)
        done = self._nested.placed(row, desired, lambda it: update(row, it), afresh=True)
        return Attempt(done) if isinstance(done, Outcome) else done

    def _create(self, row: Row, desired: ContrailObject, address: str | None) -> Attempt:
        fields = wire.create_fields(desired)
        if address:  # of an object made anew: a pod runs with it, or a service is known by it
            fields.setdefault(ADDRESS[desired.type], address)
        outcome = self._write(Call.CREATE, partial(self._client.create, desired.type, fields))
        if address and is_address_refused(outcome):
            _warn_of_another_address(desired, address, outcome)
            return self._create(row, desired, None)
        if outcome.verdict is not Verdict.EXISTS:
            return Attempt(outcome)
        if outcome.uuid == desired.uuid:
            # Ours: an earlier attempt did the work, and its answer or our record of it was lost.
            return self._update(row, desired, may_create=False)
        return Attempt(self._holder_of_the_name(desired, str(outcome.uuid)))

    def _update(self, row: Row, desired: ContrailObject, *, may_create: bool = True) -> Attempt:
        wanted = wire.update_fields(desired)
        managed = managed_fields(desired.type, row.alias)
        fields = {*managed, *wanted, *ADDRESS_FIELDS.get(desired.type, ())}
        answer = self._client.read(desired.type, desired.uuid, sorted(fields))
        outcome = classify(Call.READ, answer)
        if outcome.verdict is Verdict.DONE:
            live = answer.json[desired.type]
            if tuple(live["fq_name"]) != desired.fq_name:
                return Attempt(_taken(desired, f"uuid {desired.uuid} belongs to {joined(live['fq_name'])}"))
            if desired.trunk is not None and self._nested is not None and not may_create and row.alias is None:
                # Made by an attempt that was forgotten: perhaps under another tag than the one given now.
                as_it_is = self._nested.as_it_is(row, desired, live)
                if isinstance(as_it_is, Outcome):
                    return Attempt(as_it_is, live)
                wanted = wire.update_fields(as_it_is)
            changes = difference(wanted, live, managed)
            if changes and (linked := self._linked(row, live)):
                changes = difference(wanted, live, managed, linked)
            if not changes:
                return Attempt(_DONE, live)
            outcome = self._write(Call.UPDATE, partial(self._client.update, desired.type, desired.uuid, changes))
            if outcome.verdict is not Verdict.GONE:
                return Attempt(outcome, live)
        if outcome.verdict is Verdict.GONE:
            if may_create:
                return self._make(row, desired)
            if row.alias is not None:
                reason = f"{desired.type} {joined(desired.fq_name)}, which was adopted, is gone from Contrail"
                return Attempt(Outcome(Verdict.LOST, reason))
            reason = f"{desired.type} {joined(desired.fq_name)} is said to exist, but cannot be read yet"
            return Attempt(Outcome(Verdict.RETRY, reason))
        return Attempt(outcome)

    def _holder_of_the_name(self, desired: ContrailObject, uuid: str) -> Outcome:
        answer = self._client.read(desired.type, uuid, ("annotations",))
        outcome = classify(Call.READ, answer)
        if outcome.verdict is Verdict.GONE:
            return Outcome(Verdict.RETRY, f"uuid {uuid} is said to hold the name, but cannot be read")
        if outcome.verdict is not Verdict.DONE:
            return outcome
        if self._mark.is_on(answer.json[desired.type]):
            why = f"uuid {uuid} holds the name; it carries our owner mark, but this store did not make it"
            return _taken(desired, f"{why}: {_ADOPT}")
        why = f"uuid {uuid} holds the name, and is not ours; it is left alone"
        if owner_of(answer.json[desired.type]) is None:
            why += f" (it carries no mark at all: if contrail-kube-manager made it, {_ADOPT})"
        return _taken(desired, why)

    def _delete(self, row: Row) -> Outcome:
        if row.type == ROUTER and (held := self._machines_on(row)):
            return held
        send = partial(self._client.delete, row.type, row.contrail_uuid)
        outcome = self._write(Call.DELETE, send)
        if outcome.verdict is Verdict.HELD and self._unlink(row, _loose(row, outcome.holders)):
            outcome = self._write(Call.DELETE, send)
        return _DONE if outcome.verdict is Verdict.GONE else outcome

    def _machines_on(self, row: Row) -> Outcome | None:
        """That a node has machines still, whoever put them there; Contrail would delete its router all the same."""
        answer = self._client.read(ROUTER, row.contrail_uuid, (_MACHINES,))
        outcome = classify(Call.READ, answer)
        if outcome.verdict is Verdict.GONE:
            return None
        if outcome.verdict is not Verdict.DONE:
            return outcome
        machines = answer.json[ROUTER].get(_MACHINES) or ()
        holders = tuple((_MACHINE, ref["uuid"]) for ref in machines)
        return Outcome(Verdict.HELD, "not deleted: it has machines still", holders=holders) if holders else None

    def _unlink(self, row: Row, holders: Iterable[tuple[str, str]]) -> bool:
        """Take an object that goes from these (type, uuid), which refer to it; whether there are any.

        All links that the store knows of are gone by now: else the plan does not come to the object.
        """
        found = list(holders)
        for type_, uuid in found:
            body = wire.ref_delete(type_, uuid, row.type, row.contrail_uuid)
            send = partial(self._client.ref_update, body)
            if self._write(Call.LINK, send).verdict is not Verdict.DONE:
                return False
        return bool(found)

    def _apply_link(self, row: Row, link: Link) -> Outcome:
        found = self._owners.find(link)
        outcome = self._update_reference(row, link, found)
        if outcome.verdict is Verdict.GONE and found.uuid is not None and outcome.uuid == found.uuid:
            self._owners.forget(link)  # the owner was made anew, or is gone: what we remembered is out of date
            found = self._owners.find(link)
            outcome = self._update_reference(row, link, found)
        if outcome.verdict is not Verdict.GONE:
            return outcome
        if row.absent:
            return _DONE  # a reference from or to nothing is no reference
        if found.uuid is None or outcome.uuid == found.uuid:
            said = found.outcome.reason if link.trunk is not None and found.uuid is None else _missing_owner(link)
            return Outcome(Verdict.WAIT, said, foreign=True)
        return Outcome(Verdict.WAIT, f"{link.target_type} {joined(link.target_fq_name)} is not in Contrail")

    def _update_reference(self, row: Row, link: Link, found: Found) -> Outcome:
        if found.uuid is None:
            return found.outcome
        body = wire.ref_update(link, found.uuid, wire.DELETE if row.absent else wire.ADD)
        return self._write(Call.LINK, partial(self._client.ref_update, body))

    def _write(self, call: Call, send: Callable[..., Answer]) -> Outcome:
        try:
            return classify(call, send(may_send=self._may_write))
        except Fenced:
            return _LATE


def _taken(desired: ContrailObject, why: str) -> Outcome:
    return Outcome(Verdict.TAKEN, f"{desired.type} {joined(desired.fq_name)} exists already: {why}")


def _warn_of_another_address(desired: ContrailObject, address: str, outcome: Outcome) -> None:
    said = annotations_of(desired.properties)
    logger.warning(
        "%s of %s %s/%s had address %s and gets another one%s: %s",
        f"{desired.type} {joined(desired.fq_name)}",
        said.get("kind", "resource"),
        said.get("namespace", ""),
        said.get("name", ""),
        address,
        "" if desired.type == FLOATING_IP else ", so that the pod must be restarted",
        outcome.reason,
    )


def _loose(row: Row, holders: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Holders that refer by themselves to what goes: nodes to machines, and an interface to its sub-interfaces."""
    if row.type == _MACHINE:
        return [(type_, uuid) for type_, uuid in holders if type_ == ROUTER]
    parents = {r["uuid"] for r in row.body.get("references") or () if r["type"] == row.type == INTERFACE}
    return [(type_, uuid) for type_, uuid in holders if type_ == INTERFACE and uuid in parents]


def _missing_owner(link: Link) -> str:
    if link.owner_type == "virtual-router":
        return f"virtual-router of node {link.owner_fq_name[-1]} is not registered in Contrail"
    return f"{link.owner_type} {joined(link.owner_fq_name)} is not in Contrail"
