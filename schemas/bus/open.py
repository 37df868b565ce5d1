"""Opening the bus that the settings name."""

from __future__ import annotations

from schemas.bus.log import LogConsumer, LogOptions, LogProducer
from schemas.bus.port import Consumer, Producer
from schemas.settings import BusSettings, KafkaSettings

_HOUR_MS = 3600 * 1000


def open_producer(bus: BusSettings, kafka: KafkaSettings, cluster: str, *, client: str = "contrail-kube") -> Producer:
    """A producer of the cluster's topic, made if there is none; raises BusUnavailable or BusMismatch."""
    topic = bus.topic_of(cluster)
    if bus.kind == "kafka":
        # Imported where it is used: 200 ms that the embedded use need not spend.
        from schemas.bus.kafka import KafkaProducer

        return KafkaProducer(kafka, topic, bus.partitions, client=client)
    retention = int(bus.log_retention_hours * _HOUR_MS) or None
    options = LogOptions(compression=bus.log_compression, retention_ms=retention)
    return LogProducer(bus.directory, topic, bus.partitions, options=options)


def open_consumer(
    bus: BusSettings, kafka: KafkaSettings, cluster: str, *, group: str | None = None, client: str = "contrail-kube"
) -> Consumer:
    """A consumer of the cluster's topic.

    In Kafka a member of `group` (of `kafka.group` when None is given); an empty `group` is no member of any, and
    reads all partitions. In a log directory every consumer reads all partitions. Raises BusUnavailable while
    there is no topic, BusMismatch when it has another number of partitions.
    """
    topic = bus.topic_of(cluster)
    if bus.kind == "kafka":
        from schemas.bus.kafka import KafkaConsumer

        member = kafka.group if group is None else group or None
        return KafkaConsumer(kafka, topic, group=member, partitions=bus.partitions, client=client)
    return LogConsumer(bus.directory, topic, partitions=bus.partitions)
