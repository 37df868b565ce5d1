"""A bus in memory whose troubles a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from schemas.bus.port import Record
from schemas.errors import BusUnavailable
from tests.translator.facts import PARTITIONS, TOPIC


class Topic:
    """Records per partition; `forget` is retention, `remake` a topic made anew."""

    def __init__(self, partitions: int = PARTITIONS) -> None:
        self.records: list[list[Record]] = [[] for _ in range(partitions)]
        self.begins = [0] * partitions

    def publish(self, records: Iterable[Record]) -> None:
        """Append records that have their offsets already."""
        for record in records:
            self.records[record.partition].append(record)

    def forget(self, partition: int, before: int) -> None:
        """Records before an offset are gone."""
        self.begins[partition] = before
        self.records[partition] = [each for each in self.records[partition] if each.offset >= before]

    def remake(self) -> None:
        """The topic begins again."""
        self.records = [[] for _ in self.records]
        self.begins = [0] * len(self.records)

    def end(self, partition: int) -> int:
        """Offset after the last record."""
        records = self.records[partition]
        return records[-1].offset + 1 if records else self.begins[partition]


class FakeConsumer:
    """A consumer of the topic; `idle` is called when it has nothing to give, and may publish, assign or stop."""

    def __init__(self, topic: Topic, *, idle: Callable[[], None], partitions: Iterable[int] | None = None) -> None:
        self._topic = topic
        self._idle = idle
        self._gained = set(range(len(topic.records)) if partitions is None else partitions)
        self._lost: set[int] = set()
        self._assigned: set[int] = set(self._gained)
        self._at: dict[int, int] = {}
        self.failing = 0
        self.lost_with_next: set[int] = set()
        """Partitions that are lost in the poll that delivers the next records."""
        self.after_records: Callable[[], None] | None = None
        """Called once, when the next records have been given out."""
        self.sought: list[tuple[int, int]] = []
        self.closed = False

    @property
    def topic(self) -> str:
        """Name of the topic."""
        return TOPIC

    def assign(self, gained: Iterable[int] = (), lost: Iterable[int] = ()) -> None:
        """Change the assignment, as a rebalance does; the next poll delivers nothing of it yet."""
        self._gained |= set(gained)
        self._lost |= set(lost)
        self._assigned = (self._assigned - set(lost)) | set(gained)
        for partition in {*gained, *lost}:
            self._at.pop(partition, None)

    def poll(self, timeout: float, max_records: int = 500) -> list[Record]:
        """Next records; never waits."""
        if self.failing:
            self.failing -= 1
            raise BusUnavailable("the broker is away")
        found: list[Record] = []
        for partition in sorted(self._at):
            for record in self._topic.records[partition]:
                if record.offset >= self._at[partition] and len(found) < max_records:
                    found.append(record)
                    self._at[partition] = record.offset + 1
        if not found:
            self._idle()
        elif self.after_records is not None:
            self.after_records, call = None, self.after_records
            call()
        elif self.lost_with_next:
            self.assign(lost=self.lost_with_next)
            self.lost_with_next = set()
        return found

    def take_assignment(self) -> tuple[frozenset[int], frozenset[int]]:
        """Gained and lost since the last call."""
        gained, lost = frozenset(self._gained), frozenset(self._lost)
        self._gained, self._lost = set(), set()
        return gained, lost

    def seek(self, partition: int, offset: int) -> None:
        """Continue there, or at the oldest record if that offset is not kept."""
        assert partition in self._assigned
        self.after_records: Callable[[], None] | None = None
        """Called once, when the next records have been given out."""
        self.sought.append((partition, offset))
        begin, end = self._topic.begins[partition], self._topic.end(partition)
        self._at[partition] = offset if begin <= offset <= end else begin

    def begin_offsets(self) -> dict[int, int]:
        """Oldest offsets."""
        return {each: self._topic.begins[each] for each in self._assigned}

    def end_offsets(self) -> dict[int, int]:
        """Ends."""
        return {each: self._topic.end(each) for each in self._assigned}

    def close(self) -> None:
        """Closed once."""
        assert not self.closed
        self.closed = True
