"""What the store says of itself and of one orphan, for the guards (shell; SQL)."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, text

from applier.audit.guards import Listing, Orphan, Standing

_DESIRED = text("SELECT count(*) FROM desired_object WHERE cluster = :cluster AND NOT absent")
_ANY = text("SELECT EXISTS (SELECT FROM desired_object WHERE cluster = :cluster AND NOT absent)")
_LISTINGS = text("""
    SELECT kind, topic, partition, state = 'streaming', listed_at FROM watch_epoch WHERE cluster = :cluster
    ORDER BY kind, topic, partition
""")
_PARTITIONS = text("""
    SELECT DISTINCT topic, partition FROM consumer_offset
    WHERE topic IN (SELECT topic FROM watch_epoch WHERE cluster = :cluster)
""")
_LETTERS = text("SELECT DISTINCT resource FROM dead_letter WHERE cluster = :cluster AND resolved_at IS NULL")
_TYPES = text("SELECT DISTINCT type FROM desired_object WHERE cluster = :cluster")
_ALIVE = text("""
    SELECT asked.resource, r.uid
    FROM unnest(CAST(:resources AS text[])) AS asked(resource)
    JOIN k8s_resource r ON r.cluster = :cluster AND r.kind = split_part(asked.resource, '/', 1)
        AND r.namespace = split_part(asked.resource, '/', 2) AND r.name = split_part(asked.resource, '/', 3)
    WHERE coalesce(r.body ->> 'phase', '') NOT IN ('Succeeded', 'Failed')
""")
_KNOWN = text("""
    SELECT EXISTS (SELECT FROM desired_object WHERE uuid = CAST(:uuid AS uuid))
        OR EXISTS (SELECT FROM adopted_object WHERE contrail_uuid = CAST(:uuid AS uuid))
""")


def standing_of(connection: Connection, cluster: str, orphans: Iterable[Orphan], *, counted: bool = True) -> Standing:
    """How the store stands, and whether what these orphans were made for is there.

    Not `counted`: `desired` is only 1 or 0 and `types` is None, which costs nothing.
    """
    scope = {"cluster": cluster}
    resources = sorted({orphan.resource for orphan in orphans})
    return Standing(
        desired=int(connection.scalar(_DESIRED if counted else _ANY, scope) or 0),
        listings=tuple(Listing(*row) for row in connection.execute(_LISTINGS, scope)),
        partitions=frozenset((topic, partition) for topic, partition in connection.execute(_PARTITIONS, scope)),
        letters=frozenset(connection.scalars(_LETTERS, scope)),
        types=frozenset(connection.scalars(_TYPES, scope)) if counted else None,
        alive={row.resource: row.uid for row in connection.execute(_ALIVE, {**scope, "resources": resources})},
    )


def is_known(connection: Connection, uuid: str) -> bool:
    """Whether an object of Contrail serves any row of the store."""
    return bool(connection.scalar(_KNOWN, {"uuid": uuid}))
