"""Loads unfinished work from the store, with all that the plan must know of it (shell; SQL).

Work is selected by state alone: what is not applied, not dead, and due. A missed wake-up costs time only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, TextClause, text

from applier import memberships
from applier.aliases import as_known, parent_named, uuids_named
from applier.rows import Alias, Edge, Neighbour, Row, label
from applier.vlan_tags import with_places

_COLUMNS = """
    d.uuid::text AS uuid, d.shard, d.type, d.fq_name, d.body::text AS body, a.desired_generation AS generation,
    d.absent, a.status, a.applied_generation, a.attempts,
    CASE WHEN d.type IN ('instance-ip', 'floating-ip') AND NOT d.absent
         THEN (SELECT o.body ->> 'address' FROM observed_object o WHERE o.uuid = d.uuid) END AS address
"""
_WANTED = """
    a.status <> 'applied' AND a.status <> 'dead' AND a.next_attempt_at <= now()
    AND (a.object_uuid, a.desired_generation) NOT IN (
        SELECT * FROM unnest(CAST(:held AS uuid[]), CAST(:generations AS bigint[])))
"""
# Shard by shard, so that the index gives the earliest of each without sorting the whole backlog.
_DUE = text(f"""
    SELECT {_COLUMNS}
    FROM (
        SELECT due.*
        FROM unnest(CAST(:shards AS integer[])) AS s(shard)
        CROSS JOIN LATERAL (
            SELECT a.* FROM apply_state a JOIN desired_object d ON d.uuid = a.object_uuid AND d.cluster = :cluster
            WHERE a.shard = s.shard AND {_WANTED} ORDER BY a.next_attempt_at LIMIT :most_of_one
        ) due
        ORDER BY due.next_attempt_at LIMIT :limit
    ) a
    JOIN desired_object d ON d.uuid = a.object_uuid
""")
_NAMED = text(f"""
    SELECT {_COLUMNS} FROM apply_state a JOIN desired_object d ON d.uuid = a.object_uuid
    WHERE d.cluster = :cluster AND a.shard = ANY(CAST(:shards AS integer[])) AND {_WANTED}
      AND a.object_uuid = ANY(CAST(:uuids AS uuid[]))
""")
_NEXT = text("""
    SELECT extract(epoch FROM min(a.next_attempt_at) - now())::float8 AS seconds
    FROM unnest(CAST(:shards AS integer[])) AS s(shard)
    CROSS JOIN LATERAL (
        SELECT next_attempt_at FROM apply_state
        WHERE shard = s.shard AND status <> 'applied' AND next_attempt_at > now()
        ORDER BY next_attempt_at LIMIT 1
    ) a
    WHERE a.next_attempt_at < 'infinity'
""")

_END = """
    e.from_uuid::text, e.to_uuid::text, e.relation = 'after', n.uuid::text, n.type, n.fq_name, n.absent,
    a.applied_generation IS NOT NULL AS in_place, a.status = 'applied' AS settled,
    a.status <> 'applied' AND a.status <> 'dead' AND a.next_attempt_at <= now() AS due
"""
_TARGETS = text(f"""
    SELECT {_END}
    FROM desired_edge e JOIN desired_object n ON n.uuid = e.to_uuid JOIN apply_state a ON a.object_uuid = n.uuid
    WHERE e.from_uuid = ANY(CAST(:uuids AS uuid[]))
    UNION ALL
    SELECT e.from_uuid::text, e.to_uuid::text, true, e.to_uuid::text, 'object', e.to_uuid::text, false, false, false,
           false
    FROM desired_edge e
    WHERE e.from_uuid = ANY(CAST(:uuids AS uuid[])) AND e.relation = 'after'
      AND NOT EXISTS (SELECT FROM desired_object n WHERE n.uuid = e.to_uuid)
""")
_REFERRERS = text(f"""
    SELECT {_END}
    FROM desired_edge e JOIN desired_object n ON n.uuid = e.from_uuid JOIN apply_state a ON a.object_uuid = n.uuid
    WHERE e.to_uuid = ANY(CAST(:uuids AS uuid[])) LIMIT :most
""")
# What goes, goes before that changes which had to stand first.
_LAST = text(f"""
    SELECT {_END}
    FROM desired_edge e JOIN desired_object n ON n.uuid = e.from_uuid AND n.absent
    JOIN apply_state a ON a.object_uuid = n.uuid
    WHERE e.relation = 'after' AND e.to_uuid = ANY(CAST(:uuids AS uuid[])) LIMIT :most
""")
_LEAVING = text("""
    SELECT NULL, NULL, false, n.uuid::text, n.type, n.fq_name, n.absent,
           a.applied_generation IS NOT NULL AS in_place, false AS settled,
           a.status <> 'dead' AND a.next_attempt_at <= now() AS due
    FROM desired_object d
    JOIN desired_object n ON n.type = d.type AND n.fq_name = d.fq_name AND n.absent
    JOIN apply_state a ON a.object_uuid = n.uuid
    WHERE d.uuid = ANY(CAST(:uuids AS uuid[])) AND NOT d.absent
""")
# An address goes back to the pool when its instance-ip is deleted, so the node must have let go of the port before:
# the link from the node counts as needing the address.
_UNLINKS = text("""
    SELECT link.uuid::text, iip.from_uuid::text, false, link.uuid::text, link.type, link.fq_name, link.absent,
           a.applied_generation IS NOT NULL AS in_place, false AS settled,
           a.status <> 'dead' AND a.next_attempt_at <= now() AS due
    FROM desired_edge iip
    JOIN desired_edge vmi ON vmi.from_uuid = iip.to_uuid
    JOIN desired_object machine ON machine.uuid = vmi.to_uuid AND machine.type = 'virtual-machine'
    JOIN desired_edge vm ON vm.to_uuid = machine.uuid
    JOIN desired_object link ON link.uuid = vm.from_uuid AND link.type = 'link' AND link.absent
    JOIN apply_state a ON a.object_uuid = link.uuid
    WHERE iip.from_uuid = ANY(CAST(:uuids AS uuid[]))
""")
_ANY_ALIAS = text("SELECT EXISTS (SELECT 1 FROM adopted_object)")
_ALIASES = text("""
    SELECT a.uuid::text AS uuid, d.type, d.fq_name, a.contrail_uuid::text AS contrail_uuid, a.contrail_fq_name, a.kept
    FROM adopted_object a JOIN desired_object d ON d.uuid = a.uuid
    WHERE a.uuid = ANY(CAST(:uuids AS uuid[]))
""")
_ALIASES_OF_PARENTS = text("""
    SELECT a.uuid::text AS uuid, d.type, d.fq_name, a.contrail_uuid::text AS contrail_uuid, a.contrail_fq_name, a.kept
    FROM adopted_object a JOIN desired_object d ON d.uuid = a.uuid
    WHERE d.type = 'instance-ip' AND d.fq_name = ANY(CAST(:names AS text[])) AND NOT d.absent
""")
_MOST_REFERRERS = 20_000
"""Referrers looked at for the deletes of one load: beyond, Contrail's 409 says what is left."""
_ROUNDS = 10
"""Depth to which what is needed is fetched besides what was due first; Contrail's object graph is not deeper."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one load found. `more`: the limit cut it off; `next_due`: seconds until the next attempt, if any."""

    rows: tuple[Row, ...] = ()
    edges: tuple[Edge, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    more: bool = False
    next_due: float | None = None


@dataclass(slots=True)
class _Found:
    rows: dict[str, Row] = field(default_factory=dict)
    edges: set[Edge] = field(default_factory=set)
    neighbours: dict[str, Neighbour] = field(default_factory=dict)


def load(
    connection: Connection,
    *,
    cluster: str,
    shards: Collection[int],
    held: Mapping[str, int] | None = None,
    limit: int = 1000,
) -> Work:
    """Due work of these shards; what it needs and is due as well comes along.

    `held` are the generations being applied already, by uuid: left out, but newer generations of theirs are not.
    """
    held = held or {}
    scope: dict[str, Any] = {
        "cluster": cluster,
        "shards": sorted(shards),
        "held": list(held),
        "generations": list(held.values()),
    }
    found = _Found()
    most_of_one = limit // 4 + 1  # one namespace's flood leaves room for the others
    fresh = _rows(connection.execute(_DUE, {**scope, "limit": limit, "most_of_one": most_of_one}))
    more = len(fresh) >= min(limit, most_of_one)
    for _ in range(_ROUNDS):
        found.rows.update((row.uuid, row) for row in fresh)
        wanted = _look_around(connection, fresh, found)
        missing = [uuid for uuid in wanted if uuid not in found.rows]
        if not missing or len(found.rows) > 4 * limit:
            break
        fresh = _rows(connection.execute(_NAMED, {**scope, "uuids": missing}))
        if not fresh:
            break
    _apply_aliases(connection, found.rows)
    next_due = None if more else connection.scalar(_NEXT, {"shards": scope["shards"]})
    neighbours = tuple(n for uuid, n in found.neighbours.items() if uuid not in found.rows)
    return Work(tuple(found.rows.values()), tuple(found.edges), neighbours, more=more, next_due=next_due)


def as_contrail_knows(connection: Connection, rows: Sequence[Row]) -> list[Row]:
    """These rows with the names and uuids of what was adopted, and the places of sub-interfaces."""
    named = {row.uuid for row in rows}.union(*(uuids_named(row.type, row.body) for row in rows))
    aliases = {alias.uuid: alias for alias in _aliases(connection, _ALIASES, uuids=list(named))}
    if parents := {parent for row in rows if (parent := parent_named(row))}:
        of_parents = _aliases(connection, _ALIASES_OF_PARENTS, names=list(parents))
        aliases |= {label(alias.type, alias.fq_name): alias for alias in of_parents}
    return with_places(connection, [as_known(row, aliases) for row in rows])


def _aliases(connection: Connection, statement: TextClause, **values: list[str]) -> list[Alias]:
    found = connection.execute(statement, values)
    return [Alias(r.uuid, r.type, r.fq_name, r.contrail_uuid, r.contrail_fq_name, r.kept) for r in found]


def _apply_aliases(connection: Connection, rows: dict[str, Row]) -> None:
    if not rows or not connection.scalar(_ANY_ALIAS):
        # The rule: most stores never adopted anything, and pay one look for it.
        rows.update((row.uuid, row) for row in with_places(connection, list(rows.values())))
        return
    rows.update((row.uuid, row) for row in as_contrail_knows(connection, list(rows.values())))


def _look_around(connection: Connection, fresh: Sequence[Row], found: _Found) -> list[str]:
    """Edges and neighbours of new rows; returns the uuids of neighbours that are due."""
    wanted: list[str] = []
    staying = [row.uuid for row in fresh if not row.absent]
    going = [row.uuid for row in fresh if row.absent]
    names = [row.uuid for row in fresh if not row.absent and not row.in_place]
    if staying:
        wanted += _add(connection.execute(_TARGETS, {"uuids": staying}), found)
        wanted += _add(connection.execute(_LAST, {"uuids": staying, "most": _MOST_REFERRERS}), found)
    if names:
        wanted += _add(connection.execute(_LEAVING, {"uuids": names}), found)
    if going:
        wanted += _add(connection.execute(_REFERRERS, {"uuids": going, "most": _MOST_REFERRERS}), found)
    if addresses := [row.uuid for row in fresh if row.absent and row.type == "instance-ip"]:
        wanted += _add(connection.execute(_UNLINKS, {"uuids": addresses}), found)
    if policies := memberships.policies(fresh):
        wanted += _add(connection.execute(memberships.LINKS_OF_POLICIES, {"uuids": policies}), found)
    if leaving := memberships.leaving(fresh):
        wanted += _add(connection.execute(memberships.POLICIES_OF_LINKS, {"uuids": leaving}), found)
        wanted += _add(connection.execute(memberships.STAYING_OF_LINKS, {"uuids": leaving}), found)
    if changing := memberships.changing(fresh):
        wanted += _add(connection.execute(memberships.LINKS_OF_OWNERS, {"uuids": changing}), found)
    return wanted


def _add(ends: Iterable[Any], found: _Found) -> list[str]:
    due = []
    for from_uuid, to_uuid, strict, uuid, type_, fq_name, absent, in_place, settled, is_due in ends:
        if from_uuid is not None:
            found.edges.add(Edge(from_uuid, to_uuid, strict))
        if uuid not in found.neighbours:
            found.neighbours[uuid] = Neighbour(uuid, type_, fq_name, absent, in_place, settled)
            if is_due:
                due.append(uuid)
    return due


def _rows(result: Iterable[Any]) -> list[Row]:
    # Taken apart by place, in the order of _COLUMNS: by name costs as much as all the rest of a load.
    return [_row(*columns) for columns in result]


def _row(uuid: str, shard: int, type_: str, fq_name: str, body: str, *rest: Any) -> Row:
    generation, absent, status, applied, attempts, address = rest
    return Row(uuid, shard, type_, fq_name, _body(body), generation, absent, status, applied, attempts, address=address)


def _body(text_: str) -> Mapping[str, Any]:
    body: Mapping[str, Any] = msgspec.json.decode(text_)
    return body
