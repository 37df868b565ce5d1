"""The port of the bus: what the watchers publish to and the translator consumes from.

Promises that both adapters keep (tests/schemas/bus_contract.py):
- a record is delivered at least once, in order of offset inside its partition; offsets rise, gaps may occur;
- `flush` returns only when every published record survives a crash;
- consumers keep their own position: nothing is committed to the bus, `seek` decides;
- every error is BusUnavailable (try again) or BusMismatch (a person is needed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Record:
    """One record as read: value is None for a tombstone; headers are (name, bytes) pairs in order."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int = 0


class Producer(Protocol):
    """Publishes to one topic; thread-safe."""

    @property
    def topic(self) -> str:
        """Name of the topic."""

    @property
    def partitions(self) -> int:
        """Number of partitions of the topic."""

    def publish(
        self, partition: int, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        """Take one record into a bounded buffer; blocks while it is full, raises BusUnavailable at its deadline."""

    def flush(self, timeout: float) -> None:
        """Return when all published records are durable; raise BusUnavailable after `timeout` seconds."""

    def close(self) -> None:
        """Flush what can be flushed within a few seconds and let go of sockets, files and threads."""


class Consumer(Protocol):
    """Reads the partitions assigned to it; for one thread."""

    @property
    def topic(self) -> str:
        """Name of the topic."""

    def poll(self, timeout: float, max_records: int = 500) -> list[Record]:
        """Up to `max_records` next records of the assigned partitions; [] after `timeout` seconds without any."""

    def take_assignment(self) -> tuple[frozenset[int], frozenset[int]]:
        """Partitions (gained, lost) since the last call; a gained one delivers nothing before its `seek`.

        The caller asks after each `poll`, seeks what was gained to its stored offset, and drops what was lost.
        """

    def seek(self, partition: int, offset: int) -> None:
        """Continue the partition at `offset` (0 is the first record ever).

        When `offset` is no longer kept, reading continues at the oldest record that is; the jump shows in
        the first delivered record's offset and in `begin_offsets`.
        """

    def begin_offsets(self) -> dict[int, int]:
        """Oldest offset kept, per assigned partition."""

    def end_offsets(self) -> dict[int, int]:
        """Offset after the last record, per assigned partition."""

    def close(self) -> None:
        """Leave the group and let go of sockets, files and threads."""
