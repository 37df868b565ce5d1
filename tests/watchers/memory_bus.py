"""A Producer in memory: records are read where they were published; the bus can be taken away."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from schemas.codec import decode
from schemas.errors import BusLost, BusUnavailable
from schemas.events import ChangeEvent
from schemas.letters import Letter, decode_letter


class MemoryBus:
    """The topic, over all producers that were opened on it."""

    def __init__(self, partitions: int = 4) -> None:
        self.partitions = partitions
        self.records: list[tuple[int, bytes, bytes, tuple[tuple[str, bytes], ...]]] = []
        self.away = threading.Event()
        self.opened = 0

    def open(self) -> MemoryProducer:
        """A new producer, unless the bus is away."""
        if self.away.is_set():
            raise BusUnavailable("memory: away")
        self.opened += 1
        self.producer = MemoryProducer(self)
        return self.producer

    @property
    def events(self) -> list[ChangeEvent]:
        """Every durable event, in order."""
        return [event for _, event in self.placed]

    @property
    def placed(self) -> list[tuple[int, ChangeEvent]]:
        """Every durable event with its partition."""
        values = [(partition, value) for partition, _, value, _ in list(self.records)]
        return [(partition, decode(value)) for partition, value in values if decode_letter(value) is None]

    @property
    def letters(self) -> list[Letter]:
        """Every durable letter about something undecodable."""
        return [letter for _, _, value, _ in list(self.records) if (letter := decode_letter(value)) is not None]


class MemoryProducer:
    """One producer: what it took is durable at `flush`; `lose` makes it end with what it took."""

    topic = "memory"

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self._taken: list[tuple[int, bytes, bytes, tuple[tuple[str, bytes], ...]]] = []
        self._lost = False
        self.closed = False
        self.flushes = 0

    @property
    def partitions(self) -> int:
        return self._bus.partitions

    def publish(
        self, partition: int, key: bytes, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        self._check()
        assert value is not None
        self._taken.append((partition, key, value, tuple(headers)))

    def flush(self, timeout: float) -> None:
        self._check()
        self.flushes += 1
        self._bus.records += self._taken
        self._taken = []

    def lose(self) -> None:
        """From now on every call says that records were lost."""
        self._lost = True

    def close(self) -> None:
        self.closed = True

    def _check(self) -> None:
        if self._lost:
            raise BusLost("memory: lost")
        if self._bus.away.is_set():
            raise BusUnavailable("memory: away")
