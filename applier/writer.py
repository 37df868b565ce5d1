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
from applier.observe import ADDRESS, ADDRESS_FIELDS, FLOATING_IP
from applier.outcome import Call, Outcome, Verdict, classify, is_address_refused
from applier.owners import ROUTER, Found, Owners
from applier.rows import Row
from schemas.contrail import wire
from schemas.contrail.objects import ENTRY, LINK, ContrailObject, Entry, Json, Link, annotations_of, joined
from schemas.errors import Fenced, ModelError

logger = logging.getLogger(__name__)

Linked = Callable[[Row, Mapping[str, Json]], frozenset[str]]

_MACHINE = "virtual-machine"
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
    StoreUnavailable.
    """

    def __init__(
        self,
        client: ContrailClient,
        *,
        owners: Owners,
        mark: OwnerMark,
        linked: Linked = lambda row, live: frozenset(),
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self._client = client
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
            if row.alias is not None:
                return self._update(row, desired, may_create=False)
            return self._update(row, desired) if row.in_place else self._create(row, desired, row.address)
        except ModelError as error:
            return Attempt(Outcome(Verdict.INVALID, str(error)))

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
                return self._create(row, desired, row.address)
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
        send = partial(self._client.delete, row.type, row.contrail_uuid)
        outcome = self._write(Call.DELETE, send)
        if outcome.verdict is Verdict.HELD and row.type == _MACHINE and self._unlink(row, outcome.holders):
            outcome = self._write(Call.DELETE, send)
        return _DONE if outcome.verdict is Verdict.GONE else outcome

    def _unlink(self, row: Row, holders: Iterable[tuple[str, str]]) -> bool:
        """Take a machine that goes from the nodes on which Contrail still has it; whether there are any.

        All links that the store knows of are gone by now: else the plan does not come to the machine.
        """
        routers = [uuid for type_, uuid in holders if type_ == ROUTER]
        for router in routers:
            body = wire.ref_delete(ROUTER, router, row.type, row.contrail_uuid)
            send = partial(self._client.ref_update, body)
            if self._write(Call.LINK, send).verdict is not Verdict.DONE:
                return False
        return bool(routers)

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
            return Outcome(Verdict.WAIT, _missing_owner(link), foreign=True)
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


def _missing_owner(link: Link) -> str:
    if link.owner_type == "virtual-router":
        return f"virtual-router of node {link.owner_fq_name[-1]} is not registered in Contrail"
    return f"{link.owner_type} {joined(link.owner_fq_name)} is not in Contrail"
