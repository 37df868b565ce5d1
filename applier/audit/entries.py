"""Compares the entries that the store wants with those in their owners' properties (shell).

Entries carry no mark: one that nothing wants is an orphan if its key is one that this cluster's services have, and else
nobody's business here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from applier import entries
from applier.audit import scratch
from applier.audit.judge import differs, missing
from applier.audit.session import Session
from applier.audit.values import Finding, Live, Problem, Wanted
from applier.writer import OwnerMark
from schemas.contrail.entries import LINK_LOCAL, entry_rule, service_of_key
from schemas.contrail.objects import ENTRY, Entry, joined, parted

Pages = Callable[[str, Sequence[str]], Iterable[Sequence[Live]]]
"""All objects of a type with these fields, page by page."""

_PLACES = text("""
    SELECT DISTINCT body #>> '{owner,type}' AS owner, body ->> 'property' AS property FROM desired_object
    WHERE cluster = :cluster AND type = 'entry' AND NOT absent
""")
_UUIDS = text("SELECT uuid::text FROM desired_object WHERE cluster = :cluster AND type = 'entry' AND NOT absent")
_KNOWN = text("SELECT uuid::text FROM desired_object WHERE uuid = ANY(CAST(:uuids AS uuid[]))")


def findings_of_entries(session: Session, pages: Pages, *, mark: OwnerMark, began: datetime) -> list[Finding]:
    """What is wrong with the entries; looked at twice where anything is, because a list may be out of date."""
    places = session.run("read places of entries", _places, mark.cluster)
    found: list[Finding] = []
    for _ in range(2):
        owners = {
            (live.type, live.fq_name): live
            for owner, names in places.items()
            for page in pages(owner, sorted(names))
            for live in page
        }
        rows = session.run("read entries", _settled, mark.cluster, began)
        found = [finding for wanted in rows if (finding := judge_entry(wanted, owners)) is not None]
        ours = [entry for live in owners.values() for entry in of_services(live, mark.cluster)]
        known = session.run("ask for entries", _known, [entry.uuid for entry in ours])
        found += [orphan(entry, mark) for entry in ours if entry.uuid not in known]
        if not found:
            break
    return found


def judge_entry(wanted: Wanted, owners: Mapping[tuple[str, str], Live]) -> Finding | None:
    """What is wrong with an entry, given the owners by type and colon-joined name (pure)."""
    entry = Entry.from_body(wanted.row.body)
    owner = owners.get((entry.owner_type, joined(entry.owner_fq_name)))
    found = [] if owner is None else entries.elements(entry, owner.fields.get(entry.property_name))
    if entries.is_there(entry, found):
        return None
    if (other := entries.differing(entry, found)) is not None:
        return differs(wanted, {entry.key: [dict(entry.value), dict(other)]})
    return missing(wanted)


def of_services(live: Live, cluster: str) -> list[Entry]:
    """Entries of an owner whose keys are those of this cluster's services (pure)."""
    type_, name = LINK_LOCAL
    if live.type != type_:
        return []
    rule = entry_rule(type_, name)
    found = (live.fields.get(name) or {}).get(rule.items) or ()
    keys = {str(each.get(rule.key)): each for each in found}
    owner = parted(type_, live.fq_name)
    return [Entry(type_, owner, name, key, each) for key, each in keys.items() if service_of_key(cluster, key)]


def orphan(entry: Entry, mark: OwnerMark) -> Finding:
    """The finding of an entry that has a key of ours, and that nothing wants (pure)."""
    namespace, service = service_of_key(mark.cluster, entry.key) or ("", "")
    made_for = {"owner": mark.owner, "cluster": mark.cluster, "kind": "Service"}
    detail = {"annotations": {**made_for, "namespace": namespace, "name": service}, "needs": {}}
    reason = "has a key of ours, and nothing in the store wants it"
    return Finding(entry.uuid, ENTRY, joined(entry.fq_name), namespace, Problem.ORPHAN, reason, detail)


def _known(connection: Connection, uuids: Sequence[str]) -> set[str]:
    return set(connection.scalars(_KNOWN, {"uuids": list(uuids)})) if uuids else set()


def _places(connection: Connection, cluster: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {LINK_LOCAL[0]: {LINK_LOCAL[1]}}  # where orphans may be, whatever is wanted
    for owner, name in connection.execute(_PLACES, {"cluster": cluster}):
        found.setdefault(owner, set()).add(name)
    return found


def _settled(connection: Connection, cluster: str, began: datetime) -> list[Wanted]:
    uuids = list(connection.scalars(_UUIDS, {"cluster": cluster}))
    rows = scratch.settled_rows(connection, uuids, cluster, began) if uuids else []
    return [wanted for wanted in rows if wanted.row.type == ENTRY]
