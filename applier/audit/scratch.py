"""What one audit has listed so far, beside what the store wants (shell; SQL).

Contrail is asked first, the store second: a row that became settled only after the listing began is not judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, text

from applier.audit.values import Finding, Live, LiveLink, Wanted
from applier.links import beside, made_by_links
from applier.rows import Row
from applier.work import as_contrail_knows

SETTLED = """
    d.cluster = :cluster AND NOT d.absent AND a.status = 'applied' AND a.applied_generation = a.desired_generation
    AND a.updated_at < :began
"""
"""SQL, of desired_object d and apply_state a: ours, and in Contrail in its newest generation before the audit began."""
_WANTED = f"""
    SELECT d.uuid::text AS uuid, d.shard, d.type, d.fq_name, d.namespace, d.body::text AS body, d.generation, d.absent,
           a.applied_generation, coalesce({SETTLED}, false) AS settled
    FROM desired_object d LEFT JOIN apply_state a ON a.object_uuid = d.uuid
"""
_BY_CONTRAILS_UUID = text(f"""
    {_WANTED}
    WHERE d.uuid = ANY(CAST(:uuids AS uuid[]))
       OR d.uuid IN (SELECT x.uuid FROM adopted_object x WHERE x.contrail_uuid = ANY(CAST(:uuids AS uuid[])))
""")
_BY_UUID = text(f"{_WANTED} WHERE d.uuid = ANY(CAST(:uuids AS uuid[]))")
_OURS = text("""
    SELECT uuid::text, type, fq_name FROM desired_object
    WHERE uuid = ANY(CAST(:uuids AS uuid[])) AND cluster = :cluster
    UNION ALL
    SELECT x.contrail_uuid::text, d.type, d.fq_name FROM adopted_object x JOIN desired_object d ON d.uuid = x.uuid
    WHERE x.contrail_uuid = ANY(CAST(:uuids AS uuid[])) AND x.cluster = :cluster
""")
_NOTE_SEEN = text("INSERT INTO audit_seen SELECT unnest(CAST(:uuids AS uuid[])) ON CONFLICT DO NOTHING")
_FORGET = text("TRUNCATE audit_seen, audit_candidate")
_FORGET_REFERENCES = text("TRUNCATE audit_reference")
_UNSEEN = text(f"""
    INSERT INTO audit_candidate
    SELECT d.uuid FROM desired_object d JOIN apply_state a ON a.object_uuid = d.uuid
    LEFT JOIN adopted_object x ON x.uuid = d.uuid
    WHERE d.type = :type AND {SETTLED}
      AND NOT EXISTS (SELECT FROM audit_seen s WHERE s.uuid = coalesce(x.contrail_uuid, d.uuid))
""")
_NOTE_REFERENCES = text("""
    INSERT INTO audit_reference
    SELECT r.owner_type, r.owner_uuid, r.owner_fq_name, r.owner_address, r.target_uuid, r.attr
    FROM json_to_recordset(CAST(:rows AS json)) r(
        owner_type text, owner_uuid uuid, owner_fq_name text, owner_address text, target_uuid uuid, attr jsonb)
""")
# Only those that a plain comparison does not find as they are: few, unless Contrail was wiped. judge_link decides.
_UNMATCHED = text(f"""
    INSERT INTO audit_candidate
    SELECT d.uuid FROM desired_object d JOIN apply_state a ON a.object_uuid = d.uuid
    LEFT JOIN adopted_object target ON target.uuid = CAST(d.body #>> '{{target,uuid}}' AS uuid)
    LEFT JOIN adopted_object owner ON owner.uuid = CAST(d.body #>> '{{owner,uuid}}' AS uuid)
    WHERE d.type = 'link' AND {SETTLED}
      AND NOT EXISTS (
        SELECT FROM audit_reference r
        WHERE r.target_uuid = coalesce(target.contrail_uuid, CAST(d.body #>> '{{target,uuid}}' AS uuid))
          AND r.owner_type = d.body #>> '{{owner,type}}'
          AND coalesce(r.attr, 'null') = coalesce(d.body -> 'attr', 'null')
          AND CASE WHEN d.body #>> '{{owner,uuid}}' IS NOT NULL
                   THEN r.owner_uuid = coalesce(owner.contrail_uuid, CAST(d.body #>> '{{owner,uuid}}' AS uuid))
                   ELSE r.owner_fq_name = array_to_string(
                            ARRAY(SELECT jsonb_array_elements_text(d.body #> '{{owner,fq_name}}')), ':') END)
""")
_CANDIDATES = text("""
    SELECT uuid::text FROM audit_candidate WHERE uuid > CAST(:after AS uuid) ORDER BY uuid LIMIT :limit
""")
_REFERENCES = text("""
    SELECT owner_type, owner_uuid::text, owner_fq_name, owner_address, target_uuid::text, attr
    FROM audit_reference WHERE target_uuid = ANY(CAST(:uuids AS uuid[]))
""")
_LINKED_TYPES = text("""
    SELECT DISTINCT body #>> '{owner,type}' AS owner, body #>> '{target,type}' AS target FROM desired_object
    WHERE cluster = :cluster AND type = 'link' AND NOT absent
""")
_TYPES = text("""
    SELECT type, count(*) AS objects FROM desired_object WHERE cluster = :cluster AND NOT absent GROUP BY type
""")
_NOTE_FOUND = text("""
    INSERT INTO audit_found
    SELECT f.uuid, f.type, f.fq_name, f.namespace, f.problem, f.reason, f.detail
    FROM json_to_recordset(CAST(:rows AS json)) f(
        uuid uuid, type text, fq_name text, namespace text, problem text, reason text, detail jsonb)
    ON CONFLICT DO NOTHING
""")
_NOW = text("SELECT clock_timestamp()")
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
NOTHING = "00000000-0000-0000-0000-000000000000"
"""Before every uuid."""


def now(connection: Connection) -> datetime:
    """The database's time."""
    found: datetime = connection.scalars(_NOW).one()
    return found


def wanted_types(connection: Connection, cluster: str) -> dict[str, int]:
    """Number of wanted objects by type, 'link' among them."""
    return {row.type: row.objects for row in connection.execute(_TYPES, {"cluster": cluster})}


def linked_types(connection: Connection, cluster: str) -> dict[str, set[str]]:
    """Types of links' targets by type of their owners."""
    found: dict[str, set[str]] = {}
    for owner, target in connection.execute(_LINKED_TYPES, {"cluster": cluster}):
        found.setdefault(owner, set()).add(target)
    return found


def wanted_of(connection: Connection, uuids: Sequence[str], cluster: str, began: datetime) -> dict[str, Wanted]:
    """Rows that these objects of Contrail serve, of whatever cluster, by Contrail's uuid."""
    scope = {"uuids": uuids, "cluster": cluster, "began": began}
    found = _wanted(connection, connection.execute(_BY_CONTRAILS_UUID, scope))
    return {wanted.row.contrail_uuid: wanted for wanted in found}


def settled_rows(connection: Connection, uuids: Sequence[str], cluster: str, began: datetime) -> list[Wanted]:
    """Those of these rows of the store, by their own uuids, that are settled."""
    scope = {"uuids": uuids, "cluster": cluster, "began": began}
    return [wanted for wanted in _wanted(connection, connection.execute(_BY_UUID, scope)) if wanted.settled]


def with_links(connection: Connection, pairs: Iterable[tuple[Live, Wanted]]) -> list[tuple[Live, Wanted]]:
    """Objects beside their rows, these with what Links refer to from them."""
    found = [(live, wanted, beside(wanted.row, live.fields)) for live, wanted in pairs]
    made = made_by_links(connection, {each for *_, references in found for each in references})
    return [
        (live, replace(wanted, linked=frozenset(each.target_uuid for each in made.intersection(references))))
        for live, wanted, references in found
    ]


def ours(connection: Connection, uuids: Iterable[str], cluster: str) -> dict[str, str]:
    """Names of those of these objects of Contrail that serve this cluster, by uuid."""
    rows = connection.execute(_OURS, {"uuids": sorted(set(uuids)), "cluster": cluster})
    return {uuid: f"{type_} {fq_name}" for uuid, type_, fq_name in rows}


def note_seen(connection: Connection, page: Sequence[Live]) -> None:
    """Remember that Contrail has these."""
    connection.execute(_NOTE_SEEN, {"uuids": [live.uuid for live in page]})


def note_found(connection: Connection, findings: Iterable[Finding]) -> None:
    """Remember findings until the audit is complete."""
    names = ("uuid", "type", "fq_name", "namespace", "problem", "reason", "detail")
    rows = [{name: getattr(finding, name) for name in names} for finding in findings]
    if rows:
        connection.execute(_NOTE_FOUND, {"rows": _json(rows)})


def note_references(connection: Connection, references: Iterable[LiveLink]) -> None:
    """Remember references from owners of links."""
    if rows := list(references):
        connection.execute(_NOTE_REFERENCES, {"rows": _json(rows)})


def gather_unseen(connection: Connection, type_: str, cluster: str, began: datetime) -> int:
    """Make candidates of the settled rows of a type that Contrail did not show; returns how many there are."""
    return connection.execute(_UNSEEN, {"type": type_, "cluster": cluster, "began": began}).rowcount


def gather_unmatched(connection: Connection, cluster: str, began: datetime) -> int:
    """Make candidates of the settled links that no noted reference is; returns how many there are."""
    return connection.execute(_UNMATCHED, {"cluster": cluster, "began": began}).rowcount


def candidates(connection: Connection, after: str, limit: int) -> list[str]:
    """The next candidates after this uuid."""
    return list(connection.scalars(_CANDIDATES, {"after": after, "limit": limit}))


def references_to(connection: Connection, uuids: Sequence[str]) -> list[LiveLink]:
    """Noted references to these targets."""
    return [LiveLink(*row) for row in connection.execute(_REFERENCES, {"uuids": uuids})]


def forget_type(connection: Connection) -> None:
    """Begin with another type."""
    connection.execute(_FORGET)


def forget_references(connection: Connection) -> None:
    """Begin to list the owners of links."""
    connection.execute(_FORGET_REFERENCES)


def _wanted(connection: Connection, result: Iterable[Any]) -> list[Wanted]:
    found = [(_row(r), r.namespace, r.settled) for r in result]
    known = as_contrail_knows(connection, [row for row, *_ in found])
    return [Wanted(row, *rest) for row, (_, *rest) in zip(known, found, strict=True)]


def _row(r: Any) -> Row:
    return Row(
        uuid=r.uuid,
        shard=r.shard,
        type=r.type,
        fq_name=r.fq_name,
        body=msgspec.json.decode(r.body),
        generation=r.generation,
        absent=r.absent,
        applied_generation=r.applied_generation,
    )


def _json(rows: Sequence[Any]) -> str:
    # PostgreSQL's JSON takes no NUL in texts, and what Contrail holds may have one.
    return _NUL.sub(r"\1?", msgspec.json.encode(rows).decode())
