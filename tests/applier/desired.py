"""Desired objects put straight into the store, as the translator leaves them there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Engine, text

from schemas.contrail.objects import ENTRY, Desired, Entry, Link, joined
from schemas.identity import shard_of
from schemas.store.tables import SHARDS

CLUSTER = "k8s"

_PUT = text("""
    INSERT INTO desired_object AS d (uuid, cluster, shard, namespace, type, fq_name, body, digest, generation, absent)
    VALUES (:uuid, :cluster, :shard, :namespace, :type, :fq_name, CAST(:body AS jsonb), :digest, 1, false)
    ON CONFLICT (uuid) DO UPDATE
    SET body = excluded.body, digest = excluded.digest, generation = d.generation + 1, absent = false
    WHERE d.digest <> excluded.digest OR d.absent
    RETURNING generation
""")
_DOUBT = text("""
    UPDATE apply_state SET applied_generation = NULL
    WHERE object_uuid = (SELECT uuid FROM desired_object WHERE uuid = :uuid AND absent)
""")
_LEAVE = text("""
    UPDATE desired_object SET absent = true, generation = generation + 1 WHERE uuid = :uuid AND NOT absent
    RETURNING generation, shard
""")
_STATE = text("""
    INSERT INTO apply_state (object_uuid, shard, desired_generation)
    VALUES (:uuid, :shard, :generation)
    ON CONFLICT (object_uuid) DO UPDATE
    SET desired_generation = excluded.desired_generation, status = 'pending', attempts = 0, next_attempt_at = now(),
        reason = ''
""")
_EDGE = text("""
    INSERT INTO desired_edge (from_uuid, to_uuid, relation)
    SELECT CAST(:source AS uuid), CAST(:target AS uuid), :relation
    WHERE :relation = 'after' OR EXISTS (SELECT FROM desired_object WHERE uuid = CAST(:target AS uuid))
    ON CONFLICT DO NOTHING
""")


class DesiredStore:
    """Puts and removes desired objects; each call is one transaction that wakes the applier."""

    def __init__(self, engine: Engine, *, cluster: str = CLUSTER) -> None:
        self.engine = engine
        self._cluster = cluster

    def put(self, *objects: Desired, namespace: str = "") -> None:
        """Want these objects as they are; an unchanged one is left alone."""
        with self.engine.begin() as connection:
            shard = shard_of(namespace, SHARDS)
            changed = [wanted for wanted in objects if self._put(connection, wanted, namespace, shard)]
            for wanted in changed:
                self._put_edges(connection, wanted)
            connection.execute(text("SELECT pg_notify('desired', :shard)"), {"shard": str(shard)})

    def remove(self, *objects: Desired) -> None:
        """Want these objects no longer."""
        with self.engine.begin() as connection:
            for wanted in objects:
                found = connection.execute(_LEAVE, {"uuid": wanted.uuid}).one_or_none()
                if found is not None:
                    state = {"uuid": wanted.uuid, "shard": found.shard, "generation": found.generation}
                    connection.execute(_STATE, state)
            connection.execute(text("SELECT pg_notify('desired', '')"))

    def states(self) -> dict[str, Any]:
        """apply_state rows by uuid, with type, fq_name and absent."""
        query = (
            "SELECT a.*, d.type, d.fq_name, d.absent FROM apply_state a JOIN desired_object d ON d.uuid = a.object_uuid"
        )
        return {str(r.object_uuid): r for r in self._all(query)}

    def statuses(self) -> dict[str, str]:
        """Status by `type fq_name`."""
        return {f"{r.type} {r.fq_name}": r.status for r in self.states().values()}

    def observed(self) -> dict[str, Any]:
        """Bodies of observed_object by uuid."""
        return {str(r.uuid): r.body for r in self._all("SELECT uuid, body FROM observed_object")}

    def unfinished(self) -> list[str]:
        """What is not applied, with its status and reason."""
        return [f"{s.type} {s.fq_name}: {s.status} {s.reason}" for s in self.states().values() if s.status != "applied"]

    def reasons(self) -> set[str]:
        """Reasons of everything that is not applied."""
        return {state.reason for state in self.states().values()}

    def _all(self, query: str) -> Iterable[Any]:
        with self.engine.connect() as connection:
            return connection.execute(text(query)).all()

    def _put(self, connection: Connection, wanted: Desired, namespace: str, shard: int) -> bool:
        body = json.dumps(wanted.body(), sort_keys=True)
        shard = shard_of("", SHARDS) if wanted.type == ENTRY else shard
        connection.execute(_DOUBT, {"uuid": wanted.uuid})  # its delete may be under way, or done
        generation = connection.scalar(
            _PUT,
            {
                "uuid": wanted.uuid,
                "cluster": self._cluster,
                "shard": shard,
                "namespace": namespace,
                "type": wanted.type,
                "fq_name": joined(wanted.fq_name),
                "body": body,
                "digest": hashlib.sha256(body.encode()).digest(),
            },
        )
        if generation is not None:
            connection.execute(_STATE, {"uuid": wanted.uuid, "shard": shard, "generation": generation})
        return generation is not None

    def _put_edges(self, connection: Connection, wanted: Desired) -> None:
        connection.execute(text("DELETE FROM desired_edge WHERE from_uuid = :uuid"), {"uuid": wanted.uuid})
        for target, relation in _targets(wanted):
            connection.execute(_EDGE, {"source": wanted.uuid, "target": target, "relation": relation})


def _targets(wanted: Desired) -> list[tuple[str, str]]:
    if isinstance(wanted, Link):
        found = [(wanted.target_uuid, "ref"), *([(wanted.owner_uuid, "ref")] if wanted.owner_uuid else [])]
        return [*found, *((uuid, "after") for uuid in wanted.after)]
    if isinstance(wanted, Entry):
        return []
    found = [(r.uuid, "ref") for r in wanted.references if r.uuid]
    found += [(uuid, "ref") for uuid in wanted.needs]
    found += [(uuid, "after") for uuid in wanted.after]
    return [*found, *([(wanted.parent_uuid, "parent")] if wanted.parent_uuid else [])]
