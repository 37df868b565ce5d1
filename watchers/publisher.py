"""From change events to durable records on the bus: coalesced while they wait, flushed as soon as they can be.

One thread sends; any thread offers. A batch is whatever has gathered while the last one was on its way, so a lone
event goes out at once and a storm goes out in large batches. While the bus is away events wait in bounded memory
and offering blocks: the watch is then not read, and goes on later where it stood.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import count

from schemas.bus.port import Producer
from schemas.codec import encode
from schemas.errors import BusLost, BusUnavailable
from schemas.events import ChangeEvent, Op, Source, marker
from schemas.health import Health
from schemas.identity import partition_of
from schemas.letters import OP as UNDECODED
from schemas.letters import Letter, encode_letter
from watchers import metrics
from watchers.backoff import pause
from watchers.coalescing import Entry, Message, Pending

logger = logging.getLogger(__name__)

PART = "bus"
BATCH = 1000
"""Records per flush: enough to make a flush cheap, few enough to bound what a crash sends twice."""
FLUSH_SECONDS = 3.0
ALIVE_SECONDS = 120.0
LOSS_SECONDS = 120.0
"""A loss so soon after another is one of a row."""
TICK = 0.5


class Publisher:
    """Publishes change events of all kinds; `run`, in a thread of its own, does the sending.

    `reopen` makes another producer when the present one has ended and lost records; `lost` is called then, since
    what it lost can only be had by listing again. `room` is how many events may wait. `leads` is asked before each
    batch: while it says no, nothing is sent.
    """

    def __init__(
        self,
        producer: Producer,
        *,
        reopen: Callable[[], Producer],
        health: Health,
        lost: Callable[[], None],
        room: int = 10_000,
        leads: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        metrics.ROOM.set(room)
        metrics.PENDING.set_function(self._waiting)
        self._producer = producer
        self._leads = leads
        self._reopen = reopen
        self._health = health
        self._lost = lost
        self._room = room
        self._clock = clock
        self._partitions = producer.partitions
        self._changed = threading.Condition()
        self._pending = Pending()
        self._kinds: set[str] = set()
        self._void: set[str] = set()
        self._closing = False
        self._abandoned = threading.Event()
        self._unsent = 0
        self._on_its_way = 0
        self._down = False
        self._losses = 0
        self._lost_at = 0.0

    def offer(self, event: ChangeEvent, *, patience: Callable[[], bool]) -> bool:
        """Take an event about one object; False when it was not taken, because `patience` had an end.

        Blocks while there is no room, asking `patience` twice a second.
        """
        entry = Entry(partition_of(event.key, self._partitions), event, self._clock())
        with self._changed:
            while len(self._pending) >= self._room and not self._pending.replaces(event):
                if not patience():
                    return False
                self._changed.wait(TICK)
            if event.kind not in self._void:
                self._pending.add(entry)
                self._changed.notify_all()
        return True

    def mark(self, op: Op, *, epoch: int, kind: str, api_version: str, source: Source) -> None:
        """Take a snapshot marker, one for every partition."""
        now = self._clock()
        with self._changed:
            self._kinds.add(kind)
            if op is Op.SNAPSHOT_BEGIN:
                self._void.discard(kind)
            if kind in self._void:
                return
            for partition in range(self._partitions):
                event = marker(
                    op=op, epoch=epoch, kind=kind, partition=partition, source=source, api_version=api_version
                )
                self._pending.add_marker(Entry(partition, event, now))
            self._changed.notify_all()

    def note(self, letter: Letter) -> bool:
        """Take a letter about something undecodable; False, and it is not taken, while there is no room."""
        entry = Entry(partition_of(letter.key, self._partitions), letter, self._clock())
        with self._changed:
            if len(self._pending) >= self._room:
                return False
            self._pending.add_letter(entry)
            self._changed.notify_all()
        metrics.LETTERS.inc()
        return True

    @property
    def idle(self) -> bool:
        """Whether all that was taken is durable (or was lost, and then a listing was asked for)."""
        return not self._waiting()

    def run(self) -> None:
        """Send until `close`; raises what another try would not mend (BusMismatch)."""
        while (entries := self._gathered()) is not None:
            batches = [entries[i : i + BATCH] for i in range(0, len(entries), BATCH)]
            for number, batch in enumerate(batches):
                if not self._send(batch):
                    self._unsent += sum(len(rest) for rest in batches[number:]) if self._closing else 0
                    break

    def close(self, *, within: float, thread: threading.Thread) -> int:
        """Send what waits, for so many seconds at most, and end `run` in its thread; how many were not sent."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if within:
            thread.join(within)
        self._abandoned.set()
        thread.join(FLUSH_SECONDS)
        self._producer.close()
        metrics.PENDING.set_function(lambda: 0.0)
        with self._changed:
            return self._unsent + len(self._pending)

    def _waiting(self) -> int:
        """How many were taken and are not known to be durable."""
        with self._changed:
            return self._on_its_way + len(self._pending)

    def _gathered(self) -> list[Entry] | None:
        """What waits; blocks until something does. None at the end."""
        with self._changed:
            self._on_its_way = 0
            while not len(self._pending):
                if self._closing or self._abandoned.is_set():
                    return None
                self._health.beat("publisher", within=ALIVE_SECONDS)
                self._changed.wait(TICK * 10)
            if self._abandoned.is_set():
                return None
            taken = self._pending.take()
            self._on_its_way = len(taken)
            self._changed.notify_all()
        return taken

    def _send(self, batch: Sequence[Entry]) -> bool:
        """Publish and flush, for as long as it takes; False when this batch and what follows it was given up."""
        records = self._records(batch)
        record = next(records, None)
        for failures in count(1):
            self._health.beat("publisher", within=ALIVE_SECONDS)
            if not self._await_leadership():
                return False
            try:
                while record is not None:
                    self._producer.publish(*record)  # if it raises, this record was not taken
                    record = next(records, None)
                self._producer.flush(FLUSH_SECONDS)
                break
            except BusLost as error:
                self._begin_again(error)
                return False
            except BusUnavailable as error:
                self._away(error)
            if self._abandoned.wait(pause(failures, draw=random.random())):
                return False
        self._sent(batch)
        return True

    def _await_leadership(self) -> bool:
        """Wait until we may publish; False when that was given up."""
        while not self._leads():
            self._health.beat("publisher", within=ALIVE_SECONDS)
            if self._closing or self._abandoned.wait(TICK / 5):
                return False  # whoever leads next lists everything anyway
        return not self._abandoned.is_set()

    def _records(self, batch: Sequence[Entry]) -> Iterator[tuple[int, bytes, bytes, list[tuple[str, bytes]]]]:
        for entry in batch:
            event = entry.event
            # W3C Trace Context: version, trace id, span id, flags "sampled"; ids of zeros only are invalid.
            trace = f"00-{random.getrandbits(128) or 1:032x}-{random.getrandbits(64) or 1:016x}-01"
            op, value = (UNDECODED, encode_letter(event)) if isinstance(event, Letter) else (event.op, encode(event))
            headers = [("traceparent", trace.encode()), ("kind", event.kind.encode()), ("op", op.encode())]
            yield entry.partition, str(event.key).encode(), value, headers

    def _sent(self, batch: Sequence[Entry]) -> None:
        now = self._clock()
        for entry in batch:
            metrics.PUBLISH_SECONDS.observe(now - entry.taken_at)
        for (kind, op), number in Counter(_kind_and_op(e.event) for e in batch).items():
            metrics.PUBLISHED.labels(kind, op).inc(number)
        if self._down:
            self._down = False
            logger.info("the bus is back topic=%s", self._producer.topic)
        self._health.ready(PART)

    def _away(self, error: BusUnavailable) -> None:
        self._health.not_ready(PART, str(error))
        if not self._down:
            self._down = True
            logger.error("the bus is away, events wait for it: %s", error)

    def _begin_again(self, error: BusLost) -> None:
        """Open another producer and have everything listed again.

        Until a kind begins its next snapshot, nothing of it may go out: the end of a snapshot whose reads
        were lost would delete what it did not name.
        """
        self._away(error)
        with self._changed:
            self._pending.take()
            self._void |= self._kinds
            self._changed.notify_all()
        self._producer.close()
        # A record that the bus refuses for good comes again with the listing: losses in a row are spaced out.
        self._losses = self._losses + 1 if self._clock() - self._lost_at < LOSS_SECONDS else 1
        self._lost_at = self._clock()
        for failures in count(self._losses):
            self._health.beat("publisher", within=ALIVE_SECONDS)
            if self._abandoned.wait(pause(failures, draw=random.random())):
                return
            try:
                self._producer = self._reopen()
                break
            except BusUnavailable as again:
                self._away(again)
        self._lost()


def _kind_and_op(event: Message) -> tuple[str, str]:
    return event.kind, UNDECODED if isinstance(event, Letter) else event.op.value
