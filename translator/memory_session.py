"""One transaction over the store in memory: the same rows as PostgreSQL's, in dictionaries. No I/O.

A journal of what was overwritten takes everything back when the transaction fails.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from schemas.errors import Fenced
from translator.diff import Change, Edge, StoredObject
from translator.fold import Epoch
from translator.notice import Notices, Place, Said
from translator.resource import Head, Key, Position, Resource
from translator.store import DeadLetter, EpochKey, Move, Progress, ResourceChanges, Seen, Sweep, Writes

Home = tuple[str, str, int]
"""(kind, topic, partition)."""


_NOTHING = object()
SMALL = 32
"""So many sources are as soon copied as ordered."""


class Letter(msgspec.Struct, frozen=True, gc=False):
    """A dead letter with how often it came and whether it is settled."""

    letter: DeadLetter
    times: int
    resolved: bool


class Tables:
    """The rows, by their keys."""

    def __init__(self) -> None:
        self.offsets: dict[tuple[str, str, int], Progress] = {}
        self.epochs: dict[tuple[str, EpochKey], tuple[Epoch, int]] = {}
        self.resources: dict[Key, Resource] = {}
        self.places: dict[Home, dict[Key, None]] = {}
        self.spaces: dict[tuple[str, str], dict[Key, None]] = {}
        """Keys by kind and namespace."""
        self.reads: dict[Key, frozenset[Key]] = {}
        self.readers: dict[Key, dict[Key, None]] = {}
        self.wishes: dict[Key, dict[str, bytes]] = {}
        self.notices: dict[Key, dict[Place, Said]] = {}
        self.objects: dict[str, StoredObject] = {}
        self.sources: dict[str, dict[Key, bytes]] = {}
        self.orders: dict[str, list[Key]] = {}
        """Sources of an object in order, of those that were asked for and have many; follows from `sources`."""
        self.edges: dict[str, frozenset[Edge]] = {}
        self.names: dict[tuple[str, str], str] = {}
        self.states: dict[str, tuple[str, int]] = {}
        self.diffs: dict[tuple[str, int], Change] = {}
        self.generations: dict[str, int] = {}
        self.letters: dict[tuple[str, Position, str], Letter] = {}
        self.notified: list[str] = []


class MemorySession:
    """One transaction over the tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._journal: list[Any] = []
        """Mapping, key and former value, one after another: a tuple for each would be one more for the collector."""
        self._notified = len(tables.notified)

    def undo(self) -> None:
        """Put back everything that this session overwrote."""
        journal = self._journal
        while journal:
            old, key, mapping = journal.pop(), journal.pop(), journal.pop()
            if old is _NOTHING:
                mapping.pop(key, None)
            else:
                mapping[key] = old
        self._tables.orders.clear()
        del self._tables.notified[self._notified :]

    def advance(self, consumer: str, topic: str, moves: Collection[Move]) -> None:
        """Move the offsets; raises Fenced if one of them is not as expected."""
        for move in moves:
            place = (consumer, topic, move.partition)
            stored = self._tables.offsets.get(place)
            if stored is None or stored.next_offset != move.expected:
                raise Fenced(f"offset of {topic} {move.partition} is {stored}: another instance took over")
            self._put(self._tables.offsets, place, Progress(move.next_offset, move.version))

    def epochs(self, topic: str, partitions: Collection[int]) -> dict[EpochKey, Epoch]:
        """Newest epochs of all kinds in these partitions."""
        return {
            key: epoch
            for (stored, key), (epoch, _) in self._tables.epochs.items()
            if stored == topic and key[1] in partitions
        }

    def heads(self, keys: Collection[Key]) -> dict[Key, Head]:
        """What the fold must know of these resources."""
        resources = self._tables.resources
        return {key: _head(resources[key]) for key in keys if key in resources}

    def older(self, topic: str, sweeps: Collection[Sweep]) -> dict[Key, Head]:
        """Resources that the sweeps would remove."""
        found: dict[Key, Head] = {}
        for sweep in sweeps:
            for key in self._tables.places.get((sweep.kind, topic, sweep.partition), ()):
                resource = self._tables.resources[key]
                if resource.epoch < sweep.epoch:
                    found[key] = _head(resource)
        return found

    def save_resources(self, changes: ResourceChanges) -> None:
        """Write the fold."""
        for key in changes.removed:
            gone = self._tables.resources[key]
            self._unplace(gone)
            self._drop(self._tables.spaces[gone.kind, gone.namespace], key)
            self._drop(self._tables.resources, key)
        for resource in changes.created:
            self._put(self._index(self._tables.spaces, (resource.kind, resource.namespace)), resource.key, None)
        for resource in changes.replaced:
            self._unplace(self._tables.resources[resource.key])
        seen = [self._again(each) for each in changes.seen]
        for resource in (*changes.created, *changes.replaced, *seen):
            key = resource.key
            self._put(self._tables.resources, key, resource)
            self._put(self._index(self._tables.places, _place(resource)), key, None)

    def _again(self, seen: Seen) -> Resource:
        stored = self._tables.resources[seen.key]
        self._unplace(stored)
        told = {"epoch": seen.epoch, "cause": seen.cause, "observed_at": seen.observed_at}
        return msgspec.structs.replace(stored, resource_version=seen.resource_version, **told)

    def resources(self, keys: Collection[Key]) -> dict[Key, Resource]:
        """Whole resources."""
        resources = self._tables.resources
        return {key: resources[key] for key in keys if key in resources}

    def listing(self, kind: str, namespace: str | None) -> list[Resource]:
        """Resources of a kind, of one namespace or of all, ordered by namespace and name."""
        resources, spaces = self._tables.resources, self._tables.spaces
        if namespace is not None:
            asked = [spaces.get((kind, namespace), {})]
        else:
            asked = [keys for (of, _), keys in spaces.items() if of == kind]
        return sorted((resources[key] for keys in asked for key in keys), key=lambda each: (each.namespace, each.name))

    def page(self, topic: str, partition: int, after: Key | None, limit: int) -> list[Resource]:
        """Resources of a partition, ordered by key."""
        keys = sorted(
            key
            for (_, stored, number), keys in self._tables.places.items()
            if stored == topic and number == partition
            for key in keys
            if after is None or key > after
        )
        return [self._tables.resources[key] for key in keys[:limit]]

    def readers(self, reads: Collection[Key]) -> set[Key]:
        """Resources whose translation asked for one of these keys."""
        readers = self._tables.readers
        return {reader for read in reads for reader in readers.get(read, ())}

    def reads(self, readers: Collection[Key]) -> dict[Key, frozenset[Key]]:
        """What the last translations of these resources asked for."""
        return {key: self._tables.reads[key] for key in readers if key in self._tables.reads}

    def wishes(self, resources: Collection[Key]) -> dict[Key, dict[str, bytes]]:
        """Objects that these resources want: digest by uuid."""
        return {key: dict(self._tables.wishes[key]) for key in resources if key in self._tables.wishes}

    def notices(self, resources: Collection[Key]) -> dict[Key, Notices]:
        """What the last translations of these resources noticed."""
        return {key: dict(self._tables.notices[key]) for key in resources if key in self._tables.notices}

    def objects(self, uuids: Collection[str]) -> dict[str, StoredObject]:
        """Desired objects, absent ones included."""
        objects = self._tables.objects
        return {uuid: objects[uuid] for uuid in uuids if uuid in objects}

    def sources(self, most: Mapping[str, int]) -> dict[str, dict[Key, bytes]]:
        """Who wants these objects: digest by resource, of each object the so many smallest keys."""
        return {uuid: self._first_sources(uuid, count) for uuid, count in most.items() if uuid in self._tables.sources}

    def _first_sources(self, uuid: str, count: int) -> dict[Key, bytes]:
        found = self._tables.sources[uuid]
        if len(found) <= max(count, SMALL):
            return dict(found)
        if uuid not in self._tables.orders:
            self._tables.orders[uuid] = sorted(found)
        return {key: found[key] for key in self._tables.orders[uuid][:count]}

    def last_generations(self, uuids: Collection[str]) -> dict[str, int]:
        """Highest generation that each object ever had."""
        generations = self._tables.generations
        return {uuid: generations[uuid] for uuid in uuids if uuid in generations}

    def save(self, writes: Writes, version: str) -> None:
        """Write the batch's changes."""
        tables = self._tables
        for key, value in writes.epochs.items():
            self._put(tables.epochs, (writes.topic, key), value)
        self._save_reads(writes)
        for change in sorted(writes.changes, key=lambda each: each.op != "delete"):
            self._save_change(change)
        self._save_sources(writes)
        self._save_notices(writes)
        self._save_letters(writes)
        shards = sorted({change.row.shard for change in writes.changes})
        if shards:
            tables.notified.append(",".join(map(str, shards)))

    def _save_reads(self, writes: Writes) -> None:
        tables = self._tables
        for reader, read in writes.reads_added:
            self._put(tables.reads, reader, tables.reads.get(reader, frozenset()) | {read})
            self._put(self._index(tables.readers, read), reader, None)
        for reader, read in writes.reads_removed:
            self._put(tables.reads, reader, tables.reads[reader] - {read})
            self._drop(tables.readers[read], reader)

    def _save_change(self, change: Change) -> None:
        tables, row = self._tables, change.row
        name, old = (row.type, row.fq_name), tables.objects.get(row.uuid)
        if old is not None and old.fq_name != row.fq_name and not old.absent:
            self._drop(tables.names, (old.type, old.fq_name))
        if change.op == "delete":
            self._drop(tables.names, name)
        elif tables.names.get(name, row.uuid) != row.uuid:
            raise RuntimeError(f"{row.type} {row.fq_name} is {tables.names[name]}, and shall be {row.uuid} too")
        else:
            self._put(tables.names, name, row.uuid)
        self._put(tables.objects, row.uuid, row)
        if change.edges_added or change.edges_removed:
            edges = tables.edges.get(row.uuid, frozenset())
            self._put(tables.edges, row.uuid, (edges - change.edges_removed) | change.edges_added)
        self._put(tables.states, row.uuid, ("pending", row.generation))
        self._put(tables.diffs, (row.uuid, row.generation), change)
        self._put(tables.generations, row.uuid, row.generation)

    def _save_sources(self, writes: Writes) -> None:
        tables = self._tables
        for uuid, key, digest in (*writes.sources_added, *writes.sources_changed):
            self._put(self._index(tables.sources, uuid), key, digest)
            self._put(self._index(tables.wishes, key), uuid, digest)
        for uuid, key in writes.sources_removed:
            self._drop(tables.sources[uuid], key)
            self._drop(tables.wishes[key], uuid)
        if tables.orders:
            self._keep_order(writes)

    def _keep_order(self, writes: Writes) -> None:
        orders = self._tables.orders
        for uuid, key, _ in writes.sources_added:
            if uuid in orders:
                insort(orders[uuid], key)
        for uuid, key in writes.sources_removed:
            if uuid in orders:
                del orders[uuid][bisect_left(orders[uuid], key)]

    def _save_notices(self, writes: Writes) -> None:
        stored = self._tables.notices
        for resource, about, reason, said in writes.notices_told:
            self._put(self._index(stored, resource), (about, reason), said)
        for resource, about, reason in writes.notices_gone:
            self._drop(stored[resource], (about, reason))

    def _save_letters(self, writes: Writes) -> None:
        stored = self._tables.letters
        for letter in writes.dead_letters:
            place = (letter.stage, letter.position, letter.resource)
            times = stored[place].times + 1 if place in stored else 1
            self._put(stored, place, Letter(letter, times, False))
        for place, old in list(stored.items()):
            stage, position, resource = place
            well = writes.well_translated if stage == "translate" else writes.well_told
            if not old.resolved and _is_settled(position, well.get(Key(resource))):
                self._put(stored, place, Letter(old.letter, old.times, True))

    def _unplace(self, resource: Resource) -> None:
        self._drop(self._tables.places[_place(resource)], resource.key)

    def _index(self, mapping: dict[Any, dict[Any, Any]], key: object) -> dict[Any, Any]:
        found = mapping.get(key)
        if found is None:
            found = {}
            self._put(mapping, key, found)
        return found

    def _put(self, mapping: dict[Any, Any], key: object, value: object) -> None:
        self._journal += (mapping, key, mapping.get(key, _NOTHING))
        mapping[key] = value

    def _drop(self, mapping: dict[Any, Any], key: object) -> None:
        self._journal += (mapping, key, mapping.pop(key, _NOTHING))


def _head(resource: Resource) -> Head:
    partition = resource.cause.position.partition
    return Head(resource.uid, resource.resource_version, resource.epoch, resource.digest, partition)


def _place(resource: Resource) -> Home:
    position = resource.cause.position
    return resource.kind, position.topic, position.partition


def _is_settled(position: Position, until: Position | None) -> bool:
    if until is None or (until.topic, until.partition) != (position.topic, position.partition):
        return False
    return position.offset <= until.offset
