"""The topic in Kafka is made as this project needs it, and another one is refused by setting, found and wanted."""

from __future__ import annotations

import os
import uuid
from dataclasses import replace

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from schemas.bus.kafka import KafkaConsumer, KafkaProducer, ensure_topic, verify_topic
from schemas.bus.kafka_topic import MAX_MESSAGE_BYTES
from schemas.bus.open import open_consumer, open_producer
from schemas.errors import BusLost, BusMismatch
from schemas.settings import BusSettings, KafkaSettings
from tests.schemas.bus_contract import SECONDS, Reading, publish, values
from tests.schemas.kafka_bus import REAL_BROKER, KafkaBus

pytestmark = REAL_BROKER


def test_a_topic_is_made_with_what_the_project_needs_and_passes_its_own_verification(kafka_bus: KafkaBus) -> None:
    name = kafka_bus.name("made")
    ensure_topic(kafka_bus.settings, name, 3)
    ensure_topic(kafka_bus.settings, name, 3)
    assert verify_topic(kafka_bus.settings, name) == 3
    assert verify_topic(kafka_bus.settings, name, 3) == 3


@pytest.mark.parametrize(
    ("configs", "wanted", "says"),
    [
        ({"cleanup.policy": "compact"}, {}, "cleanup.policy: found compact, wanted delete"),
        ({"cleanup.policy": "compact,delete"}, {}, "cleanup.policy: found .*wanted delete"),
        ({"retention.ms": "3600000"}, {}, f"retention.ms: found 3600000, wanted {168 * 3600 * 1000} or more"),
        ({"max.message.bytes": "1000000"}, {}, f"max.message.bytes: found 1000000, wanted {MAX_MESSAGE_BYTES} or more"),
        ({}, {"min_insync_replicas": 2}, "min.insync.replicas: found 1, wanted 2 or more"),
        ({}, {"replication_factor": 3}, "replication factor: found 1, wanted 3 or more"),
    ],
)
def test_a_topic_of_other_settings_is_a_mismatch_with_setting_found_and_wanted(
    kafka_bus: KafkaBus, configs: dict[str, str], wanted: dict[str, int], says: str
) -> None:
    name = kafka_bus.name("other")
    right = {"retention.ms": "-1", "max.message.bytes": str(MAX_MESSAGE_BYTES)}
    with kafka_bus.admin() as admin:
        admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1, "configs": right | configs}})
        admin.wait_for_topics([name])
    settings = replace(kafka_bus.settings, **wanted)  # type: ignore[arg-type]
    for attempt in (
        lambda: KafkaProducer(settings, name, 1),
        lambda: KafkaConsumer(settings, name, group="g"),
    ):
        with pytest.raises(BusMismatch, match=f"topic {name}: {says}"):
            attempt()


def test_more_copies_than_brokers_is_a_mismatch(kafka_bus: KafkaBus) -> None:
    with pytest.raises(BusMismatch, match=r"[Rr]eplication"):
        ensure_topic(replace(kafka_bus.settings, replication_factor=3), kafka_bus.name("copies"), 1)


def test_a_record_that_kafka_refuses_for_good_ends_the_producer(kafka_bus: KafkaBus) -> None:
    producer = kafka_bus.producer("t", 1)
    publish(producer, 0, ["before"])
    with kafka_bus.admin() as admin:
        resource = ConfigResource(ConfigResourceType.TOPIC, kafka_bus.name("t"), {"max.message.bytes": "1000"})
        admin.alter_configs([resource])
    producer.publish(0, b"ConfigMap/default/large", os.urandom(20_000))
    for _ in range(2):
        with pytest.raises(BusLost, match=r"was lost.*open another producer, and list again"):
            producer.flush(SECONDS)
    with pytest.raises(BusLost, match="list again"):
        producer.publish(0, b"key", b"after")


def test_a_codec_that_is_not_installed_is_a_mismatch(kafka_bus: KafkaBus) -> None:
    with pytest.raises(BusMismatch, match="compression 'snappy' cannot be used"):
        kafka_bus.producer("t", settings=replace(kafka_bus.settings, compression="snappy"))


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_records_pass_with_each_codec(kafka_bus: KafkaBus, compression: str) -> None:
    publish(kafka_bus.producer("t", settings=replace(kafka_bus.settings, compression=compression)), 0, range(100))
    assert values(Reading(kafka_bus.consumer("t")).take(100)) == [str(number) for number in range(100)]


def test_the_settings_open_it(kafka_settings: KafkaSettings) -> None:
    bus = BusSettings(kind="kafka", topic=f"k8s.changes.{uuid.uuid4().hex[:8]}", partitions=3)
    producer = open_producer(bus, kafka_settings, "k8s")
    consumer = open_consumer(bus, kafka_settings, "k8s", group="")
    try:
        publish(producer, 2, ["opened"])
        assert values(Reading(consumer).take(1)) == ["opened"]
    finally:
        consumer.close()
        producer.close()
