"""One report on a running system, stage by stage, read from its database (and the bus, if it can be asked)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, text

from console import observe
from console.snapshot import DeadLetter, Snapshot, Trouble
from schemas.store.engine import store_errors

_OLDEST = text(
    """
    SELECT f.created_at, extract(epoch FROM now() - f.created_at), u.status, u.type, u.fq_name, u.reason, u.last_error
    FROM unapplied u
    JOIN object_diff f ON f.object_uuid = u.uuid AND f.generation = u.desired_generation
    WHERE u.cluster = :cluster
    ORDER BY f.created_at LIMIT 1
    """
)
_READERS = text(
    """
    SELECT consumer, partition, next_offset, translator_version, extract(epoch FROM now() - updated_at)
    FROM consumer_offset WHERE topic = :topic ORDER BY consumer, partition
    """
)
_EPOCHS = text(
    """
    SELECT kind, count(*), min(epoch), max(epoch), count(*) FILTER (WHERE state = 'streaming')
    FROM watch_epoch WHERE cluster = :cluster AND topic = :topic GROUP BY kind ORDER BY kind
    """
)


@dataclass(frozen=True, slots=True)
class Position:
    """How far one consumer read one partition; `end` and `lag` are None where the bus was not asked."""

    consumer: str
    partition: int
    next_offset: int
    end: int | None
    lag: int | None
    version: str
    idle_seconds: float


@dataclass(frozen=True, slots=True)
class SnapshotState:
    """The snapshots of one kind: how many of its partitions are streaming, and the epochs they stand in."""

    kind: str
    partitions: int
    streaming: int
    epochs: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Oldest:
    """The change that waits longest to be applied."""

    since: datetime
    seconds: float
    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that `contrail-kube status` shows; `bus` says why the bus was not asked ('' if it was)."""

    cluster: str
    topic: str
    bus: str
    positions: tuple[Position, ...]
    snapshots: tuple[SnapshotState, ...]
    store: Snapshot
    oldest: Oldest | None
    troubles: tuple[Trouble, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    ends: Mapping[int, int] = field(default_factory=dict)

    @property
    def lag(self) -> int | None:
        """Records not read yet, over all partitions; None where the bus was not asked."""
        if self.bus:
            return None
        read = self.store.reading.next_offsets
        return sum(max(0, end - read.get(partition, 0)) for partition, end in self.ends.items())


def report(
    engine: Engine,
    *,
    cluster: str,
    topic: str,
    consumer: str,
    ends: Mapping[int, int] | None,
    bus: str,
    rows: int,
) -> Report:
    """Read a report; `ends` are the end offsets of the bus, or None with `bus` saying why there are none."""
    store = observe.snapshot(engine, cluster=cluster, topic=topic, consumer=consumer, rows=0)
    troubles, letters = observe.troubles(engine, cluster=cluster, rows=rows)
    with store_errors("read the status", engine), engine.connect() as connection:
        positions = tuple(_position(row, ends or {}) for row in connection.execute(_READERS, {"topic": topic}))
        snapshots = tuple(
            SnapshotState(kind, count, streaming, (low, high))
            for kind, count, low, high, streaming in connection.execute(_EPOCHS, {"cluster": cluster, "topic": topic})
        )
        row = connection.execute(_OLDEST, {"cluster": cluster}).one_or_none()
    return Report(
        cluster=cluster,
        topic=topic,
        bus=bus,
        positions=positions,
        snapshots=snapshots,
        store=store,
        oldest=None if row is None else _oldest(row),
        troubles=troubles,
        dead_letters=letters,
        ends=ends or {},
    )


def as_json(found: Report) -> dict[str, Any]:
    """The report as JSON values; the names are promises."""
    counts = found.store.counts
    return {
        "cluster": found.cluster,
        "topic": found.topic,
        "bus": {"asked": not found.bus, "why_not": found.bus, "lag": found.lag},
        "read": [
            _fields(p, "consumer", "partition", "next_offset", "end", "lag", "version", "idle_seconds")
            for p in found.positions
        ],
        "snapshots": [_fields(s, "kind", "partitions", "streaming", "epochs") for s in found.snapshots],
        "resources": dict(counts.resources),
        "objects": dict(counts.objects),
        "links": dict(counts.links),
        "addresses": {"wanted": found.store.interfaces, "allocated": found.store.addressed},
        "networks": [_fields(n, "network", "interfaces", "addressed") for n in found.store.networks],
        "oldest_unapplied": None
        if found.oldest is None
        else {
            "since": found.oldest.since.isoformat(),
            "seconds": found.oldest.seconds,
            **_fields(found.oldest.trouble, "status", "type", "name", "reason"),
        },
        "not_applicable": [_fields(t, "status", "type", "name", "reason") for t in found.troubles],
        "dead_letters": {
            "open": counts.dead_letters,
            "newest": [_fields(d, "stage", "place", "resource", "error") for d in found.dead_letters],
        },
    }


def _fields(value: object, *names: str) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}


def _position(row: Any, ends: Mapping[int, int]) -> Position:
    consumer, partition, offset, version, idle = row
    end = ends.get(partition)
    lag = None if end is None else max(0, end - offset)
    return Position(consumer, partition, offset, end, lag, version, float(idle))


def _oldest(row: Any) -> Oldest:
    since, seconds, status, type_, name, reason, error = row
    return Oldest(since, float(seconds), Trouble(status, type_, name, reason or error or "not tried yet"))
