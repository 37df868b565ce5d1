"""Reads a `Snapshot` of a running pipeline from the store: few, cheap queries in one read-only transaction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Engine, text

from console.snapshot import Counts, DeadLetter, NetworkLine, PodLine, Reading, Snapshot, Trouble
from schemas.store.engine import store_errors

LATELY = 5.0
"""Seconds over which the rate of applied objects is taken."""

# The cluster's settings are kept as a resource too, but are none of Kubernetes'.
_RESOURCES = text(
    "SELECT kind, count(*) FROM k8s_resource WHERE cluster = :cluster AND kind <> 'Settings' GROUP BY kind"
)
_STATUSES = text(
    """
    SELECT d.type = 'link', a.status, count(*),
           count(*) FILTER (WHERE a.status = 'applied' AND a.updated_at > now() - make_interval(secs => :lately))
    FROM apply_state a JOIN desired_object d ON d.uuid = a.object_uuid
    WHERE d.cluster = :cluster
    GROUP BY 1, 2
    """
)
_DEAD_LETTERS = text("SELECT count(*) FROM dead_letter WHERE cluster = :cluster AND resolved_at IS NULL")
_OFFSETS = text("SELECT partition, next_offset FROM consumer_offset WHERE topic = :topic AND consumer = :consumer")
_EPOCHS = text("SELECT kind, partition, state FROM watch_epoch WHERE cluster = :cluster AND topic = :topic")
_NETWORKS = text(
    """
    SELECT network.fq_name, count(address.uuid), count(observed.uuid)
    FROM desired_object network
    LEFT JOIN (
        SELECT edge.to_uuid, iip.uuid
        FROM desired_object iip JOIN desired_edge edge ON edge.from_uuid = iip.uuid AND edge.relation = 'ref'
        WHERE iip.cluster = :cluster AND iip.type = 'instance-ip' AND NOT iip.absent
    ) address ON address.to_uuid = network.uuid
    LEFT JOIN observed_object observed ON observed.uuid = address.uuid
    WHERE network.cluster = :cluster AND network.type = 'virtual-network' AND NOT network.absent
    GROUP BY network.fq_name ORDER BY count(address.uuid) DESC, network.fq_name
    """
)
_PODS = text(
    """
    SELECT namespace, pod, node, network, address, state, reason
    FROM pod_address WHERE cluster = :cluster
    ORDER BY namespace, pod, interface, family
    LIMIT :rows OFFSET :first
    """
)
_TROUBLES = text(
    """
    SELECT status, type, fq_name, reason, last_error FROM unapplied
    WHERE cluster = :cluster AND status = ANY(:statuses)
    ORDER BY status DESC, type, fq_name LIMIT :rows
    """
)
_LETTERS = text(
    """
    SELECT stage, topic, partition, at_offset, resource, error FROM dead_letter
    WHERE cluster = :cluster AND resolved_at IS NULL ORDER BY last_at DESC LIMIT :rows
    """
)
_PRESENT = text(
    "SELECT EXISTS (SELECT FROM k8s_resource WHERE cluster = :cluster)"
    " OR EXISTS (SELECT FROM consumer_offset WHERE topic = :topic)"
)
_NODES = text("SELECT name, body FROM k8s_resource WHERE cluster = :cluster AND kind = 'Node' ORDER BY name")


def snapshot(
    engine: Engine, *, cluster: str, topic: str, consumer: str = "translator", first: int = 0, rows: int = 20
) -> Snapshot:
    """The pipeline of one cluster as it stands now, with `rows` lines of the pod table from row `first`.

    `consumer` is the name under which the translator keeps its offsets.
    """
    with store_errors("read the state of the pipeline", engine), _reading(engine) as connection:
        return Snapshot(
            counts=_counts(connection, cluster),
            reading=_position(connection, cluster, topic, consumer),
            networks=tuple(NetworkLine(*row) for row in connection.execute(_NETWORKS, {"cluster": cluster})),
            pods=_pods(connection, cluster, first, rows),
            first=first,
            troubles=_troubles(connection, cluster, ["blocked", "dead", "failed"], 5),
        )


def all_pods(engine: Engine, *, cluster: str) -> tuple[PodLine, ...]:
    """Every line of the pod table."""
    with store_errors("read the addresses of pods", engine), _reading(engine) as connection:
        return _pods(connection, cluster, 0, None)


def troubles(engine: Engine, *, cluster: str, rows: int) -> tuple[tuple[Trouble, ...], tuple[DeadLetter, ...]]:
    """Objects that are blocked or dead, and open dead letters, at most `rows` of each."""
    with store_errors("read what is not applied", engine), _reading(engine) as connection:
        letters = connection.execute(_LETTERS, {"cluster": cluster, "rows": rows})
        return _troubles(connection, cluster, ["blocked", "dead"], rows), tuple(
            DeadLetter(stage, f"{topic or 'no topic'}/{partition}@{offset}", resource, error)
            for stage, topic, partition, offset, resource, error in letters
        )


def nodes(engine: Engine, *, cluster: str) -> dict[str, dict[str, Any]]:
    """Body of every Node record of the store, by name."""
    with store_errors("read the nodes", engine), _reading(engine) as connection:
        return _pairs(connection.execute(_NODES, {"cluster": cluster}))


def holds(engine: Engine, *, cluster: str, topic: str) -> bool:
    """Whether the store already holds anything of the cluster or its topic."""
    with store_errors("look into the database", engine), _reading(engine) as connection:
        return bool(connection.scalar(_PRESENT, {"cluster": cluster, "topic": topic}))


def _reading(engine: Engine) -> Connection:
    # One snapshot for all queries: offsets and statuses must be of the same moment to conclude anything.
    return engine.connect().execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _pairs(found: Iterable[Any]) -> dict[Any, Any]:
    """Rows of two columns as a dict."""
    return {key: value for key, value in found}  # noqa: C416


def _counts(connection: Connection, cluster: str) -> Counts:
    objects: dict[str, int] = {}
    links: dict[str, int] = {}
    lately = 0
    for link, status, number, recent in connection.execute(_STATUSES, {"cluster": cluster, "lately": LATELY}):
        (links if link else objects)[status] = number
        lately += recent
    return Counts(
        resources=_pairs(connection.execute(_RESOURCES, {"cluster": cluster})),
        objects=objects,
        links=links,
        dead_letters=connection.scalar(_DEAD_LETTERS, {"cluster": cluster}) or 0,
        applied_lately=lately / LATELY,
    )


def _position(connection: Connection, cluster: str, topic: str, consumer: str) -> Reading:
    snapshots: dict[str, dict[int, str]] = {}
    for kind, partition, state in connection.execute(_EPOCHS, {"cluster": cluster, "topic": topic}):
        snapshots.setdefault(kind, {})[partition] = state
    return Reading(
        next_offsets=_pairs(connection.execute(_OFFSETS, {"topic": topic, "consumer": consumer})), snapshots=snapshots
    )


def _pods(connection: Connection, cluster: str, first: int, rows: int | None) -> tuple[PodLine, ...]:
    found = connection.execute(_PODS, {"cluster": cluster, "first": first, "rows": rows})
    return tuple(
        PodLine(
            namespace=row.namespace,
            name=row.pod,
            node=row.node or "",
            network=row.network or "",
            address=row.address or "",
            state=row.state,
            reason=row.reason or "",
        )
        for row in found
    )


def _troubles(connection: Connection, cluster: str, statuses: list[str], rows: int) -> tuple[Trouble, ...]:
    found = connection.execute(_TROUBLES, {"cluster": cluster, "statuses": statuses, "rows": rows})
    return tuple(
        Trouble(status, type_, name, reason or error or "no reason given")
        for status, type_, name, reason, error in found
    )
