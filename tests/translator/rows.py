"""Everything a store holds, in one comparable form; and the part of the applier that removes absent rows."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Protocol

from sqlalchemy import Engine, text

from translator.memory import MemoryStore
from translator.store import Store

_decoded = lru_cache(maxsize=65536)(json.loads)
"""Nobody changes what was dumped, and histories dump the same rows again and again."""

Dump = dict[str, dict[Any, Any]]
"""Rows by table and key; without times, which no two runs share."""


class Backend(Protocol):
    """A store and a look at its rows."""

    store: Store

    def dump(self) -> Dump:
        """All rows."""

    def confirm(self) -> int:
        """Contrail has deleted what shall be absent: the rows go, as the applier removes them. Returns how many."""

    def apply(self) -> None:
        """Contrail has followed everything."""


class MemoryBackend:
    """The store in memory."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    def dump(self) -> Dump:
        """All rows."""
        tables = self.store.tables
        return {
            "offsets": {key: (p.next_offset, p.version) for key, p in tables.offsets.items()},
            "epochs": {
                (topic, *key): (epoch.epoch, epoch.listing, epoch.revision, epoch.listed_at, offset)
                for (topic, key), (epoch, offset) in tables.epochs.items()
            },
            "resources": {
                key: (r.uid, r.resource_version, r.epoch, _decoded(r.text), _position(r.cause.position))
                for key, r in tables.resources.items()
            },
            "reads": {key: sorted(reads) for key, reads in tables.reads.items() if reads},
            "objects": {
                uuid: (
                    o.type,
                    o.fq_name,
                    o.namespace,
                    o.shard,
                    _decoded(o.body),
                    o.digest.hex(),
                    o.generation,
                    o.absent,
                )
                for uuid, o in tables.objects.items()
            },
            "sources": {
                (uuid, key): digest.hex() for uuid, keys in tables.sources.items() for key, digest in keys.items()
            },
            "notices": {
                (key, *place): (said.message, said.normal)
                for key, notices in tables.notices.items()
                for place, said in notices.items()
            },
            "edges": {(uuid, *edge): True for uuid, edges in tables.edges.items() for edge in edges},
            "states": dict(tables.states),
            "diffs": {
                key: (
                    d.op,
                    *(None if body is None else _decoded(body) for body in (d.before, d.after)),
                    d.patch,
                    d.resource,
                    _position(d.cause.position),
                    d.cause.event_id,
                )
                for key, d in tables.diffs.items()
            },
            "letters": {
                (stage, _position(position), resource): (
                    x.letter.error_class,
                    x.letter.error,
                    x.times,
                    x.resolved,
                    x.letter.uid,
                )
                for (stage, position, resource), x in tables.letters.items()
            },
        }

    def confirm(self) -> int:
        """Remove absent rows."""
        tables = self.store.tables
        gone = [uuid for uuid, row in tables.objects.items() if row.absent]
        for uuid in gone:
            del tables.objects[uuid], tables.states[uuid]
            tables.edges.pop(uuid, None)
            tables.sources.pop(uuid, None)
        return len(gone)

    def apply(self) -> None:
        """Mark everything applied."""
        for uuid, (_, generation) in self.store.tables.states.items():
            self.store.tables.states[uuid] = ("applied", generation)


class PostgresBackend:
    """The store in PostgreSQL."""

    def __init__(self, store: Store, engine: Engine) -> None:
        self.store = store
        self._engine = engine

    def dump(self) -> Dump:
        """All rows."""
        position = "topic || '/' || partition || '/' || at_offset"
        key = "kind || '/' || namespace || '/' || name"
        return {
            "offsets": self._table(
                "SELECT consumer, topic, partition, next_offset, translator_version FROM consumer_offset", 3
            ),
            "epochs": self._table(
                "SELECT topic, kind, partition, epoch, state = 'listing', revision, "
                "coalesce((extract(epoch FROM listed_at) * 1000000)::bigint, 0), at_offset FROM watch_epoch",
                3,
            ),
            "resources": self._table(
                f"SELECT {key}, uid, resource_version, epoch, body, {position} FROM k8s_resource", 1
            ),
            "reads": {
                reader: sorted(reads)
                for reader, reads in self._rows("SELECT reader, array_agg(read) FROM resource_read GROUP BY reader")
            },
            "objects": self._table(
                "SELECT uuid::text, type, fq_name, namespace, shard, body, encode(digest, 'hex'), generation, absent "
                "FROM desired_object",
                1,
            ),
            "sources": self._table("SELECT object_uuid::text, resource, encode(digest, 'hex') FROM desired_source", 2),
            "notices": self._table("SELECT resource, about, reason, message, normal FROM resource_notice", 3),
            "edges": self._table("SELECT from_uuid::text, to_uuid::text, relation, true FROM desired_edge", 3),
            "states": self._table("SELECT object_uuid::text, status, desired_generation FROM apply_state", 1),
            "diffs": self._table(
                f"SELECT object_uuid::text, generation, op, before, after, patch, resource, {position}, event_id::text "
                "FROM object_diff",
                2,
            ),
            "letters": self._table(
                f"SELECT stage, {position}, resource, error_class, error, times, resolved_at IS NOT NULL, uid "
                "FROM dead_letter",
                3,
            ),
        }

    def confirm(self) -> int:
        """Remove absent rows."""
        with self._engine.begin() as connection:
            return connection.execute(text("DELETE FROM desired_object WHERE absent")).rowcount

    def apply(self) -> None:
        """Mark everything applied."""
        with self._engine.begin() as connection:
            connection.execute(
                text("UPDATE apply_state SET status = 'applied', applied_generation = desired_generation")
            )

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]

    def _table(self, statement: str, keys: int) -> dict[Any, Any]:
        rows = self._rows(statement)
        found = {row[0] if keys == 1 else row[:keys]: row[keys] if len(row) == keys + 1 else row[keys:] for row in rows}
        assert len(found) == len(rows)
        return found


def _position(position: Any) -> str:
    return f"{position.topic}/{position.partition}/{position.offset}"
