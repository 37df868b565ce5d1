"""Audits and their findings in the store (shell; SQL). Only a complete audit concludes, in one transaction.

A finding is open until a complete audit does not see it any more, or the applier has put it right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from applier.audit.guards import Orphan
from applier.audit.scratch import SETTLED
from applier.audit.values import Finding, Problem

_BEGIN = text("INSERT INTO audit_run (cluster, started_at) VALUES (:cluster, :began) RETURNING id")
_FAILED = text("""
    UPDATE audit_run SET outcome = 'failed', ended_at = clock_timestamp(), note = :note, listed = :listed
    WHERE id = :run
""")
# What became the applier's work, or is wanted by now, while the audit ran is no finding.
_DROP_OVERTAKEN = text(f"""
    DELETE FROM audit_found f
    WHERE CASE WHEN f.problem IN ('changed', 'missing')
        THEN NOT EXISTS (SELECT FROM desired_object d JOIN apply_state a ON a.object_uuid = d.uuid
                         WHERE d.uuid = f.uuid AND {SETTLED})
        ELSE EXISTS (SELECT FROM desired_object d WHERE d.uuid = f.uuid)
          OR EXISTS (SELECT FROM adopted_object x WHERE x.contrail_uuid = f.uuid) END
""")
_OPEN = text("""
    INSERT INTO audit_finding AS o
        (cluster, uuid, type, fq_name, namespace, problem, reason, detail, first_run, last_run, first_seen, last_seen)
    SELECT :cluster, f.uuid, f.type, f.fq_name, f.namespace, f.problem, f.reason, f.detail, :run, :run, :began, :began
    FROM audit_found f
    ON CONFLICT (uuid, cluster) WHERE resolved_at IS NULL DO UPDATE
    SET type = excluded.type, fq_name = excluded.fq_name, namespace = excluded.namespace, detail = excluded.detail,
        reason = excluded.reason, last_run = excluded.last_run, last_seen = excluded.last_seen,
        seen = CASE WHEN o.problem = excluded.problem THEN o.seen + 1 ELSE 1 END,
        first_run = CASE WHEN o.problem = excluded.problem THEN o.first_run ELSE excluded.first_run END,
        first_seen = CASE WHEN o.problem = excluded.problem THEN o.first_seen ELSE excluded.first_seen END,
        problem = excluded.problem
""")
# A row that the applier is still at was not judged: nothing is known of it.
_CLOSE = text("""
    UPDATE audit_finding o
    SET resolved_at = clock_timestamp(), resolution = CASE WHEN repairs > 0 THEN 'repaired' ELSE 'vanished' END
    WHERE o.cluster = :cluster AND o.resolved_at IS NULL AND o.last_run <> :run
      AND (o.problem IN ('orphan', 'foreign')
           OR NOT EXISTS (SELECT FROM apply_state a WHERE a.object_uuid = o.uuid AND a.status <> 'applied'))
""")
_SETTLE = text("""
    UPDATE audit_finding o SET resolved_at = clock_timestamp(), resolution = 'repaired'
    FROM apply_state a
    WHERE o.cluster = :cluster AND o.resolved_at IS NULL AND o.problem IN ('changed', 'missing')
      AND a.object_uuid = o.uuid AND a.status = 'applied' AND a.updated_at > o.repaired_at
""")
_COMPLETE = text("""
    UPDATE audit_run SET outcome = 'complete', ended_at = clock_timestamp(), listed = :listed,
        changed = c.changed, missing = c.missing, orphans = c.orphans, strangers = c.strangers
    FROM (SELECT count(*) FILTER (WHERE problem = 'changed') AS changed,
                 count(*) FILTER (WHERE problem = 'missing') AS missing,
                 count(*) FILTER (WHERE problem = 'orphan') AS orphans,
                 count(*) FILTER (WHERE problem = 'foreign') AS strangers FROM audit_found) c
    WHERE id = :run
    RETURNING audit_run.changed, audit_run.missing, audit_run.orphans, audit_run.strangers
""")
_PURGE_FINDINGS = text("""
    DELETE FROM audit_finding WHERE cluster = :cluster AND resolved_at < :began - :days * interval '1 day'
""")
_PURGE_RUNS = text("""
    DELETE FROM audit_run WHERE cluster = :cluster AND started_at < :began - :days * interval '1 day' AND id <> :run
""")
_ORPHANS = text("""
    SELECT uuid::text AS uuid, type, fq_name, detail -> 'annotations' AS annotations, seen, first_seen, last_seen,
           detail -> 'needs' AS needs
    FROM audit_finding
    WHERE cluster = :cluster AND last_run = :run AND problem = 'orphan' AND resolved_at IS NULL ORDER BY type, fq_name
""")
_OF_RUN = text("""
    SELECT uuid::text AS uuid, type, fq_name, namespace, problem, reason, detail, resolution, repairs
    FROM audit_finding WHERE cluster = :cluster AND last_run = :run ORDER BY problem, type, fq_name LIMIT :limit
""")
_REASONS = text("""
    UPDATE audit_finding o SET reason = v.reason
    FROM unnest(CAST(:uuids AS uuid[]), CAST(:reasons AS text[])) AS v(uuid, reason)
    WHERE o.cluster = :cluster AND o.uuid = v.uuid AND o.resolved_at IS NULL
""")
_RESOLVE = text("""
    UPDATE audit_finding SET resolved_at = clock_timestamp(), resolution = :resolution
    WHERE cluster = :cluster AND uuid = :uuid AND resolved_at IS NULL
""")
_PRUNED = text("UPDATE audit_run SET pruned = pruned + 1 WHERE id = :run")
_NOTE = text("UPDATE audit_run SET note = :note WHERE id = :run")
_LAST = text("""
    SELECT extract(epoch FROM clock_timestamp() - max(started_at))::float8 FROM audit_run
    WHERE cluster = :cluster AND outcome = 'complete'
""")


@dataclass(frozen=True, slots=True)
class Counts:
    """Findings of one audit by problem."""

    changed: int = 0
    missing: int = 0
    orphans: int = 0
    strangers: int = 0

    @property
    def drift(self) -> int:
        """What a repair is for."""
        return self.changed + self.missing


@dataclass(frozen=True, slots=True)
class Filed:
    """A finding as it stands in the store, with what became of it."""

    finding: Finding
    resolution: str | None
    repairs: int


def begin(connection: Connection, cluster: str, began: datetime) -> int:
    """A new audit; returns its id."""
    run: int = connection.scalars(_BEGIN, {"cluster": cluster, "began": began}).one()
    return run


def failed(connection: Connection, run: int, *, listed: int, note: str) -> None:
    """The audit ended without a conclusion."""
    connection.execute(_FAILED, {"run": run, "listed": listed, "note": note})


def settle(connection: Connection, cluster: str) -> None:
    """Close findings that the applier has put right since they were handed to it."""
    connection.execute(_SETTLE, {"cluster": cluster})


def conclude(connection: Connection, run: int, cluster: str, began: datetime, listed: int, keep_days: float) -> Counts:
    """Open, renew and close findings by what stands in audit_found; the audit is complete."""
    scope: dict[str, Any] = {"cluster": cluster, "run": run, "began": began, "listed": listed, "days": keep_days}
    settle(connection, cluster)
    for statement in (_DROP_OVERTAKEN, _OPEN, _CLOSE):
        connection.execute(statement, scope)
    counts = Counts(*connection.execute(_COMPLETE, scope).one())
    connection.execute(_PURGE_FINDINGS, scope)
    connection.execute(_PURGE_RUNS, scope)
    return counts


def orphans(connection: Connection, run: int, cluster: str) -> list[Orphan]:
    """Open orphans that this audit saw."""
    return [Orphan(*row) for row in connection.execute(_ORPHANS, {"run": run, "cluster": cluster})]


def findings(connection: Connection, run: int, cluster: str, limit: int) -> list[Filed]:
    """What this audit saw, and what became of it."""
    rows = connection.execute(_OF_RUN, {"run": run, "cluster": cluster, "limit": limit})
    return [
        Filed(
            Finding(r.uuid, r.type, r.fq_name, r.namespace, Problem(r.problem), r.reason, r.detail),
            r.resolution,
            r.repairs,
        )
        for r in rows
    ]


def give_reasons(connection: Connection, cluster: str, reasons: Sequence[tuple[str, str]]) -> None:
    """Put (uuid, reason) into open findings."""
    if reasons:
        uuids, texts = zip(*reasons, strict=True)
        connection.execute(_REASONS, {"cluster": cluster, "uuids": list(uuids), "reasons": list(texts)})


def resolve(connection: Connection, cluster: str, uuid: str, resolution: str) -> None:
    """Close one finding."""
    connection.execute(_RESOLVE, {"cluster": cluster, "uuid": uuid, "resolution": resolution})


def pruned(connection: Connection, run: int, cluster: str, uuid: str) -> None:
    """An orphan was deleted."""
    resolve(connection, cluster, uuid, "pruned")
    connection.execute(_PRUNED, {"run": run})


def note(connection: Connection, run: int, said: str) -> None:
    """What a person should know of the audit."""
    connection.execute(_NOTE, {"run": run, "note": said})


def seconds_since_last(connection: Connection, cluster: str) -> float | None:
    """Since the begin of the last complete audit; None if there was none."""
    found: float | None = connection.scalar(_LAST, {"cluster": cluster})
    return found
