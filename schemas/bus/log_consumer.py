"""Consumer of the log directory: follows segments that another process may be writing.

It never writes, locks or deletes: a recording on a read-only file system will do. It keeps its own
position, and gets every partition it asked for at once: nothing is shared out between log consumers.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.bus.log_reader import PartitionReader
from schemas.bus.log_topic import DurableEnds, open_topic
from schemas.bus.port import Record
from schemas.errors import BusMismatch, BusUnavailable

FIRST_PAUSE = 0.0005
LONGEST_PAUSE = 0.008
"""Seconds between looks at an idle log: together they bound the latency to about 10 ms."""


class LogConsumer:
    """A Consumer (see `port`) over `<directory>/<topic>`; all partitions, or those given."""

    def __init__(
        self,
        directory: Path,
        topic: str,
        *,
        partitions: int | None = None,
        only: Iterable[int] | None = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._topic = open_topic(directory, topic, partitions)
        self._assigned = frozenset(range(self._topic.partitions) if only is None else only)
        if strange := self._assigned - frozenset(range(self._topic.partitions)):
            raise BusMismatch(f"topic {topic} has partitions 0 to {self._topic.partitions - 1}, not {strange}")
        self._gained = self._assigned
        self._ends = DurableEnds(self._topic)
        self._readers = {each: PartitionReader(self._topic, each) for each in sorted(self._assigned)}
        self._turn: deque[int] = deque()
        self._now = now
        self._sleep = sleep

    @property
    def topic(self) -> str:
        """Name of the topic."""
        return self._topic.name

    def poll(self, timeout: float, max_records: int = 500) -> list[Record]:
        """Up to `max_records` next records; [] after `timeout` seconds without any."""
        deadline = self._now() + timeout
        pause = FIRST_PAUSE
        while True:
            with self._reading():
                records = self._fetch(max_records)
                if records:
                    return records
            left = deadline - self._now()
            if left <= 0:
                self._topic.check()
                return []
            self._sleep(min(pause, left))
            pause = min(pause * 2, LONGEST_PAUSE)

    def take_assignment(self) -> tuple[frozenset[int], frozenset[int]]:
        """All partitions at the first call, nothing later."""
        gained, self._gained = self._gained, frozenset()
        return gained, frozenset()

    def seek(self, partition: int, offset: int) -> None:
        """Continue the partition at `offset`."""
        if partition not in self._readers:
            raise BusMismatch(f"topic {self.topic}: partition {partition} is not assigned to this consumer")
        self._readers[partition].seek(offset)
        if partition not in self._turn:
            self._turn.append(partition)

    def begin_offsets(self) -> dict[int, int]:
        """Oldest offset kept, per assigned partition."""
        with self._reading():
            ends = self._ends.read()
            return {each: reader.begin(ends[each]) for each, reader in self._readers.items()}

    def end_offsets(self) -> dict[int, int]:
        """Offset after the last record, per assigned partition."""
        with self._reading():
            ends = self._ends.read()
            return {each: reader.end(ends[each]) for each, reader in self._readers.items()}

    def close(self) -> None:
        """Let go of the files."""
        for reader in self._readers.values():
            reader.close()
        self._ends.close()

    def _fetch(self, max_records: int) -> list[Record]:
        ends = self._ends.read()
        records: list[Record] = []
        for _ in range(len(self._turn)):
            partition = self._turn[0]
            self._turn.rotate(-1)
            records += self._readers[partition].read(ends[partition], max_records - len(records))
            if len(records) >= max_records:
                break
        return records

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BusUnavailable(f"{self._topic.path} cannot be read: {error.strerror}") from error
