"""What the feedback reads of the store, and keeps there (shell; SQL): many rows at a time, whatever the cluster's size.

Only written_back and told_event are written; everything else is read as it is now, so a restart loses nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, TextClause, text

from schemas.records.service import LOAD_BALANCER, LOAD_BALANCER_CLASS
from schemas.store.engine import store_errors
from watchers.feedback.addresses import Announcement, Written
from watchers.feedback.network_status import Interface
from watchers.feedback.subject import Subject

ADDRESSES, STATUS = "addresses", "network-status"
"""Parts of written_back."""

_NOT_MEANT = ("enable_hashjoin", "enable_mergejoin", "enable_seqscan", "jit")
LOOK_UP = "; ".join(f"SET LOCAL {name} = off" for name in _NOT_MEANT)
"""Before each question: for a page of pods the planner would else join whole tables, whose size is the cluster's."""

# The addresses of an ingress: its public one, and the one inside its network. Of a service only public ones are told.
_ANNOUNCED = text("""
    WITH served AS (
        SELECT r.kind || '/' || r.namespace || '/' || r.name AS resource, d.type = 'floating-ip' AS public,
            coalesce(o.body ->> 'address', d.body #>> '{properties,floating_ip_address}') AS address,
            a.applied_generation IS NOT NULL AS in_place
        FROM k8s_resource r
        JOIN desired_source s
            ON s.cluster = r.cluster AND s.resource = r.kind || '/' || r.namespace || '/' || r.name
        JOIN desired_object d ON d.uuid = s.object_uuid AND NOT d.absent
        LEFT JOIN apply_state a ON a.object_uuid = d.uuid
        LEFT JOIN observed_object o ON o.uuid = d.uuid
        WHERE r.cluster = :cluster AND (
            r.kind = 'Ingress' AND (
                d.type = 'instance-ip' OR d.type = 'floating-ip' AND d.body ->> 'parent_type' = 'floating-ip-pool')
            OR r.kind = 'Service' AND r.body ->> 'type' = :balancer
                AND coalesce(r.body ->> 'load_balancer_class', '') = ANY (CAST(:classes AS text[]))
                AND d.type = 'floating-ip' AND d.body ->> 'parent_type' = 'floating-ip-pool')
    ), wanted AS (
        SELECT resource, bool_and(in_place AND address IS NOT NULL) AS complete,
            coalesce(array_agg(address ORDER BY public DESC, family(address::inet), address)
                FILTER (WHERE in_place AND address IS NOT NULL), '{}') AS ready
        FROM served GROUP BY resource
    ), named AS (
        SELECT coalesce(w.resource, b.resource) AS resource, w.complete, w.ready, b.uid AS written_uid, b.value,
            b.resource_version AS written_version, b.held
        FROM wanted w
        FULL JOIN (SELECT * FROM written_back WHERE cluster = :cluster AND part = 'addresses') b
            ON b.resource = w.resource
    )
    SELECT n.*, r.uid, r.api_version, r.resource_version, r.body -> 'load_balancer' AS announced
    FROM named n
    LEFT JOIN k8s_resource r
        ON r.cluster = :cluster AND r.kind = split_part(n.resource, '/', 1)
        AND r.namespace = split_part(n.resource, '/', 2) AND r.name = split_part(n.resource, '/', 3)
    ORDER BY n.resource
""")
# A little before the newest that was seen: transactions do not commit in the order of their times.
_RECENT = text("""
    SELECT extract(epoch FROM o.observed_at)::float8 AS at, o.uuid::text AS uuid, split_part(s.resource, '/', 2),
           split_part(s.resource, '/', 3)
    FROM (
        SELECT observed_at, uuid FROM observed_object
        WHERE (observed_at, uuid) > (to_timestamp(:at), CAST(:uuid AS uuid)) AND type = 'instance-ip'
        ORDER BY observed_at, uuid LIMIT :limit
    ) o
    LEFT JOIN desired_source s
        ON s.object_uuid = o.uuid AND s.cluster = :cluster AND starts_with(s.resource, 'Pod/')
    ORDER BY o.observed_at, o.uuid
""")
_NOW = text("SELECT extract(epoch FROM now())::float8")
_PODS = text("""
    SELECT namespace, name FROM k8s_resource
    WHERE cluster = :cluster AND kind = 'Pod' AND (namespace, name) > (:namespace, :name)
    ORDER BY namespace, name LIMIT :limit
""")
# OFFSET 0 keeps the planner from beginning with all pods of the cluster.
_INTERFACES = text("""
    SELECT a.*, b.uid AS written_uid, b.value
    FROM json_to_recordset(CAST(:pods AS json)) k(namespace text, name text)
    CROSS JOIN LATERAL (
        SELECT namespace, pod, pod_uid, interface, attachment, network, mac, family, address, dns FROM pod_address
        WHERE cluster = :cluster AND namespace = k.namespace AND pod = k.name OFFSET 0
    ) a
    LEFT JOIN written_back b
        ON b.cluster = :cluster AND b.part = 'network-status' AND b.resource = 'Pod/' || k.namespace || '/' || k.name
    ORDER BY a.namespace, a.pod, a.interface, a.family
""")
_SAVE = text("""
    INSERT INTO written_back (cluster, resource, part, uid, value, resource_version, held)
    SELECT :cluster, n.resource, n.part, n.uid, n.value, n.resource_version, n.held
    FROM json_to_recordset(CAST(:rows AS json))
        n(resource text, part text, uid text, value text, resource_version text, held text)
    ON CONFLICT (cluster, resource, part) DO UPDATE SET
        uid = excluded.uid, value = excluded.value, resource_version = excluded.resource_version,
        held = excluded.held, written_at = now()
""")
_FORGET = text("""
    DELETE FROM written_back WHERE cluster = :cluster AND part = 'addresses'
        AND resource = ANY (CAST(:resources AS text[]))
""")
_CLEAN = text("""
    DELETE FROM written_back b
    WHERE b.cluster = :cluster AND b.part = 'network-status' AND NOT EXISTS (
        SELECT FROM k8s_resource r
        WHERE r.cluster = b.cluster AND r.kind = 'Pod' AND r.namespace = split_part(b.resource, '/', 2)
            AND r.name = split_part(b.resource, '/', 3) AND r.uid = b.uid)
""")


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of written_back."""

    resource: str
    part: str
    uid: str
    value: str
    resource_version: str = ""
    held: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Seen:
    """How far observations were looked at: time in seconds since the epoch, and uuid."""

    at: float
    uuid: str = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class PodInterfaces:
    """A pod's interfaces, and what was written of them to the object with its uid, None if nothing."""

    subject: Subject
    interfaces: tuple[Interface, ...]
    written: str | None


class FeedbackStore:
    """The store of one cluster; raises StoreUnavailable and StoreMismatch. Each call is one transaction."""

    def __init__(self, engine: Engine, cluster: str) -> None:
        self._engine = engine
        self._cluster = cluster

    def announcements(self) -> list[Announcement]:
        """Services and ingresses that shall have addresses, or were told some, by key."""
        scope = {"balancer": LOAD_BALANCER, "classes": ["", LOAD_BALANCER_CLASS]}
        return [_announcement(row) for row in self._all("read addresses to announce", _ANNOUNCED, **scope)]

    def now(self) -> float:
        """The database's time, in seconds since the epoch."""
        ((now,),) = self._all("read the time", _NOW)
        return float(now)

    def recent(self, since: Seen, limit: int) -> list[tuple[Seen, tuple[str, str] | None]]:
        """Pods (namespace, name) whose addresses were observed since, in that order; None for what is no pod's."""
        rows = self._all("read new addresses", _RECENT, at=since.at, uuid=since.uuid, limit=limit)
        return [(Seen(at, uuid), (space, name) if name else None) for at, uuid, space, name in rows]

    def pods(self, after: tuple[str, str], limit: int) -> list[tuple[str, str]]:
        """Pods (namespace, name) behind that one, in order."""
        rows = self._all("read pods", _PODS, namespace=after[0], name=after[1], limit=limit)
        return [(namespace, name) for namespace, name in rows]

    def interfaces(self, pods: Collection[tuple[str, str]]) -> list[PodInterfaces]:
        """These pods with their interfaces; those without one are left out."""
        named = json.dumps([{"namespace": namespace, "name": name} for namespace, name in sorted(set(pods))])
        return _pods(self._all("read interfaces", _INTERFACES, pods=named)) if pods else []

    def save(self, entries: Sequence[Entry], forgotten: Collection[str] = ()) -> None:
        """Keep what was written, and forget the addresses of these resources."""
        if not entries and not forgotten:
            return
        rows = [{name: getattr(entry, name) for name in Entry.__slots__} for entry in entries]
        with store_errors("keep what was written", self._engine), self._engine.begin() as connection:
            if rows:
                connection.execute(_SAVE, {"cluster": self._cluster, "rows": json.dumps(rows)})
            if forgotten:
                connection.execute(_FORGET, {"cluster": self._cluster, "resources": sorted(forgotten)})

    def clean(self) -> int:
        """Forget what pods were told that are gone; returns how many."""
        with store_errors("forget pods that are gone", self._engine), self._engine.begin() as connection:
            return connection.execute(_CLEAN, {"cluster": self._cluster}).rowcount

    def _all(self, doing: str, statement: TextClause, **values: Any) -> Sequence[Any]:
        with store_errors(doing, self._engine), self._engine.connect() as connection:
            return asked(connection, statement, {"cluster": self._cluster, **values})


def asked(connection: Connection, statement: TextClause, values: dict[str, Any]) -> Sequence[Any]:
    """Rows of a question, found by looking up and not by going through tables."""
    connection.exec_driver_sql(LOOK_UP)
    return connection.execute(statement, values).all()


def _announcement(row: Any) -> Announcement:
    subject = None if row.uid is None else Subject.of(row.resource, uid=row.uid, api_version=row.api_version)
    written = None
    if row.written_uid is not None:
        written = Written(row.written_uid, tuple(json.loads(row.value)), row.written_version, row.held)
    announced = None
    if subject is not None and subject.kind == "Service":
        announced = tuple(each.get("ip", "") or each.get("hostname", "") for each in row.announced or ())
    return Announcement(
        row.resource,
        subject,
        row.resource_version or "",
        announced,
        row.ready is not None,
        tuple(row.ready or ()),
        bool(row.complete),
        written,
    )


def _pods(rows: Sequence[Any]) -> list[PodInterfaces]:
    by_pod: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        by_pod.setdefault((row.namespace, row.pod), []).append(row)
    return [_pod(Subject("Pod", *key, uid=found[0].pod_uid, api_version="v1"), found) for key, found in by_pod.items()]


def _pod(subject: Subject, rows: Sequence[Any]) -> PodInterfaces:
    names = dict.fromkeys(row.interface for row in rows)
    interfaces = tuple(_interface([row for row in rows if row.interface == name]) for name in names)
    mine = rows[0].written_uid == subject.uid
    return PodInterfaces(subject, interfaces, rows[0].value if mine else None)


def _interface(rows: Sequence[Any]) -> Interface:
    first, servers = rows[0], dict.fromkeys(row.dns for row in rows if row.dns)
    addresses = tuple(row.address for row in rows)
    return Interface(first.interface, first.attachment, first.network, first.mac, addresses, tuple(servers))
