"""Takes an orphan entry out of its owner's property (shell): read, write all but that entry.

It takes turns with the applier of this process. One of another process, or another cluster's, may lose an entry that it
puts there in between; its own second read, or the next audit, finds it.
"""

from __future__ import annotations

from applier import entries
from applier.audit.calls import Calls
from applier.audit.guards import Orphan
from applier.outcome import Call, Outcome, Verdict
from applier.turns import turn
from schemas.contrail.objects import Entry, joined

_GONE = Outcome(Verdict.GONE)


def take_out(calls: Calls, orphan: Orphan) -> Outcome:
    """What came of it; GONE if the entry, or its owner, is not there any more."""
    entry = entry_of(orphan)
    with turn(entry.owner_type, joined(entry.owner_fq_name)):
        asked = entry.owner_type, entry.owner_fq_name
        outcome, answer = calls.attempt(Call.LOOKUP, lambda client: client.fqname_to_id(*asked))
        if outcome.verdict is not Verdict.DONE or answer is None:
            return outcome
        return _take_out(calls, entry, answer.json["uuid"])


def entry_of(orphan: Orphan) -> Entry:
    """The entry that the finding names; what it says is not known (pure)."""
    owner_type, *owner, name, key = orphan.fq_name.split(":")
    return Entry(owner_type, tuple(owner), name, key, {})


def _take_out(calls: Calls, entry: Entry, owner: str) -> Outcome:
    type_, name = entry.owner_type, entry.property_name
    outcome, answer = calls.attempt(Call.READ, lambda client: client.read(type_, owner, (name,)))
    if outcome.verdict is not Verdict.DONE or answer is None:
        return outcome
    left = entries.without_entry(entry, answer.json[type_].get(name))
    if left is None:
        return _GONE
    return calls.attempt(Call.UPDATE, lambda client: client.update(type_, owner, {name: left}))[0]
