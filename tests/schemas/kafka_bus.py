"""The Kafka adapter under test: topics of their own on a broker that all tests share."""

from __future__ import annotations

import uuid

import pytest
from kafka import KafkaAdminClient, TopicPartition

from schemas.bus.kafka import KafkaConsumer, KafkaProducer
from schemas.bus.port import Consumer, Producer
from schemas.settings import KafkaSettings

REAL_BROKER = [
    pytest.mark.kafka,
    # kafka-python leaves the socket of a refused connection to the garbage collector.
    pytest.mark.filterwarnings(
        r"ignore:Exception ignored in. <(socket\.socket|ssl\.SSLSocket):pytest.PytestUnraisableExceptionWarning"
    ),
    pytest.mark.usefixtures("collected"),
]
"""Marks of every test module that meets a broker."""


class KafkaBus:
    """Topics of a name of their own on a broker that other tests use too."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings
        self._prefix = uuid.uuid4().hex[:8]
        self._opened: list[Producer | Consumer] = []

    def name(self, topic: str) -> str:
        return f"{self._prefix}.{topic}"

    def producer(self, topic: str, partitions: int = 2, *, settings: KafkaSettings | None = None) -> KafkaProducer:
        producer = KafkaProducer(settings or self.settings, self.name(topic), partitions)
        self._opened.append(producer)
        return producer

    def consumer(self, topic: str, *, settings: KafkaSettings | None = None) -> KafkaConsumer:
        """A member of the group named as the topic."""
        consumer = KafkaConsumer(settings or self.settings, self.name(topic), group=self.name(topic))
        self._opened.append(consumer)
        return consumer

    def reader(self, topic: str) -> KafkaConsumer:
        """A reader of all partitions, member of no group."""
        consumer = KafkaConsumer(self.settings, self.name(topic), group=None)
        self._opened.append(consumer)
        return consumer

    def forget(self, topic: str, partition: int, offset: int) -> None:
        with self.admin() as admin:
            admin.delete_records({TopicPartition(self.name(topic), partition): offset})

    def admin(self) -> KafkaAdminClient:
        return KafkaAdminClient(bootstrap_servers=list(self.settings.bootstrap_servers))

    def close(self) -> None:
        for each in self._opened:
            each.close()
