"""Producer of Kafka: idempotent, confirmed by all replicas in sync, with a bounded buffer.

A broker that is away costs nothing but time: kafka-python goes on trying, and the buffer fills. A record that
Kafka refuses for good ends the producer, because later ones must not overtake it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import kafka
from kafka import errors

from schemas.bus.kafka_client import client_options, connect, culprit, explained, translated
from schemas.bus.kafka_topic import MAX_MESSAGE_BYTES, ensure_topic
from schemas.bus.port import check_size
from schemas.errors import BusLost, BusMismatch, BusUnavailable
from schemas.settings import KafkaSettings

logger = logging.getLogger(__name__)

FOREVER_MS = 2**31 - 1
"""The library gives records up after this time; ours are given up by whoever closes the producer."""
RECORD_OVERHEAD = 100
CLOSE_SECONDS = 3.0


class KafkaProducer:
    """A Producer (see `port`) that makes and verifies its topic."""

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        partitions: int,
        *,
        client: str = "contrail-kube",
    ) -> None:
        ensure_topic(settings, topic, partitions)
        self._settings = settings
        self._topic = topic
        self._change = threading.Condition()
        self._published = [0] * partitions
        self._confirmed = [0] * partitions
        self._buffered = 0
        self._closed = False
        self._ended: str | None = None
        options = client_options(settings, client) | {
            "acks": "all",
            "enable_idempotence": True,
            "delivery_timeout_ms": FOREVER_MS,
            "max_block_ms": int(settings.publish_timeout * 1000),
            "max_request_size": MAX_MESSAGE_BYTES,
            "batch_size": 256 * 1024,
            "compression_type": None if settings.compression == "none" else settings.compression,
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
        }
        self._producer = connect(kafka.KafkaProducer, settings, options)
        # Else the first record would need a broker to get into the buffer.
        with translated(settings, f"asking for the partitions of {topic}"):
            self._producer.partitions_for(topic)

    @property
    def topic(self) -> str:
        """Name of the topic."""
        return self._topic

    @property
    def partitions(self) -> int:
        """Number of partitions of the topic."""
        return len(self._published)

    def publish(
        self, partition: int, key: bytes, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        """Take one record; waits for room up to `publish_timeout`, then raises BusUnavailable."""
        size = check_size(self._topic, key, value, headers) + RECORD_OVERHEAD
        if not 0 <= partition < self.partitions:
            raise BusMismatch(f"topic {self._topic} has {self.partitions} partitions, none is number {partition}")
        self._take_room(partition, size)
        try:
            with translated(self._settings, f"publishing to {self._topic}"):
                future = self._producer.send(self._topic, value, key, list(headers), partition)
        except ValueError as error:
            # Its way to say that the topic lost partitions.
            self._count(partition, size)
            raise BusMismatch(f"topic {self._topic}: {error}") from error
        except BaseException:
            self._count(partition, size)
            raise
        future.add_callback(self._on_confirmed, partition, size)
        future.add_errback(self._on_refused, partition, size)

    def flush(self, timeout: float) -> None:
        """Return when what was published before the call is confirmed; raises BusUnavailable."""
        with self._change:
            wanted = tuple(self._published)
            self._change.wait_for(lambda: self._ended is not None or self._is_confirmed(wanted), timeout)
            self._check()
            if self._is_confirmed(wanted):
                return
            missing = sum(wanted) - sum(self._confirmed)
        raise BusUnavailable(
            f"Kafka did not confirm {missing} records of {self._topic} within {timeout} s: {culprit(self._settings)}"
        )

    def close(self) -> None:
        """Flush for a few seconds, then give up what is left."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._ended is None:
                self.flush(CLOSE_SECONDS)
        except BusUnavailable as error:
            logger.error("closed with records not confirmed topic=%s: %s", self._topic, error)
        with self._change:
            self._ended = f"the producer of {self._topic} is closed"
            self._change.notify_all()
        # The library's close waits for what is unsent and then raises, unless its sender was told to give up.
        self._producer._sender.force_close()
        self._producer._sender.join(CLOSE_SECONDS)
        try:
            self._producer.close(timeout=CLOSE_SECONDS)
        except errors.KafkaError as error:
            logger.warning("closing the producer of %s: %s", self._topic, error)

    def _take_room(self, partition: int, size: int) -> None:
        """Wait until the record fits; one record always fits into an empty buffer."""
        settings = self._settings

        def has_room() -> bool:
            return self._buffered == 0 or self._buffered + size <= settings.buffer_bytes

        with self._change:
            self._change.wait_for(lambda: self._ended is not None or has_room(), settings.publish_timeout)
            self._check()
            if has_room():
                self._buffered += size
                self._published[partition] += 1
                return
            waiting = self._buffered
        raise BusUnavailable(
            f"{waiting} bytes for {self._topic} wait for Kafka's confirmation for {settings.publish_timeout} s:"
            f" {culprit(settings)}"
        )

    def _is_confirmed(self, wanted: Sequence[int]) -> bool:
        return all(done >= count for done, count in zip(self._confirmed, wanted, strict=True))

    def _check(self) -> None:
        if self._ended is not None:
            raise BusLost(self._ended)

    def _on_confirmed(self, partition: int, size: int, metadata: object) -> None:
        self._count(partition, size)

    def _on_refused(self, partition: int, size: int, error: errors.KafkaError) -> None:
        reason = explained(error, self._settings, f"a record of {self._topic} was lost")
        with self._change:
            if self._ended is None:
                self._ended = f"{reason}: open another producer, and list again"
        self._count(partition, size)

    def _count(self, partition: int, size: int) -> None:
        with self._change:
            self._confirmed[partition] += 1
            self._buffered -= size
            self._change.notify_all()
