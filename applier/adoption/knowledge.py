"""What the store knows of the cluster (shell; SQL), and whether that is enough to take anything over by it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

from applier.adoption.objects import Cluster, Wanted
from applier.rows import Alias
from schemas.identity import ResourceKey
from schemas.settings import ClusterSettings

REQUIRED_KINDS = ("Namespace", "Node", "Pod")
"""Kinds without which nothing is translated."""

_EPOCHS = text("""
    SELECT kind, bool_and(state = 'streaming') AS streaming, bool_and(listed_at IS NOT NULL) AS whole,
           extract(epoch FROM min(listed_at))::float8 AS listed
    FROM watch_epoch WHERE cluster = :cluster GROUP BY kind ORDER BY kind
""")
_UNHEARD = text("""
    SELECT k.kind, p.partition
    FROM (SELECT DISTINCT kind, topic FROM watch_epoch WHERE cluster = :cluster) k
    JOIN (SELECT topic, partition FROM consumer_offset UNION SELECT topic, partition FROM watch_epoch
          WHERE cluster = :cluster) p ON p.topic = k.topic
    WHERE NOT EXISTS (SELECT 1 FROM watch_epoch e WHERE e.cluster = :cluster AND e.kind = k.kind
                      AND e.topic = p.topic AND e.partition = p.partition)
    ORDER BY k.kind, p.partition LIMIT 1
""")
_WANTED = text("""
    SELECT d.uuid::text AS uuid, d.type, d.fq_name, d.body, d.absent,
           a.contrail_uuid::text AS contrail_uuid, a.contrail_fq_name, a.kept
    FROM desired_object d LEFT JOIN adopted_object a ON a.uuid = d.uuid
    WHERE d.cluster = :cluster AND d.type NOT IN ('link', 'entry')
""")
_PODS = text("""
    SELECT uid, namespace, name FROM k8s_resource
    WHERE cluster = :cluster AND kind = 'Pod' AND coalesce(body ->> 'phase', '') NOT IN ('Succeeded', 'Failed')
""")
_NAMESPACES = text("SELECT name FROM k8s_resource WHERE cluster = :cluster AND kind = 'Namespace'")
_UNREAD = text("""
    SELECT DISTINCT resource FROM dead_letter WHERE cluster = :cluster AND resolved_at IS NULL
""")
_KNOWN = text("""
    SELECT EXISTS (SELECT 1 FROM desired_object d LEFT JOIN adopted_object a ON a.uuid = d.uuid
                   WHERE coalesce(a.contrail_uuid, d.uuid) = CAST(:uuid AS uuid))
        OR EXISTS (SELECT 1 FROM k8s_resource WHERE cluster = :cluster AND kind = 'Pod' AND uid = :uid
                   AND coalesce(body ->> 'phase', '') NOT IN ('Succeeded', 'Failed'))
        OR EXISTS (SELECT 1 FROM k8s_resource WHERE cluster = :cluster AND kind = 'Namespace' AND name = :namespace)
        OR EXISTS (SELECT 1 FROM watch_epoch WHERE cluster = :cluster AND state <> 'streaming')
""")


def unready(connection: Connection, cluster: str) -> str:
    """Why the store cannot be relied on yet; '' if it can."""
    epochs = {r.kind: r for r in connection.execute(_EPOCHS, {"cluster": cluster})}
    if not epochs:
        return f"the store knows nothing of cluster {cluster!r}: start watchers and translator first"
    if missing := [kind for kind in REQUIRED_KINDS if kind not in epochs]:
        return f"the store has no listing of {', '.join(missing)} yet: are watchers and translator running?"
    if unfinished := [kind for kind, epoch in epochs.items() if not (epoch.streaming and epoch.whole)]:
        return f"the listing of {', '.join(unfinished)} is not complete in the store yet: wait for the translator"
    if unheard := connection.execute(_UNHEARD, {"cluster": cluster}).first():
        return f"the store has heard nothing of {unheard.kind} on partition {unheard.partition} yet: wait for it"
    if not connection.scalar(_NAMESPACES, {"cluster": cluster}):
        return f"the store has no namespace of cluster {cluster!r}: every cluster has some; is this the right database?"
    return ""


def known(connection: Connection, settings: ClusterSettings) -> Cluster:
    """The cluster as the store has it; a consistent picture if the connection's isolation gives one."""
    scope = {"cluster": settings.name}
    pods = connection.execute(_PODS, scope).all()
    unread = [_key(resource) for resource in connection.scalars(_UNREAD, scope)]
    listed = {r.kind: r.listed for r in connection.execute(_EPOCHS, scope) if r.whole}
    if None in unread:
        listed = {}  # nobody knows of what that record was, so nothing is known to be gone
    namespaces = set(connection.scalars(_NAMESPACES, scope)) | {k.name for k in unread if k and k.kind == "Namespace"}
    return Cluster(
        mark=(settings.owner, settings.name),
        domain=settings.domain,
        wanted=[_wanted(row) for row in connection.execute(_WANTED, scope)],
        pods=frozenset(pod.uid for pod in pods),
        named=frozenset((pod.namespace, pod.name) for pod in pods),
        unread=frozenset((k.namespace, k.name) for k in unread if k and k.kind == "Pod"),
        namespaces=frozenset(namespaces),
        listed=listed,
    )


def is_needed(connection: Connection, *, cluster: str, uuid: str, uid: str, namespace: str) -> bool:
    """Whether an object of Contrail is desired by now, or its pod or namespace is there, or that cannot be told."""
    scope = {"cluster": cluster, "uuid": uuid, "uid": uid, "namespace": namespace}
    return bool(connection.scalar(_KNOWN, scope))


def _wanted(row: Any) -> Wanted:
    alias = None
    if row.contrail_uuid is not None:
        alias = Alias(row.uuid, row.type, row.fq_name, row.contrail_uuid, row.contrail_fq_name, row.kept)
    return Wanted(row.uuid, row.type, row.fq_name, row.body, row.absent, alias)


def _key(resource: str) -> ResourceKey | None:
    try:
        return ResourceKey.parse(resource)
    except ValueError:
        return None
