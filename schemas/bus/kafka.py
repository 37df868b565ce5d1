"""The bus in Apache Kafka: what a cluster of several processes and machines uses."""

from __future__ import annotations

from schemas.bus.kafka_consumer import KafkaConsumer
from schemas.bus.kafka_producer import KafkaProducer
from schemas.bus.kafka_topic import ensure_topic, verify_topic

__all__ = ["KafkaConsumer", "KafkaProducer", "ensure_topic", "verify_topic"]
