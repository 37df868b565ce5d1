"""One transaction over PostgreSQL: bulk reads and bulk writes, a constant number of statements whatever the batch.

Driver errors pass through; `PostgresStore.run` says what they mean.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from schemas.errors import Fenced
from translator import statements as sql
from translator.copying import NULL, binary, json_parameter, json_text, moment, text
from translator.diff import Change, StoredObject
from translator.fold import Epoch
from translator.notice import Notices, Place, Said
from translator.resource import BODY_OF_KIND, Cause, Head, Key, Position, Resource
from translator.store import DeadLetter, EpochKey, Move, ResourceChanges, Seen, Sweep, Writes

_DECODERS = {kind: msgspec.json.Decoder(body) for kind, body in BODY_OF_KIND.items()}


class PostgresSession:
    """Session port over one cursor inside an open transaction."""

    def __init__(self, cursor: Cursor, cluster: str) -> None:
        self._cursor = cursor
        self._cluster = cluster

    def advance(self, consumer: str, topic: str, moves: Collection[Move]) -> None:
        """Move the offsets; raises Fenced if one of them is not as expected."""
        rows = [msgspec.to_builtins(move) for move in moves]
        self._run(sql.ADVANCE, consumer=consumer, topic=topic, moves=json_parameter(rows))
        if self._cursor.rowcount != len(rows):
            expected = {move.partition: move.expected for move in moves}
            raise Fenced(f"offsets of {topic} are not {expected} any more: another instance took over")

    def epochs(self, topic: str, partitions: Collection[int]) -> dict[EpochKey, Epoch]:
        """Newest epochs of all kinds in these partitions."""
        rows = self._all(sql.EPOCHS, topic=topic, partitions=list(partitions))
        return {(kind, partition): Epoch(*rest) for kind, partition, *rest in rows}

    def heads(self, keys: Collection[Key]) -> dict[Key, Head]:
        """What the fold must know of these resources."""
        return dict(map(_head, self._all(sql.HEADS, keys=self._split(keys)))) if keys else {}

    def older(self, topic: str, sweeps: Collection[Sweep]) -> dict[Key, Head]:
        """Resources that the sweeps would remove."""
        rows = json_parameter({**msgspec.to_builtins(sweep), "cluster": self._cluster} for sweep in sweeps)
        return dict(map(_head, self._all(sql.OLDER, topic=topic, sweeps=rows)))

    def save_resources(self, changes: ResourceChanges) -> None:
        """Write the fold."""
        prefix = f"{text(self._cluster)}\t"
        if changes.removed:
            self._run(sql.REMOVE_RESOURCES, keys=self._split(changes.removed))
        if changes.replaced or changes.seen:
            told = [*map(_resource_line, changes.replaced), *map(_seen_line, changes.seen)]
            self._copy("told_resource", sql.RESOURCE_COLUMNS, (prefix + line for line in told))
            self._run(sql.REPLACE_RESOURCES)
        if changes.created:
            lines = (prefix + _resource_line(each) for each in changes.created)
            self._copy("k8s_resource", sql.RESOURCE_COLUMNS, lines)

    def resources(self, keys: Collection[Key]) -> dict[Key, Resource]:
        """Whole resources."""
        found = map(_resource, self._all(sql.RESOURCES, keys=self._split(keys)))
        return {resource.key: resource for resource in found}

    def listing(self, kind: str, namespace: str | None) -> list[Resource]:
        """Resources of a kind, of one namespace or of all, ordered by namespace and name."""
        if namespace is None:
            rows = self._all(sql.LISTING, kind=kind)
        else:
            rows = self._all(sql.LISTING_OF_NAMESPACE, kind=kind, namespace=namespace)
        # Ordered here: the database's collation may be another one.
        return sorted(map(_resource, rows), key=lambda each: (each.namespace, each.name))

    def page(self, topic: str, partition: int, after: Key | None, limit: int) -> list[Resource]:
        """Resources of a partition, in the database's order of kind, namespace and name."""
        kind, namespace, name = after.split("/") if after is not None else ("", "", "")
        place = {"kind": kind, "namespace": namespace, "name": name}
        return list(map(_resource, self._all(sql.PAGE, topic=topic, partition=partition, limit=limit, **place)))

    def readers(self, reads: Collection[Key]) -> set[Key]:
        """Resources whose translation asked for one of these keys."""
        return {Key(reader) for (reader,) in self._some(sql.READERS, reads)}

    def reads(self, readers: Collection[Key]) -> dict[Key, frozenset[Key]]:
        """What the last translations of these resources asked for."""
        found: dict[Key, set[Key]] = {}
        for reader, read in self._some(sql.READS, readers):
            found.setdefault(Key(reader), set()).add(Key(read))
        return {reader: frozenset(reads) for reader, reads in found.items()}

    def wishes(self, resources: Collection[Key]) -> dict[Key, dict[str, bytes]]:
        """Objects that these resources want: digest by uuid."""
        found: dict[Key, dict[str, bytes]] = {}
        for resource, uuid, digest in self._some(sql.WISHES, resources):
            found.setdefault(Key(resource), {})[uuid] = bytes(digest)
        return found

    def notices(self, resources: Collection[Key]) -> dict[Key, Notices]:
        """What the last translations of these resources noticed."""
        found: dict[Key, dict[Place, Said]] = {}
        for resource, about, reason, message, normal in self._some(sql.NOTICES, resources):
            found.setdefault(Key(resource), {})[Key(about), reason] = Said(message, normal)
        return dict(found)

    def objects(self, uuids: Collection[str]) -> dict[str, StoredObject]:
        """Desired objects, absent ones included."""
        return {
            uuid: StoredObject(uuid, kind, fq_name, namespace, body.encode(), bytes(digest), generation, absent)
            for uuid, kind, fq_name, namespace, body, digest, generation, absent in self._by_uuid(sql.OBJECTS, uuids)
        }

    def sources(self, most: Mapping[str, int]) -> dict[str, dict[Key, bytes]]:
        """Who wants these objects: digest by resource, of each object the so many smallest keys."""
        found: dict[str, dict[Key, bytes]] = {}
        asked = [(uuid, self._cluster, count) for uuid, count in most.items()]
        rows = self._all(sql.SOURCES, keys=json_parameter(asked)) if asked else []
        for uuid, resource, digest in rows:
            found.setdefault(uuid, {})[Key(resource)] = bytes(digest)
        return found

    def last_generations(self, uuids: Collection[str]) -> dict[str, int]:
        """Highest generation that each object ever had."""
        return dict(self._by_uuid(sql.LAST_GENERATIONS, uuids))

    def save(self, writes: Writes, version: str) -> None:
        """Write the batch's changes, and wake the applier of each shard at commit."""
        # Absent rows leave their names first, objects come before what refers to them.
        self._clear(writes)
        self._fill(writes, version)
        self._settle(writes)

    def _clear(self, writes: Writes) -> None:
        script = Script(self._cursor, self._cluster)
        gone = [each.row for each in writes.changes if each.op == "delete"]
        script.add(sql.MARK_ABSENT, [{"uuid": row.uuid, "generation": row.generation} for row in gone])
        script.add(sql.REMOVE_SOURCES, [self._source(*each) for each in writes.sources_removed])
        script.add(sql.REMOVE_EDGES, [_edge(each, *edge) for each in writes.changes for edge in each.edges_removed])
        script.add(sql.REMOVE_READS, [(self._cluster, *each) for each in writes.reads_removed])
        script.add(sql.REMOVE_NOTICES, [(self._cluster, *each) for each in writes.notices_gone])
        script.run()

    def _fill(self, writes: Writes, version: str) -> None:
        cluster = text(self._cluster)
        kept = [each for each in writes.changes if each.op != "delete"]
        new = [each.row for each in kept if not each.existed]
        replaced = [each.row for each in kept if each.existed]
        if replaced:
            self._copy("told_object", sql.OBJECT_COLUMNS, map(_object_line, replaced))
            self._run(sql.REPLACE_OBJECTS)
        self._copy("desired_object", f"cluster, {sql.OBJECT_COLUMNS}", (f"{cluster}\t{_object_line(r)}" for r in new))
        self._copy(
            "desired_source",
            "object_uuid, cluster, resource, digest",
            (f"{uuid}\t{cluster}\t{text(key)}\t{binary(digest)}" for uuid, key, digest in writes.sources_added),
        )
        self._copy(
            "desired_edge",
            "from_uuid, to_uuid, relation",
            (f"{each.row.uuid}\t{to}\t{relation}" for each in kept for to, relation in sorted(each.edges_added)),
        )
        tail = f"\t{text(version)}"
        diffs = (f"{cluster}\t{_diff_line(each)}{tail}" for each in writes.changes)
        self._copy("object_diff", _DIFF_COLUMNS, diffs)
        states = (f"{row.uuid}\t{row.shard}\t{row.generation}" for row in new)
        self._copy("apply_state", "object_uuid, shard, desired_generation", states)
        reads = (f"{cluster}\t{text(reader)}\t{text(read)}" for reader, read in writes.reads_added)
        self._copy("resource_read", "cluster, reader, read", reads)

    def _settle(self, writes: Writes) -> None:
        script = Script(self._cursor, self._cluster)
        rows = [each.row for each in writes.changes if each.existed]
        states = [{"object_uuid": r.uuid, "shard": r.shard, "generation": r.generation} for r in rows]
        script.add(sql.AWAIT_APPLY, states)
        script.add(
            sql.DOUBT_APPLIED, [each.row.uuid for each in writes.changes if each.existed and each.op == "create"]
        )
        changed = [{**self._source(u, k), "digest": f"\\x{digest.hex()}"} for u, k, digest in writes.sources_changed]
        script.add(sql.CHANGE_SOURCES, changed)
        script.add(sql.SAVE_EPOCHS, list(map(_epoch_row, writes.epochs.items())), topic=writes.topic)
        script.add(sql.SAVE_NOTICES, [_notice_row(*each) for each in writes.notices_told])
        script.add(sql.SAVE_LETTERS, list(map(_letter_row, writes.dead_letters)))
        script.add(sql.SETTLE_LETTERS, self._settled(writes))
        shards = sorted({change.row.shard for change in writes.changes})
        script.add(sql.NOTIFY, shards, shards=",".join(map(str, shards)))
        script.run()

    def _split(self, keys: Collection[Key]) -> str:
        return json_parameter((self._cluster, *key.split("/")) for key in keys)

    def _source(self, uuid: str, key: Key) -> dict[str, str]:
        return {"object_uuid": uuid, "cluster": self._cluster, "resource": key}

    def _settled(self, writes: Writes) -> list[tuple[Any, ...]]:
        return [
            (self._cluster, key, place.topic, place.partition, place.offset, translated)
            for well, translated in ((writes.well_told, False), (writes.well_translated, True))
            for key, place in well.items()
        ]

    def _some(self, statement: str, keys: Collection[str]) -> Iterable[tuple[Any, ...]]:
        return self._all(statement, keys=json_parameter((self._cluster, key) for key in keys)) if keys else ()

    def _by_uuid(self, statement: str, uuids: Collection[str]) -> Iterable[tuple[Any, ...]]:
        return self._all(statement, keys=json_parameter(uuids)) if uuids else ()

    def _all(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        self._run(statement, **parameters)
        return self._cursor.fetchall()

    def _run(self, statement: str, **parameters: Any) -> None:
        self._cursor.execute(statement, {"cluster": self._cluster, **parameters})

    def _copy(self, table: str, columns: str, lines: Iterable[str]) -> None:
        if data := "\n".join(lines):
            self._cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN", io.BytesIO(data.encode()))


class Script:
    """Several statements sent as one, each left out when it has no rows."""

    def __init__(self, cursor: Cursor, cluster: str) -> None:
        self._cursor = cursor
        self._cluster = cluster
        self._parts: list[bytes] = []

    def add(self, statement: str, rows: list[Any], **parameters: Any) -> None:
        """Add a statement whose parameter `rows` is the JSON of the rows."""
        if rows:
            values = {"cluster": self._cluster, "rows": json_parameter(rows), **parameters}
            self._parts.append(self._cursor.mogrify(statement, values))

    def run(self) -> None:
        """Send what was added."""
        if self._parts:
            self._cursor.execute(b";".join(self._parts))


_DIFF_COLUMNS = (
    "cluster, object_uuid, generation, type, fq_name, op, before, after, patch, resource, topic, partition, "
    "at_offset, event_id, translator_version"
)


def _head(row: tuple[Any, ...]) -> tuple[Key, Head]:
    key, uid, resource_version, epoch, digest, partition = row
    return Key(key), Head(uid, resource_version, epoch, bytes(digest), partition)


def _resource(row: tuple[Any, ...]) -> Resource:
    kind, namespace, name, api_version, uid, resource_version, epoch, body, digest, *position, event_id, at = row
    return Resource(
        kind=kind,
        namespace=namespace,
        name=name,
        api_version=api_version,
        uid=uid,
        resource_version=resource_version,
        epoch=epoch,
        body=_DECODERS[kind].decode(body),
        text=body.encode(),
        digest=bytes(digest),
        cause=Cause(Position(*position), event_id),
        observed_at=at,
    )


def _resource_line(resource: Resource) -> str:
    return "\t".join(
        (
            text(resource.kind),
            text(resource.namespace),
            text(resource.name),
            text(resource.api_version),
            text(resource.uid),
            text(resource.resource_version),
            str(resource.epoch),
            json_text(resource.text),
            binary(resource.digest),
            _cause_fields(resource.cause),
            moment(resource.observed_at),
        )
    )


def _seen_line(seen: Seen) -> str:
    names = "\t".join(map(text, seen.key.split("/")))
    version = f"{NULL}\t{NULL}\t{text(seen.resource_version)}\t{seen.epoch}\t{NULL}\t{NULL}"
    return f"{names}\t{version}\t{_cause_fields(seen.cause)}\t{moment(seen.observed_at)}"


def _cause_fields(cause: Cause) -> str:
    position = cause.position
    return f"{text(position.topic)}\t{position.partition}\t{position.offset}\t{cause.event_id or NULL}"


def _object_line(row: StoredObject) -> str:
    return "\t".join(
        (
            f"{row.uuid}\t{row.shard}",
            text(row.namespace),
            row.type,
            text(row.fq_name),
            json_text(row.body),
            binary(row.digest),
            str(row.generation),
        )
    )


def _diff_line(change: Change) -> str:
    row = change.row
    patch = None if change.patch is None else msgspec.json.encode(change.patch)
    return "\t".join(
        (
            f"{row.uuid}\t{row.generation}\t{row.type}",
            text(row.fq_name),
            change.op,
            json_text(change.before),
            json_text(change.after),
            json_text(patch),
            text(change.resource),
            _cause_fields(change.cause),
        )
    )


def _edge(change: Change, to: str, relation: str) -> dict[str, str]:
    return {"from_uuid": change.row.uuid, "to_uuid": to, "relation": relation}


def _epoch_row(item: tuple[EpochKey, tuple[Epoch, int]]) -> dict[str, Any]:
    (kind, partition), (epoch, offset) = item
    state = "listing" if epoch.listing else "streaming"
    place = {"kind": kind, "partition": partition, "at_offset": offset}
    listed_at = moment(epoch.listed_at)
    told = {"revision": epoch.revision, "listed_at": None if listed_at == NULL else listed_at}
    return {**place, "epoch": epoch.epoch, "state": state, **told}


def _notice_row(resource: Key, about: Key, reason: str, said: Said) -> dict[str, Any]:
    return {"resource": resource, "about": about, "reason": reason, "message": said.message, "normal": said.normal}


def _letter_row(letter: DeadLetter) -> dict[str, Any]:
    position = letter.position
    place = {"topic": position.topic, "partition": position.partition, "at_offset": position.offset}
    told = {"stage": letter.stage, "resource": letter.resource, "uid": letter.uid}
    error = {"error_class": letter.error_class, "error": letter.error, "payload": f"\\x{letter.payload.hex()}"}
    return {**place, **told, **error}
