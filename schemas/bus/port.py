"""The port of the bus: what the watchers publish to and the translator consumes from.

Promises that both adapters keep (tests/schemas/bus_contract.py):
- a record is delivered at least once, in order of offset inside its partition; offsets rise, gaps may occur;
- `flush` returns only when every published record survives a crash; before it, records may be delivered or not;
- consumers keep their own position: nothing is committed to the bus, `seek` decides;
- every error is BusUnavailable (try again) or BusMismatch (a person is needed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.errors import BusMismatch

MAX_RECORD_BYTES = 4 * 1024 * 1024
"""Key, value and headers together: well above the 1.5 MiB that Kubernetes lets one object have."""


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
    """Publishes to one topic; thread-safe.

    After BusUnavailable the records taken before are still in the buffer: flush again. If the bus lost or
    refused one for good, every later call raises BusLost: close the producer, open another, and list again.
    """

    @property
    def topic(self) -> str:
        """Name of the topic."""

    @property
    def partitions(self) -> int:
        """Number of partitions of the topic."""

    def publish(
        self, partition: int, key: bytes, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        """Take one record into a bounded buffer; blocks while it is full, raises BusUnavailable at its deadline.

        A publish that raised has not taken the record. A record above MAX_RECORD_BYTES is a BusMismatch.
        """

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
        """Up to `max_records` next records of the assigned partitions; [] after `timeout` seconds without any.

        A bus that stays away for several seconds is BusUnavailable: poll again, or open another consumer.
        """

    def take_assignment(self) -> tuple[frozenset[int], frozenset[int]]:
        """Partitions (gained, lost) since the last call; a gained one delivers nothing before its `seek`.

        The caller asks after each `poll`, drops what was lost, then seeks what was gained to its stored
        offset. A partition in both was lost and gained again.
        """

    def seek(self, partition: int, offset: int) -> None:
        """Continue the partition at `offset` (0 is the first record ever); BusMismatch if it is not assigned.

        When `offset` is not kept, because it is older than the oldest record or beyond the end, reading
        continues at the oldest record; the jump shows in the first delivered offset and in `begin_offsets`.
        """

    def begin_offsets(self) -> dict[int, int]:
        """Oldest offset kept, per assigned partition."""

    def end_offsets(self) -> dict[int, int]:
        """Offset after the last record, per assigned partition."""

    def close(self) -> None:
        """Leave the group and let go of sockets, files and threads."""


def check_size(topic: str, key: bytes, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> int:
    """Bytes of a record; raises BusMismatch above MAX_RECORD_BYTES."""
    size = len(key) + len(value or b"") + sum(len(name) + len(data) for name, data in headers)
    if size > MAX_RECORD_BYTES:
        raise BusMismatch(
            f"topic {topic}: the record of {key[:200]!r} has {size} bytes, the limit is {MAX_RECORD_BYTES}"
        )
    return size
