"""Writes results back to the store, many per transaction (shell; SQL).

A result counts only for the generation that it is about. A row that shall be absent and is, goes for good. What
was blocked by something that is done now becomes due at once. Repeating a record is harmless.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, text

from applier.blockers import hold, release
from applier.races import again_if_lost
from applier.rows import HELD_BACK, Result, Row, Status, label
from schemas.contrail.objects import LINK
from schemas.store.engine import store_errors

_STATES = text("""
    UPDATE apply_state a
    SET status = v.status, attempts = v.attempts, reason = v.reason, updated_at = now(),
        applied_generation = CASE WHEN v.status = 'applied' THEN v.generation ELSE a.applied_generation END,
        last_error = CASE WHEN v.reason = '' THEN a.last_error ELSE v.reason END,
        next_attempt_at = CASE WHEN v.status = 'dead' THEN 'infinity' ELSE now() + v.delay * interval '1 second' END
    FROM unnest(CAST(:uuids AS uuid[]), CAST(:generations AS bigint[]), CAST(:statuses AS text[]),
                CAST(:attempts AS integer[]), CAST(:reasons AS text[]), CAST(:delays AS float8[]))
         AS v(uuid, generation, status, attempts, reason, delay)
    WHERE a.object_uuid = v.uuid AND a.desired_generation = v.generation
      AND (a.status <> 'applied' OR v.status = 'applied')
      AND (a.status <> 'dead' OR v.status = 'applied' OR NOT starts_with(a.reason, :held))
    RETURNING a.object_uuid::text
""")
# A call about an older generation ended after a newer one was applied, by another applier: Contrail may have the
# older one now, or nothing, so the object is looked at again.
_DOUBT = text("""
    UPDATE apply_state a
    SET status = 'pending', attempts = 0, next_attempt_at = now(), updated_at = now(),
        applied_generation = CASE WHEN v.absent THEN NULL ELSE a.applied_generation END
    FROM unnest(CAST(:uuids AS uuid[]), CAST(:generations AS bigint[]), CAST(:absent AS boolean[]))
         AS v(uuid, generation, absent)
    WHERE a.object_uuid = v.uuid AND a.desired_generation <> v.generation AND a.status = 'applied'
    RETURNING a.shard
""")
_OBSERVATIONS = text("""
    INSERT INTO observed_object (uuid, type, body, digest)
    SELECT v.uuid, v.type, CAST(v.body AS jsonb), decode(v.digest, 'hex')
    FROM unnest(CAST(:uuids AS uuid[]), CAST(:types AS text[]), CAST(:bodies AS text[]), CAST(:digests AS text[]))
         AS v(uuid, type, body, digest)
    ON CONFLICT (uuid) DO UPDATE
    SET body = excluded.body, digest = excluded.digest, observed_at = now()
    WHERE observed_object.digest <> excluded.digest
""")
_FREE_TARGETS = text("""
    UPDATE apply_state a SET next_attempt_at = now()
    FROM desired_edge e
    WHERE e.from_uuid = ANY(CAST(:uuids AS uuid[])) AND a.object_uuid = e.to_uuid AND a.status = 'blocked'
    RETURNING a.shard
""")
_FREE_NAMES = text("""
    UPDATE apply_state a SET next_attempt_at = now()
    FROM desired_object gone JOIN desired_object d ON d.type = gone.type AND d.fq_name = gone.fq_name AND NOT d.absent
    WHERE gone.uuid = ANY(CAST(:uuids AS uuid[])) AND a.object_uuid = d.uuid AND a.status = 'blocked'
    RETURNING a.shard
""")
_FREE_REFERRERS = text("""
    UPDATE apply_state a SET next_attempt_at = now()
    FROM desired_edge e
    WHERE e.to_uuid = ANY(CAST(:uuids AS uuid[])) AND a.object_uuid = e.from_uuid AND a.status = 'blocked'
    RETURNING a.shard
""")
_FREE_LATER = text("""
    UPDATE apply_state a SET next_attempt_at = now()
    FROM desired_edge e
    WHERE e.to_uuid = ANY(CAST(:uuids AS uuid[])) AND e.relation = 'after'
      AND a.object_uuid = e.from_uuid AND a.status = 'blocked'
    RETURNING a.shard
""")
# An address may go when the node has let go of its port: the link of the virtual-machine of its interface.
_FREE_ADDRESSES = text("""
    UPDATE apply_state a SET next_attempt_at = now()
    FROM desired_edge link
    JOIN desired_edge vmi ON vmi.to_uuid = link.to_uuid
    JOIN desired_edge iip ON iip.to_uuid = vmi.from_uuid
    WHERE link.from_uuid = ANY(CAST(:uuids AS uuid[])) AND a.object_uuid = iip.from_uuid AND a.status = 'blocked'
    RETURNING a.shard
""")
_GONE = text("""
    DELETE FROM desired_object d
    USING unnest(CAST(:uuids AS uuid[]), CAST(:generations AS bigint[])) AS v(uuid, generation)
    WHERE d.uuid = v.uuid AND d.generation = v.generation AND d.absent
    RETURNING d.uuid::text
""")
_UNOBSERVE = text("DELETE FROM observed_object WHERE uuid = ANY(CAST(:uuids AS uuid[]))")
_NAMES = text("""
    SELECT uuid::text, type, fq_name FROM desired_object WHERE uuid = ANY(CAST(:uuids AS uuid[]))
    UNION ALL
    SELECT a.contrail_uuid::text, d.type, d.fq_name FROM adopted_object a JOIN desired_object d ON d.uuid = a.uuid
    WHERE a.contrail_uuid = ANY(CAST(:uuids AS uuid[]))
""")
_UNADOPT = text("""
    DELETE FROM adopted_object a
    USING unnest(CAST(:uuids AS uuid[]), CAST(:adopted AS uuid[])) AS v(uuid, contrail_uuid)
    WHERE a.uuid = v.uuid AND a.contrail_uuid = v.contrail_uuid
    RETURNING a.uuid::text
""")
_LOST = text("""
    UPDATE apply_state SET applied_generation = NULL, next_attempt_at = now()
    WHERE object_uuid = ANY(CAST(:uuids AS uuid[])) AND status = 'pending'
    RETURNING shard
""")
# They refer to the uuid that was lost, and know the object under its new one only when they are written again.
_POINT_ANEW = text("""
    UPDATE apply_state a SET status = 'pending', attempts = 0, next_attempt_at = now(), updated_at = now()
    FROM desired_edge e
    WHERE e.to_uuid = ANY(CAST(:uuids AS uuid[])) AND a.object_uuid = e.from_uuid AND a.status <> 'dead'
    RETURNING a.shard
""")
# Made once and gone since, by somebody's hand or an answer that was not true: each is compared with Contrail again.
_COMPARE_TARGETS = text("""
    UPDATE apply_state a SET status = 'pending', attempts = 0, next_attempt_at = now(), updated_at = now()
    FROM desired_edge e
    WHERE e.from_uuid = ANY(CAST(:uuids AS uuid[])) AND a.object_uuid = e.to_uuid AND a.status = 'applied'
    RETURNING a.shard
""")
_DUE = text("""
    UPDATE apply_state SET next_attempt_at = now()
    WHERE object_uuid = ANY(CAST(:uuids AS uuid[])) AND status = 'blocked'
    RETURNING shard
""")
_NOTIFY = text("SELECT pg_notify(:channel, :payload)")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one commit did: results stored, results dropped as out of date, shards in which work became due."""

    stored: int = 0
    stale: int = 0
    freed: frozenset[int] = frozenset()


def record(engine: Engine, results: Sequence[Result], *, due: Sequence[str] = ()) -> Recorded:
    """Store results in one transaction; raises StoreUnavailable, after which the same call may be repeated.

    `due` are uuids of blocked rows that are worth a try now.
    """

    def transaction() -> Recorded:
        with engine.begin() as connection:
            return _record(connection, results, due)

    with store_errors("record results", engine):
        return again_if_lost(transaction)


def _record(connection: Connection, results: Sequence[Result], due: Sequence[str]) -> Recorded:
    ordered = sorted(results, key=lambda result: result.row.uuid)  # one locking order among our own transactions
    states = [r for r in ordered if not (r.done and r.row.absent)]
    gone = [r for r in ordered if r.done and r.row.absent]
    untried = [r.row.uuid for r in states if r.untried]
    freed: set[int] = set()
    stored: set[str] = set()
    hold(connection, blocked=untried, leaving=[r.row.uuid for r in gone])
    if states:
        stored |= _store_states(connection, states)
        _store_observations(connection, [r for r in states if r.row.uuid in stored])
        created = [r.row.uuid for r in states if r.done and not r.row.in_place and r.row.uuid in stored]
        changed = [r.row.uuid for r in states if r.done and r.row.in_place and r.row.uuid in stored]
        freed |= _free(connection, _FREE_REFERRERS, created) | _free(connection, _FREE_LATER, changed)
        freed |= _free(connection, _COMPARE_TARGETS, [r.row.uuid for r in states if r.missing])
        freed |= _unadopt(connection, [r.row for r in states if r.lost and r.row.uuid in stored])
        freed |= release(connection, stored.intersection(untried))
    if gone:
        uuids = [r.row.uuid for r in gone]
        freed |= _free(connection, _FREE_TARGETS, uuids) | _free(connection, _FREE_NAMES, uuids)
        freed |= _free(connection, _FREE_ADDRESSES, [r.row.uuid for r in gone if r.row.type == LINK])
        generations = [r.row.generation for r in gone]
        stored.update(connection.scalars(_GONE, {"uuids": uuids, "generations": generations}))
        connection.execute(_UNOBSERVE, {"uuids": [uuid for uuid in uuids if uuid in stored]})
    freed |= _free(connection, _DUE, sorted(due))
    freed |= _doubt(connection, [r for r in ordered if r.row.uuid not in stored and r.status is not Status.BLOCKED])
    if freed:
        _notify(connection, "desired", ",".join(str(shard) for shard in sorted(freed)))
    if any(_makes_ready(r) and r.row.uuid in stored for r in states):
        _notify(connection, "observed", "")
    return Recorded(len(stored), len(results) - len(stored), frozenset(freed))


def _makes_ready(result: Result) -> bool:
    """Whether a pod may have become ready by it: its address is known, or its node linked."""
    return result.observation is not None or (result.done and result.row.type == LINK)


def _store_states(connection: Connection, results: Sequence[Result]) -> set[str]:
    names = _holder_names(connection, results)
    values: dict[str, Any] = {
        "uuids": [r.row.uuid for r in results],
        "generations": [r.row.generation for r in results],
        "statuses": [str(r.status) for r in results],
        "attempts": [r.attempts for r in results],
        "reasons": [_clean(_reason(r, names)) for r in results],
        "delays": [r.delay for r in results],
        "held": HELD_BACK,  # by an adoption while the row was under way
    }
    return set(connection.scalars(_STATES, values))


def _store_observations(connection: Connection, results: Sequence[Result]) -> None:
    found = [(r.row, msgspec.json.encode(r.observation, order="sorted")) for r in results if r.observation is not None]
    if found:
        values = {
            "uuids": [row.uuid for row, _ in found],
            "types": [row.type for row, _ in found],
            "bodies": [_clean(body.decode().replace("\\u0000", "?")) for _, body in found],
            "digests": [hashlib.sha256(body).hexdigest() for _, body in found],
        }
        connection.execute(_OBSERVATIONS, values)


def _unadopt(connection: Connection, rows: Sequence[Row]) -> set[int]:
    """The rows' adopted objects are gone: from now on they are objects of our own, to be made."""
    pairs = {row.uuid: row.contrail_uuid for row in rows}
    if not pairs:
        return set()
    lost = list(connection.scalars(_UNADOPT, {"uuids": list(pairs), "adopted": list(pairs.values())}))
    return _free(connection, _LOST, lost) | _free(connection, _POINT_ANEW, lost)


def _doubt(connection: Connection, late: Sequence[Result]) -> set[int]:
    if not late:
        return set()
    values = {
        "uuids": [r.row.uuid for r in late],
        "generations": [r.row.generation for r in late],
        "absent": [r.row.absent for r in late],
    }
    return set(connection.scalars(_DOUBT, values))


def _free(connection: Connection, statement: Any, uuids: list[str]) -> set[int]:
    return set(connection.scalars(statement, {"uuids": uuids})) if uuids else set()


def _holder_names(connection: Connection, results: Sequence[Result]) -> dict[str, str]:
    uuids = sorted({uuid for r in results for _, uuid in r.holders})
    if not uuids:
        return {}
    return {uuid: label(type_, name) for uuid, type_, name in connection.execute(_NAMES, {"uuids": uuids})}


def _reason(result: Result, names: dict[str, str]) -> str:
    if not result.holders:
        return result.reason
    holders = [names.get(uuid, f"{type_} {uuid} (not in the store)") for type_, uuid in result.holders[:5]]
    rest = f" and {len(result.holders) - 5} more" if len(result.holders) > 5 else ""
    return f"not deleted yet: held by {', '.join(holders)}{rest}"


def _clean(said: str) -> str:
    """Without what PostgreSQL refuses: foreign text may hold anything, and must not keep results from the store."""
    return said.encode("utf-8", "replace").decode().replace("\x00", "?")


def _notify(connection: Connection, channel: str, payload: str) -> None:
    connection.execute(_NOTIFY, {"channel": channel, "payload": payload})
