"""What the store says of itself and of one orphan, for the guards (shell; SQL)."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, text

from applier.audit.guards import Listing, Standing
from schemas.identity import ResourceKey

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
_RUNS = text("""
    SELECT EXISTS (SELECT FROM k8s_resource WHERE cluster = :cluster AND kind = 'Pod' AND uid = ANY(:uuids)
                   AND coalesce(body ->> 'phase', '') NOT IN ('Succeeded', 'Failed'))
        OR EXISTS (SELECT FROM k8s_resource WHERE cluster = :cluster AND kind = :kind AND kind <> 'Pod'
                   AND namespace = :namespace AND name = :name)
""")
_KNOWN = text("""
    SELECT EXISTS (SELECT FROM desired_object WHERE uuid = CAST(:uuid AS uuid))
        OR EXISTS (SELECT FROM adopted_object WHERE contrail_uuid = CAST(:uuid AS uuid))
""")


def standing_of(connection: Connection, cluster: str, *, counted: bool = True) -> Standing:
    """How the store stands; not `counted`: `desired` is only 1 or 0, which costs nothing."""
    scope = {"cluster": cluster}
    return Standing(
        desired=int(connection.scalar(_DESIRED if counted else _ANY, scope) or 0),
        listings=tuple(Listing(*row) for row in connection.execute(_LISTINGS, scope)),
        partitions=frozenset((topic, partition) for topic, partition in connection.execute(_PARTITIONS, scope)),
        letters=frozenset(connection.scalars(_LETTERS, scope)),
        types=frozenset(connection.scalars(_TYPES, scope)) if counted else None,
    )


def is_there(connection: Connection, cluster: str, resource: ResourceKey, uuids: Iterable[str]) -> bool:
    """Whether what an orphan was made for is in Kubernetes still: of pods, one whose uid is among these uuids."""
    scope = {"cluster": cluster, "kind": resource.kind, "namespace": resource.namespace, "name": resource.name}
    return bool(connection.scalar(_RUNS, {**scope, "uuids": list(uuids)}))


def is_known(connection: Connection, uuid: str) -> bool:
    """Whether an object of Contrail serves any row of the store."""
    return bool(connection.scalar(_KNOWN, {"uuid": uuid}))
