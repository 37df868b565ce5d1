"""Records that were read and not stored yet, and where each assigned partition stands (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from schemas.bus.port import Record

FIRST = 500
"""Records of a first batch, a tenth of a second of work: the first addresses of a burst do not wait for its end."""

Ends = Callable[[], Mapping[int, int]]
"""Asks the bus for an offset per partition."""


class Run(msgspec.Struct, frozen=True):
    """Records of one partition to store next, from stored offset `expected`; `gap`: some between are lost."""

    partition: int
    expected: int
    records: list[Record]
    gap: bool


class Backlog:
    """Assigned partitions with the offset that the store has, and the records held for each.

    It takes up to twice as many records as were stored last, at least FIRST and never more than `most`: the more of
    a resource's events share a transaction, the fewer translations they cost, and the longer the first of them waits.
    """

    def __init__(self, most: int) -> None:
        self._stored: dict[int, int] = {}
        self._held: dict[int, list[Record]] = {}
        self._most = most
        self._turn = min(FIRST, most)

    @property
    def stored(self) -> Mapping[int, int]:
        """Offset in the store by assigned partition."""
        return self._stored

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    @property
    def room(self) -> int:
        """How many more records the next batch takes."""
        return max(0, self._turn - len(self))

    def place(self, partition: int, offset: int) -> None:
        """The partition goes on at this offset; what was held of it is dropped."""
        self._stored[partition] = offset
        self._held.pop(partition, None)

    def lose(self, partitions: Iterable[int]) -> None:
        """These partitions are somebody else's now."""
        for partition in partitions:
            self._stored.pop(partition, None)
            self._held.pop(partition, None)

    def add(self, records: Iterable[Record]) -> None:
        """Take records as polled; those of partitions that are not placed are not ours."""
        for record in records:
            if record.partition in self._stored:
                self._held.setdefault(record.partition, []).append(record)

    def runs(self, begins: Ends, ends: Ends) -> list[Run]:
        """What to store next. The bus is asked only where an offset is not the expected one."""
        runs = []
        for partition, records in sorted(self._held.items()):
            expected = self._stored[partition]
            first = records[0].offset
            if first > expected:
                # Holes without loss are normal: control records of transactions take offsets too.
                runs.append(Run(partition, expected, records, begins().get(partition, 0) > expected))
            elif first == expected:
                runs.append(Run(partition, expected, records, False))
            elif ends().get(partition, expected) < expected:
                # The log is shorter than what was read of it: it was made anew, and is read from its start.
                runs.append(Run(partition, expected, records, True))
            elif fresh := [record for record in records if record.offset >= expected]:
                runs.append(Run(partition, expected, fresh, fresh[0].offset > expected))
        return runs

    def done(self, runs: Iterable[Run]) -> None:
        """These records are stored."""
        for run in runs:
            self._stored[run.partition] = run.records[-1].offset + 1
        self._turn = min(self._most, max(FIRST, 2 * len(self)))
        self._held.clear()
