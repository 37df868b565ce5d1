"""Hands what drifted to the applier again (shell; SQL), at a bounded rate.

A repair is nothing but a row that is due again: the applier does it in its usual way. What everything stands on comes
first, then one resource after the other, all objects of one together, so that pods come back one by one. Rows become
due in steps of STEP seconds, which the store remembers: a restart does not hurry it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from applier.audit.scratch import SETTLED
from applier.audit.session import Session

STEP = 0.5
"""Seconds between two groups of rows that become due."""
BATCH = 2000
"""Rows of one transaction."""

_HISTORY = """
    (SELECT coalesce(sum(h.repairs), 0) FROM audit_finding h
     WHERE h.uuid = o.uuid AND h.cluster = o.cluster AND h.repaired_at > :began - :window * interval '1 second')
"""
_RESTLESS = text(f"""
    UPDATE audit_finding o
    SET reason = o.reason || '; keeps changing back: repaired ' || {_HISTORY} || ' times within ' || :hours
        || ' h, left alone for now; does somebody else write it, or Contrail not do what it says?'
    WHERE o.cluster = :cluster AND o.last_run = :run AND o.resolved_at IS NULL
      AND o.problem IN ('changed', 'missing') AND {_HISTORY} >= :tries
    RETURNING o.type, o.fq_name
""")
_PLAN = text(f"""
    INSERT INTO audit_repair (n, uuid, problem, slot)
    SELECT n, uuid, problem, min(n) OVER (PARTITION BY source)
    FROM (
        SELECT row_number() OVER (ORDER BY rank, source, uuid) - 1 AS n, uuid, problem, source
        FROM (
            SELECT o.uuid, o.problem, coalesce(s.resource, o.uuid::text) AS source,
                   CASE split_part(s.resource, '/', 1)
                       WHEN 'Settings' THEN 0 WHEN 'Namespace' THEN 1 WHEN 'Pod' THEN 3 ELSE 2 END AS rank
            FROM audit_finding o
            LEFT JOIN LATERAL (
                SELECT resource FROM desired_source WHERE object_uuid = o.uuid ORDER BY resource LIMIT 1) s ON true
            WHERE o.cluster = :cluster AND o.last_run = :run AND o.resolved_at IS NULL
              AND o.problem IN ('changed', 'missing') AND {_HISTORY} < :tries
        ) found
    ) ordered
""")
_PLANNED = text("SELECT count(*), clock_timestamp() FROM audit_repair")
_HAND_OVER = text(f"""
    UPDATE apply_state a
    SET status = 'pending', attempts = 0, reason = 'the audit found it ' || r.problem, updated_at = now(),
        applied_generation = CASE WHEN r.problem = 'missing' THEN NULL ELSE a.applied_generation END,
        next_attempt_at = CAST(:start AS timestamptz)
            + floor(r.slot / (:rate * :step)) * :step * interval '1 second'
    FROM audit_repair r JOIN desired_object d ON d.uuid = r.uuid
    WHERE a.object_uuid = r.uuid AND r.n >= :first AND r.n < :first + :batch AND {SETTLED}
    RETURNING a.object_uuid::text, a.shard
""")
_NOTE = text("""
    UPDATE audit_finding SET repairs = repairs + 1, repaired_at = now(), reason = reason || '; handed to the applier'
    WHERE cluster = :cluster AND uuid = ANY(CAST(:uuids AS uuid[])) AND resolved_at IS NULL
""")
_COUNT = text("UPDATE audit_run SET repaired = repaired + :count WHERE id = :run")
_NOTIFY = text("SELECT pg_notify('desired', :payload)")


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair came to: rows handed over, over how many seconds, and names of what keeps changing back."""

    rows: int = 0
    seconds: float = 0.0
    restless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pace:
    """Rows a second, and how often one object may be repaired within how many seconds."""

    rate: float
    tries: int
    window: float


def repair(session: Session, *, run: int, cluster: str, began: datetime, pace: Pace) -> Repaired:
    """Hand over what this audit found changed or missing; raises StoreUnavailable.

    Killed half-way, the rest is found by the next audit.
    """
    scope: dict[str, Any] = {
        "run": run,
        "cluster": cluster,
        "began": began,
        "window": pace.window,
        "tries": pace.tries,
        "hours": f"{pace.window / 3600:g}",
        "rate": pace.rate,
        "step": STEP,
        "batch": BATCH,
    }
    restless, planned, start = session.run("plan repairs", _plan, scope)
    handed = 0
    for first in range(0, planned, BATCH):
        batch = {**scope, "first": first, "start": start}
        handed += session.run("hand rows to the applier", _hand_over, batch)
    return Repaired(handed, planned / pace.rate, tuple(restless))


def _plan(connection: Connection, scope: dict[str, Any]) -> tuple[list[str], int, datetime]:
    restless = [f"{type_} {fq_name}" for type_, fq_name in connection.execute(_RESTLESS, scope)]
    connection.execute(_PLAN, scope)
    planned, start = connection.execute(_PLANNED).one()
    return restless, planned, start


def _hand_over(connection: Connection, scope: dict[str, Any]) -> int:
    found = connection.execute(_HAND_OVER, scope).all()
    if found:
        connection.execute(_NOTE, {**scope, "uuids": [uuid for uuid, _ in found]})
        connection.execute(_COUNT, {"run": scope["run"], "count": len(found)})
        shards = sorted({shard for _, shard in found})
        connection.execute(_NOTIFY, {"payload": ",".join(map(str, shards))})
    return len(found)
