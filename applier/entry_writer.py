"""Brings one entry into a property of an object that is not ours, or takes it out (shell).

Where the API changes entries one by one, that is one call, which may be repeated. Where it takes the property as a
whole only, the property is read, written with nothing but our entry changed, and read again. The API has nothing that
would refuse the write if somebody else wrote in between (`If-Match` is ignored), so what another writer puts there
between our read and our write is lost; what we lose to another is noticed by the second read, or else by an audit.
Calls for one owner take turns here, and all entries of a store are of one shard, so that this applier never races with
itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from applier import entries
from applier.answer import Answer
from applier.client import ContrailClient
from applier.outcome import Call, Outcome, Verdict, classify
from applier.owners import Found, Owners
from applier.rows import Row
from applier.turns import turn
from schemas.contrail import wire
from schemas.contrail.objects import Entry, Json, joined
from schemas.contrail.rules import check_entry

Write = Callable[[Call, Callable[..., Answer]], Outcome]

_DONE = Outcome(Verdict.DONE)
_TURNS = 3
"""Times that a property is written in one attempt, if somebody else writes it at the same time."""


class EntryWriter:
    """Applies rows of entries; raises ContrailUnavailable when an answer is missing, ModelError for what breaks the
    model. Thread-safe. `write` sends what changes something, if the shards are still ours."""

    def __init__(self, client: ContrailClient, *, owners: Owners, write: Write) -> None:
        self._client = client
        self._owners = owners
        self._write = write

    def apply(self, row: Row, entry: Entry) -> Outcome:
        """Make Contrail have, or no longer have, the entry."""
        check_entry(entry)
        with turn(entry.owner_type, joined(entry.owner_fq_name)):
            found = self._owners.find(entry)
            outcome = self._apply(row, entry, found)
            if outcome.verdict is Verdict.GONE and found.uuid is not None:
                self._owners.forget(entry)  # made anew, or gone: what we remembered is out of date
                outcome = self._apply(row, entry, self._owners.find(entry))
        if outcome.verdict is not Verdict.GONE:
            return outcome
        if row.absent:
            return _DONE  # what is gone has no entries
        return Outcome(
            Verdict.WAIT, f"{entry.owner_type} {joined(entry.owner_fq_name)} is not in Contrail", foreign=True
        )

    def _apply(self, row: Row, entry: Entry, found: Found) -> Outcome:
        if found.uuid is None:
            return found.outcome
        if not entries.rule_of(entry).is_collection:
            return self._rewrite(row, entry, found.uuid)
        body = wire.prop_collection_update(entry, found.uuid, absent=row.absent)
        return self._write(Call.ENTRY, partial(self._client.prop_collection_update, body))

    def _rewrite(self, row: Row, entry: Entry, owner: str) -> Outcome:
        live, outcome = self._read(entry, owner)
        for _ in range(_TURNS):
            if outcome.verdict is not Verdict.DONE:
                return outcome
            if not row.absent and (held := entries.holder(entry, entries.elements(entry, live))):
                why = f"the entry {held.key!r} has {held.what}, and is not ours; it is left alone"
                return Outcome(Verdict.TAKEN, f"{row.label} is not written: {why}")
            wanted = entries.without_entry(entry, live) if row.absent else entries.with_entry(entry, live)
            if wanted is None:
                return _DONE
            fields = {entry.property_name: wanted}
            outcome = self._write(Call.UPDATE, partial(self._client.update, entry.owner_type, owner, fields))
            if outcome.verdict is Verdict.DONE:
                live, outcome = self._read(entry, owner)
        found = entries.elements(entry, live)
        if outcome.verdict is Verdict.DONE and not self._is_so(row, entry, found):
            return Outcome(Verdict.RETRY, f"{row.label}: somebody else writes this property at the same time")
        return outcome

    def _read(self, entry: Entry, owner: str) -> tuple[Json, Outcome]:
        answer = self._client.read(entry.owner_type, owner, (entry.property_name,))
        outcome = classify(Call.READ, answer)
        if outcome.verdict is not Verdict.DONE:
            return None, outcome
        return answer.json[entry.owner_type].get(entry.property_name), outcome

    @staticmethod
    def _is_so(row: Row, entry: Entry, found: entries.Elements) -> bool:
        return entries.is_absent(entry, found) if row.absent else entries.is_there(entry, found)
