"""The store port: what a transaction of the translator reads and writes, always many rows at a time.

Promises that both backends keep (tests/translator/store_contract.py):
- `run` gives one transaction that sees and leaves the store as if it ran alone; its work may be called
  several times (a lost race), so it must have no other effect;
- the number of statements of a transaction does not depend on the number of rows;
- an error leaves the store as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol, TypeVar

import msgspec

from translator.diff import Change, StoredObject
from translator.fold import Epoch
from translator.notice import Notices, Said
from translator.resource import Cause, Head, Key, Position, Resource

T = TypeVar("T")

EpochKey = tuple[str, int]
"""(kind, partition)."""


class Progress(msgspec.Struct, frozen=True, gc=False):
    """How far a consumer is in one partition, and which rules translated it (translator/version.py)."""

    next_offset: int
    version: str


class Move(msgspec.Struct, frozen=True, gc=False):
    """Advance of one partition: only if the stored offset is `expected`."""

    partition: int
    expected: int
    next_offset: int
    version: str


class Sweep(msgspec.Struct, frozen=True, gc=False):
    """Question for the resources of a kind and partition that no snapshot since `epoch` has shown."""

    kind: str
    partition: int
    epoch: int


class Seen(msgspec.Struct, frozen=True, gc=False):
    """A stored resource that was told of again, with the body that it has."""

    key: Key
    resource_version: str
    epoch: int
    cause: Cause
    observed_at: int


class ResourceChanges(msgspec.Struct, frozen=True, gc=False):
    """Rows of the fold: new ones, ones with another body or uid, ones told of again, and removed keys."""

    created: list[Resource]
    replaced: list[Resource]
    seen: list[Seen]
    removed: list[Key]


class DeadLetter(msgspec.Struct, frozen=True, gc=False):
    """What could not be read or translated; `resource` and `uid` are '' where the record does not say."""

    stage: str
    position: Position
    resource: str
    error_class: str
    error: str
    payload: bytes
    uid: str = ""


class Writes(msgspec.Struct, kw_only=True):
    """Everything that a batch changes beside the resources; each key at most once per field.

    Dead letters of a resource are settled up to a position: those of reading it by `well_told`, those of its
    translation by `well_translated`.
    """

    topic: str = ""
    """Topic of the epochs."""
    changes: list[Change] = []
    sources_added: list[tuple[str, Key, bytes]] = []
    sources_changed: list[tuple[str, Key, bytes]] = []
    sources_removed: list[tuple[str, Key]] = []
    reads_added: list[tuple[Key, Key]] = []
    reads_removed: list[tuple[Key, Key]] = []
    notices_told: list[tuple[Key, Key, str, Said]] = []
    """(resource, about, reason) and what it says now."""
    notices_gone: list[tuple[Key, Key, str]] = []
    epochs: dict[EpochKey, tuple[Epoch, int]] = {}
    dead_letters: list[DeadLetter] = []
    well_told: dict[Key, Position] = {}
    well_translated: dict[Key, Position] = {}


class Session(Protocol):
    """One transaction. Answers leave out what is not there."""

    def advance(self, consumer: str, topic: str, moves: Collection[Move]) -> None:
        """Move the offsets; raises Fenced if one of them is not as expected."""

    def epochs(self, topic: str, partitions: Collection[int]) -> dict[EpochKey, Epoch]:
        """Newest epochs of all kinds in these partitions."""

    def heads(self, keys: Collection[Key]) -> dict[Key, Head]:
        """What the fold must know of these resources."""

    def older(self, topic: str, sweeps: Collection[Sweep]) -> dict[Key, Head]:
        """Resources that the sweeps would remove."""

    def save_resources(self, changes: ResourceChanges) -> None:
        """Write the fold; later reads of this session see it."""

    def resources(self, keys: Collection[Key]) -> dict[Key, Resource]:
        """Whole resources."""

    def listing(self, kind: str, namespace: str | None) -> list[Resource]:
        """Resources of a kind, of one namespace or of all, ordered by namespace and name."""

    def page(self, topic: str, partition: int, after: Key | None, limit: int) -> list[Resource]:
        """Resources of a partition in an order of the backend's choice, after a key of the page before."""

    def readers(self, reads: Collection[Key]) -> set[Key]:
        """Resources whose translation asked for one of these keys."""

    def reads(self, readers: Collection[Key]) -> dict[Key, frozenset[Key]]:
        """What the last translations of these resources asked for."""

    def wishes(self, resources: Collection[Key]) -> dict[Key, dict[str, bytes]]:
        """Objects that these resources want: digest by uuid."""

    def notices(self, resources: Collection[Key]) -> dict[Key, Notices]:
        """What the last translations of these resources noticed."""

    def objects(self, uuids: Collection[str]) -> dict[str, StoredObject]:
        """Desired objects, absent ones included."""

    def sources(self, most: Mapping[str, int]) -> dict[str, dict[Key, bytes]]:
        """Who wants these objects: digest by resource, of each object the so many smallest keys.

        What thousands share has thousands of them: the cost is that of the answer, however many there are.
        """

    def last_generations(self, uuids: Collection[str]) -> dict[str, int]:
        """Highest generation that each object ever had."""

    def save(self, writes: Writes, version: str) -> None:
        """Write the batch's changes, and wake the applier of each shard when the transaction commits."""


class Store(Protocol):
    """The store of one cluster; for one thread."""

    def progress(self, consumer: str, topic: str, partitions: Collection[int], version: str) -> dict[int, Progress]:
        """How far the consumer is in each partition; one seen for the first time begins at 0 with `version`."""

    def run(self, work: Callable[[Session], T]) -> T:
        """Run the work in one transaction and commit; raises StoreUnavailable, Fenced, or what the work raises."""

    def is_empty(self) -> bool:
        """Whether nothing was ever stored."""

    def desired_rows(self) -> Iterable[tuple[str, str, str, bytes]]:
        """(uuid, type, fq_name, digest) of every desired object that is not absent, ordered by uuid."""

    def counts(self) -> Mapping[str, int]:
        """Rows by what a summary shows: resources, objects, absent, diffs, dead letters (open)."""

    def close(self) -> None:
        """Let go of the connection."""
