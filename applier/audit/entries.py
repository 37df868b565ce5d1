"""Compares the entries that the store wants with those in their owners' properties (shell).

Only what the store wants is looked for: entries of others are nobody's business here, whatever they are named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from applier import entries
from applier.audit import scratch
from applier.audit.judge import differs, missing
from applier.audit.session import Session
from applier.audit.values import Finding, Live, Wanted
from schemas.contrail.objects import ENTRY, Entry, joined

Pages = Callable[[str, Sequence[str]], Iterable[Sequence[Live]]]
"""All objects of a type with these fields, page by page."""

_PLACES = text("""
    SELECT DISTINCT body #>> '{owner,type}' AS owner, body ->> 'property' AS property FROM desired_object
    WHERE cluster = :cluster AND type = 'entry' AND NOT absent
""")
_UUIDS = text("SELECT uuid::text FROM desired_object WHERE cluster = :cluster AND type = 'entry' AND NOT absent")


def findings_of_entries(session: Session, pages: Pages, *, cluster: str, began: datetime) -> list[Finding]:
    """What is wrong with the entries; looked at twice where anything is, because a list may be out of date."""
    places = session.run("read places of entries", _places, cluster)
    found: list[Finding] = []
    for _ in range(2):
        owners = {
            (live.type, live.fq_name): live
            for owner, names in places.items()
            for page in pages(owner, sorted(names))
            for live in page
        }
        rows = session.run("read entries", _settled, cluster, began)
        found = [finding for wanted in rows if (finding := judge_entry(wanted, owners)) is not None]
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


def _places(connection: Connection, cluster: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for owner, name in connection.execute(_PLACES, {"cluster": cluster}):
        found.setdefault(owner, set()).add(name)
    return found


def _settled(connection: Connection, cluster: str, began: datetime) -> list[Wanted]:
    uuids = list(connection.scalars(_UUIDS, {"cluster": cluster}))
    rows = scratch.settled_rows(connection, uuids, cluster, began) if uuids else []
    return [wanted for wanted in rows if wanted.row.type == ENTRY]
