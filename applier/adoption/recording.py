"""Writes the aliases into the store, all in one transaction (shell; SQL). Repeating it changes nothing.

What they concern becomes due at once, so that an applier that runs goes on with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, text

from applier.races import again_if_lost
from applier.rows import HELD_BACK, Alias
from schemas.errors import StoreUnavailable
from schemas.store.engine import store_errors

_LOCK = text("SELECT pg_try_advisory_lock(hashtext('contrail-kube adopt'), hashtext(:cluster))")
_STALE = text("""
    DELETE FROM adopted_object a
    USING unnest(CAST(:uuids AS uuid[]), CAST(:live AS uuid[])) AS v(uuid, contrail_uuid)
    WHERE a.uuid = v.uuid AND a.contrail_uuid <> v.contrail_uuid
""")
_ALIASES = text("""
    INSERT INTO adopted_object (uuid, cluster, contrail_uuid, contrail_fq_name, kept)
    SELECT d.uuid, d.cluster, v.contrail_uuid, v.name, CAST(v.kept AS jsonb)
    FROM unnest(CAST(:uuids AS uuid[]), CAST(:live AS uuid[]), CAST(:names AS text[]), CAST(:kept AS text[]))
         AS v(uuid, contrail_uuid, name, kept)
    JOIN desired_object d ON d.uuid = v.uuid AND d.cluster = :cluster
    ORDER BY d.uuid
    ON CONFLICT (uuid) DO NOTHING
    RETURNING uuid::text
""")
_DUE = text("""
    UPDATE apply_state a SET status = 'pending', attempts = 0, reason = '', next_attempt_at = now(), updated_at = now()
    FROM desired_object d
    WHERE d.uuid = a.object_uuid AND d.cluster = :cluster
      AND NOT a.object_uuid = ANY(CAST(:held AS uuid[]))
      AND (a.object_uuid = ANY(CAST(:uuids AS uuid[])) OR a.status IN ('failed', 'blocked')
           OR (a.status = 'dead' AND starts_with(a.reason, :prefix)))
""")
_HELD = text("""
    UPDATE apply_state a
    SET status = 'dead', reason = v.reason, last_error = v.reason, next_attempt_at = 'infinity', updated_at = now()
    FROM unnest(CAST(:uuids AS uuid[]), CAST(:reasons AS text[])) AS v(uuid, reason)
    WHERE a.object_uuid = v.uuid AND a.applied_generation IS NULL
""")
_NOTIFY = text("SELECT pg_notify('desired', '')")


@contextmanager
def alone(engine: Engine, cluster: str) -> Iterator[None]:
    """Keep other adoptions of this cluster out meanwhile; raises StoreUnavailable if there is one."""
    with store_errors("lock the adoption", engine), engine.connect() as connection:
        if not connection.scalar(_LOCK, {"cluster": cluster}):
            raise StoreUnavailable(f"another `adopt` of cluster {cluster!r} is running; wait for it")
        connection.commit()
        try:
            yield
        finally:
            connection.invalidate()  # ends the session, and the lock with it


def record(engine: Engine, *, cluster: str, aliases: Sequence[Alias], held: Mapping[str, str]) -> int:
    """Store aliases, and hold back what must not be made; returns how many aliases are new."""

    def transaction() -> int:
        with engine.begin() as connection:
            return _record(connection, cluster, aliases, held)

    with store_errors("record adopted objects", engine):
        return again_if_lost(transaction)


def _record(connection: Connection, cluster: str, aliases: Sequence[Alias], held: Mapping[str, str]) -> int:
    ordered = sorted(aliases, key=lambda alias: alias.uuid)
    values: dict[str, Any] = {
        "cluster": cluster,
        "uuids": [alias.uuid for alias in ordered],
        "live": [alias.contrail_uuid for alias in ordered],
        "names": [alias.contrail_fq_name for alias in ordered],
        "kept": [msgspec.json.encode(alias.kept, order="sorted").decode() for alias in ordered],
    }
    connection.execute(_STALE, values)
    new = list(connection.scalars(_ALIASES, values))
    scope = {"cluster": cluster, "uuids": new, "held": list(held), "prefix": HELD_BACK}
    connection.execute(_DUE, scope)
    reasons = [f"{HELD_BACK}{reason}; see `python -m applier adopt --dry-run`" for reason in held.values()]
    connection.execute(_HELD, {"uuids": list(held), "reasons": reasons})
    connection.execute(_NOTIFY)
    return len(new)
