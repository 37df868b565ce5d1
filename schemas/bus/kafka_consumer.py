"""Consumer of Kafka: a group shares the partitions out, offsets are the caller's alone.

Nothing is committed. A gained partition is paused until its `seek`. An offset that is not kept is continued at
the oldest record, never at the newest.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import kafka
from kafka import ConsumerRebalanceListener, TopicPartition, errors

from schemas.bus.kafka_client import client_options, connect, translated
from schemas.bus.kafka_topic import MAX_MESSAGE_BYTES, verify_topic
from schemas.bus.port import Record
from schemas.errors import BusMismatch
from schemas.settings import KafkaSettings

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 5.0
"""After this long without a sign of life the brokers are asked for one."""
ANSWER_SECONDS = 2.0
FETCH_WAIT_SECONDS = 0.25
"""How long a broker holds a request for which it has nothing yet; new records are sent at once."""
JOIN_SECONDS = 1.0
"""Shortest poll while the group shares the partitions out: nothing can be read, and a join must be waited for."""
CLOSE_SECONDS = 3.0


class KafkaConsumer:
    """A Consumer (see `port`): a member of `group`, or, without one, the reader of all partitions."""

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        *,
        group: str | None,
        partitions: int | None = None,
        client: str = "contrail-kube",
        patience: float = PATIENCE_SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        count = verify_topic(settings, topic, partitions)
        self._settings = settings
        self._topic = topic
        self._now = now
        self._patience = patience
        self._heard = now()
        self._consumer = connect(kafka.KafkaConsumer, settings, _options(settings, group, client))
        self._assignment = Assignment(self._hold)
        if group is None:
            self._consumer.assign([TopicPartition(topic, each) for each in range(count)])
            self._assignment.on_partitions_assigned(self._consumer.assignment())
        else:
            self._consumer.subscribe([topic], listener=self._assignment)
            # Before joining: a leader that does not know the topic's partitions yet assigns none of them.
            with translated(settings, f"asking for the partitions of {topic}"):
                self._consumer.partitions_for_topic(topic)

    @property
    def topic(self) -> str:
        """Name of the topic."""
        return self._topic

    def poll(self, timeout: float, max_records: int = 500) -> list[Record]:
        """Up to `max_records` next records; [] after `timeout` seconds; BusUnavailable when Kafka is away."""
        deadline = self._now() + timeout
        while True:
            left = max(0.0, deadline - self._now())
            with translated(self._settings, f"reading {self._topic}"):
                found = self._poll(left, max_records)
            if found:
                self._heard = self._now()
                return [self._record(each) for records in found.values() for each in records]
            if self._now() - self._heard > self._patience:
                self._ask_for_life()
            if self._now() >= deadline:
                return []

    def take_assignment(self) -> tuple[frozenset[int], frozenset[int]]:
        """Partitions (gained, lost) since the last call."""
        return self._assignment.take()

    def seek(self, partition: int, offset: int) -> None:
        """Continue the partition at `offset`."""
        at = TopicPartition(self._topic, partition)
        if at not in self._consumer.assignment():
            raise BusMismatch(f"topic {self._topic}: partition {partition} is not assigned to this consumer")
        self._consumer.seek(at, offset)
        self._consumer.resume(at)

    def begin_offsets(self) -> dict[int, int]:
        """Oldest offset kept, per assigned partition."""
        return self._offsets(self._consumer.beginning_offsets)

    def end_offsets(self) -> dict[int, int]:
        """Offset after the last record, per assigned partition."""
        return self._offsets(self._consumer.end_offsets)

    def close(self) -> None:
        """Leave the group; a static member keeps its partitions until its session ends."""
        try:
            self._consumer.close(autocommit=False, timeout_ms=int(CLOSE_SECONDS * 1000))
        except errors.KafkaError as error:
            logger.warning("leaving the group of %s: %s", self._topic, error)

    def _poll(self, seconds: float, max_records: int) -> dict[TopicPartition, list[Any]]:
        """One call of the library's poll; {} also after moving partitions whose offsets are not kept."""
        if self._is_joining():
            seconds = max(seconds, JOIN_SECONDS)
        try:
            found: dict[TopicPartition, list[Any]] = self._consumer.poll(int(seconds * 1000), max_records)
        except errors.OffsetOutOfRangeError as error:
            for at, offset in error.args[0].items():
                self._to_oldest(at, offset)
            return {}
        except errors.LogTruncationError as error:
            # Brokers lost records that were read (unclean election): where the logs part is not always known.
            for at in error.divergent_offsets:
                self._to_oldest(at, None)
            return {}
        return found

    def _is_joining(self) -> bool:
        """Whether an earlier poll ended before the group had answered; makes the library go on asking.

        kafka-python 3.0.12 keeps a join that outlives its poll, but forgets its result unless a rejoin is still
        wanted at the next poll: after a change of metadata it is not, and the member would stay without
        partitions and heartbeats for ever.
        """
        coordinator = self._consumer._coordinator
        if coordinator.rejoining and not coordinator.need_rejoin():
            coordinator.request_rejoin()
        return bool(coordinator.rejoining)

    def _to_oldest(self, at: TopicPartition, offset: int | None) -> None:
        oldest = self._consumer.beginning_offsets([at], timeout_ms=int(ANSWER_SECONDS * 1000))[at]
        logger.warning(
            "offset is not kept, continuing at the oldest record topic=%s partition=%d offset=%s oldest=%d",
            *(self._topic, at.partition, offset, oldest),
        )
        self._consumer.seek(at, oldest)

    def _ask_for_life(self) -> None:
        """The library's poll is silent about brokers that are away: a question with a deadline is not."""
        with translated(self._settings, f"reading {self._topic}"):
            self._consumer.end_offsets([TopicPartition(self._topic, 0)], timeout_ms=int(ANSWER_SECONDS * 1000))
        self._heard = self._now()

    def _offsets(self, ask: Callable[..., dict[TopicPartition, int]]) -> dict[int, int]:
        if not (assigned := list(self._consumer.assignment())):
            return {}
        with translated(self._settings, f"asking for the offsets of {self._topic}"):
            found = ask(assigned, timeout_ms=int(self._settings.connect_timeout * 1000))
        return {at.partition: offset for at, offset in sorted(found.items())}

    def _hold(self, partitions: Iterable[TopicPartition]) -> None:
        """Keep gained partitions from delivering; a position spares the library the search for one."""
        for at in partitions:
            self._consumer.pause(at)
            self._consumer.seek(at, 0)

    def _record(self, found: Any) -> Record:
        headers = tuple((name, data) for name, data in found.headers)
        return Record(self._topic, found.partition, found.offset, found.key, found.value, headers, found.timestamp)


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """What the group gave and took, between two looks of the caller; called from the library's own thread."""

    def __init__(self, hold: Callable[[Iterable[TopicPartition]], None]) -> None:
        self._hold = hold
        self._lock = threading.Lock()
        self._known: set[int] = set()
        self._current: set[int] = set()
        self._fresh: set[int] = set()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Take note of gained partitions."""
        self._hold(assigned)
        with self._lock:
            self._fresh |= {at.partition for at in assigned}
            self._current |= self._fresh

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Take note of lost partitions."""
        with self._lock:
            gone = {at.partition for at in revoked}
            self._current -= gone
            self._fresh -= gone

    def take(self) -> tuple[frozenset[int], frozenset[int]]:
        """(gained, lost) since the last call; a partition lost and gained again is in both."""
        with self._lock:
            gained, lost = frozenset(self._fresh), frozenset(self._known - (self._current - self._fresh))
            self._known = set(self._current)
            self._fresh = set()
            return gained, lost


def _options(settings: KafkaSettings, group: str | None, client: str) -> dict[str, Any]:
    session_ms = int(settings.session_timeout * 1000)
    return client_options(settings, client) | {
        "group_id": group,
        "group_instance_id": (settings.instance or None) if group is not None else None,
        "session_timeout_ms": session_ms,
        "heartbeat_interval_ms": min(3000, session_ms // 4),
        "enable_auto_commit": False,
        # Not 'earliest': the library would jump in silence.
        "auto_offset_reset": "none",
        "fetch_max_wait_ms": int(FETCH_WAIT_SECONDS * 1000),
        "max_partition_fetch_bytes": MAX_MESSAGE_BYTES,
        "allow_auto_create_topics": False,
        "metrics_enabled": False,
    }
