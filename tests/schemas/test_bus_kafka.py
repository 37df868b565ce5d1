"""The Kafka adapter keeps the bus's promises against a real broker, and says what is wrong when it cannot."""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from schemas.bus.kafka import KafkaConsumer, KafkaProducer, ensure_topic, verify_topic
from schemas.bus.kafka_topic import MAX_MESSAGE_BYTES
from schemas.bus.open import open_consumer, open_producer
from schemas.bus.port import Consumer, Producer
from schemas.errors import BusMismatch, BusUnavailable
from schemas.settings import BusSettings, KafkaSettings
from tests.rigs.kafka_broker import PASSWORD, USER, KafkaBroker
from tests.schemas.bus_contract import SECONDS, Bus, BusContract, Reading, eventually, publish, values

pytestmark = [
    pytest.mark.kafka,
    # kafka-python leaves the socket of a refused connection to the garbage collector.
    pytest.mark.filterwarnings(
        r"ignore:Exception ignored in. <(socket\.socket|ssl\.SSLSocket):pytest.PytestUnraisableExceptionWarning"
    ),
]


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Collect what this test's clients left, so that no later test is blamed for it."""
    yield
    gc.collect()


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


@pytest.fixture
def settings(kafka_broker: KafkaBroker) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=kafka_broker.bootstrap_servers, session_timeout=3.0, connect_timeout=5.0)


@pytest.fixture
def kafka_bus(settings: KafkaSettings) -> Iterator[KafkaBus]:
    made = KafkaBus(settings)
    yield made
    made.close()


@pytest.fixture
def tail_seconds() -> float:
    return 0.1


class TestContract(BusContract):
    """All of the contract, as a member of a group."""

    @pytest.fixture
    def bus(self, kafka_bus: KafkaBus) -> Bus:
        return kafka_bus


# The group


def assigned(*readings: Reading) -> list[set[int]]:
    return [reading.assigned for reading in readings]


def test_two_members_share_the_partitions_and_none_is_read_by_both(kafka_bus: KafkaBus) -> None:
    producer = kafka_bus.producer("t", 4)
    first = Reading(kafka_bus.consumer("t"))
    eventually(lambda: first.step() == [] and first.assigned == {0, 1, 2, 3})
    second = Reading(kafka_bus.consumer("t"), first.offsets)

    def shared() -> bool:
        first.step()
        second.step()
        return len(first.assigned) == len(second.assigned) == 2 and first.assigned | second.assigned == {0, 1, 2, 3}

    eventually(shared, what=lambda: str(assigned(first, second)))
    for partition in range(4):
        publish(producer, partition, [str(partition)])
    eventually(lambda: len(first.step() + second.step()) >= 0 and len(first.records + second.records) == 4)
    assert {record.partition for record in first.records} == first.assigned
    assert {record.partition for record in second.records} == second.assigned


def test_partitions_of_a_member_that_leaves_go_to_the_other_and_go_on_where_it_stopped(kafka_bus: KafkaBus) -> None:
    producer = kafka_bus.producer("t", 2)
    offsets: dict[int, int] = {}
    first, second = Reading(kafka_bus.consumer("t"), offsets), Reading(kafka_bus.consumer("t"), offsets)
    eventually(lambda: bool(first.step() + second.step()) or assigned(first, second) in ([{0}, {1}], [{1}, {0}]))
    publish(producer, 0, ["a"])
    publish(producer, 1, ["b"])
    eventually(lambda: len(first.step() + second.step()) >= 0 and len(first.records + second.records) == 2)
    first.consumer.close()
    publish(producer, 0, ["c"])
    publish(producer, 1, ["d"])
    eventually(lambda: len(second.step()) >= 0 and second.assigned == {0, 1} and offsets == {0: 2, 1: 2})
    assert sorted(values(first.records + second.records)) == ["a", "b", "c", "d"]


MEMBER = """
    import sys
    from schemas.bus.kafka import KafkaConsumer
    from schemas.settings import KafkaSettings
    settings = KafkaSettings(bootstrap_servers=(sys.argv[1],), session_timeout=1.0)
    consumer = KafkaConsumer(settings, sys.argv[2], group="g")
    while True:
        consumer.poll(0.05)
        gained, lost = consumer.take_assignment()
        if gained or lost:
            print("gained", sorted(gained), "lost", sorted(lost), flush=True)
"""


def test_case_42_a_member_that_was_frozen_loses_its_partitions_and_is_told(
    kafka_bus: KafkaBus, settings: KafkaSettings
) -> None:
    kafka_bus.producer("t", 2)
    servers = settings.bootstrap_servers[0]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(MEMBER), servers, kafka_bus.name("t")], stdout=subprocess.PIPE, text=True
    ) as zombie:
        try:
            assert zombie.stdout is not None
            assert zombie.stdout.readline() == "gained [0, 1] lost []\n"
            zombie.send_signal(signal.SIGSTOP)
            successor = Reading(KafkaConsumer(settings, kafka_bus.name("t"), group="g"))
            eventually(lambda: successor.step() == [] and successor.assigned == {0, 1})
            zombie.send_signal(signal.SIGCONT)
            told = threading.Thread(target=lambda: lines.append(zombie.stdout.readline()))  # type: ignore[union-attr]
            lines: list[str] = []
            told.start()
            eventually(lambda: successor.step() is not None and bool(lines))
            told.join()
            assert lines[0].endswith("lost [0, 1]\n")
            successor.consumer.close()
        finally:
            zombie.kill()


def test_a_join_that_outlives_its_poll_is_not_forgotten(kafka_bus: KafkaBus) -> None:
    producer = kafka_bus.producer("t", 2)
    reading = Reading(consumer := kafka_bus.consumer("t"))
    eventually(lambda: reading.step() == [] and reading.assigned == {0, 1})
    # What the library does when the topic's metadata changed under the leader of the group.
    coordinator = consumer._consumer._coordinator
    coordinator._assignment_snapshot = {"other": set()}
    assert coordinator.need_rejoin()
    consumer._consumer.poll(timeout_ms=0)
    eventually(lambda: coordinator._join_task is not None and coordinator._join_task.is_done)
    publish(producer, 0, ["after"])
    assert values(reading.take(1)) == ["after"]
    assert reading.assigned == {0, 1}


def test_a_static_member_comes_back_to_its_partitions_at_once(kafka_bus: KafkaBus) -> None:
    settings = replace(kafka_bus.settings, instance="translator-0")
    kafka_bus.producer("t", 2)
    Reading(kafka_bus.consumer("t", settings=settings)).join()
    began = time.monotonic()
    Reading(kafka_bus.consumer("t", settings=settings)).join()
    assert time.monotonic() - began < 3


def test_a_reader_without_group_has_all_partitions_and_disturbs_no_member(kafka_bus: KafkaBus) -> None:
    publish(kafka_bus.producer("t", 2), 1, range(3))
    member = Reading(kafka_bus.consumer("t"))
    member.take(3)
    reading = Reading(kafka_bus.reader("t"))
    assert reading.consumer.end_offsets() == {0: 0, 1: 3}
    assert values(reading.take(3)) == ["0", "1", "2"]
    member.step()
    assert member.consumer.take_assignment() == (frozenset(), frozenset())
    assert member.assigned == {0, 1}


# Brokers that go away


@pytest.fixture(scope="module")
def mortal(kafka_broker: KafkaBroker) -> Iterator[KafkaBroker]:
    """A second broker, to be killed; whoever does starts it again."""
    with KafkaBroker() as broker:
        yield broker


def test_case_40_43_a_killed_broker_blocks_publishing_at_the_buffer_and_nothing_is_lost(mortal: KafkaBroker) -> None:
    settings = KafkaSettings(
        bootstrap_servers=mortal.bootstrap_servers,
        session_timeout=6.0,
        connect_timeout=2.0,
        publish_timeout=0.5,
        buffer_bytes=20_000,
    )
    bus, stop = KafkaBus(settings), threading.Event()
    try:
        producer = bus.producer("t", 2)
        publish(producer, 0, ["first"])
        reading = Reading(KafkaConsumer(settings, bus.name("t"), group="g", patience=0.5))
        reading.take(1)
        taken, refused = ["first"], []

        def work() -> None:
            number = 0
            while not stop.is_set():
                try:
                    producer.publish(0, b"key", b"%d" % number)
                except BusUnavailable as error:
                    refused.append(str(error))
                else:
                    taken.append(str(number))
                    number += 1
                stop.wait(0.001)

        worker = threading.Thread(target=work)
        worker.start()
        reading.take(20)
        mortal.kill()
        with pytest.raises(
            BusUnavailable, match=r"did not confirm \d+ records.*cannot be reached.*is the broker running"
        ):
            producer.flush(1)
        with pytest.raises(BusUnavailable, match="reading"):
            eventually(lambda: reading.step(0.2) is None)
        eventually(lambda: bool(refused))
        assert "wait for Kafka's confirmation" in refused[0]
        mortal.restart()
        before = len(taken)
        eventually(lambda: len(taken) > before + 50)
        stop.set()
        worker.join()
        producer.flush(SECONDS)
        reading.offsets[0] = 0
        reading.consumer.seek(0, 0)
        reading.records.clear()
        eventually(lambda: reading.step() is not None and len(reading.records) >= len(taken))
        assert values(reading.records) == taken, "each record once and in order: the producer is idempotent"
        reading.consumer.close()
    finally:
        stop.set()
        bus.close()


def test_closing_while_the_broker_is_away_ends_within_seconds_and_leaves_no_thread(mortal: KafkaBroker) -> None:
    bus = KafkaBus(KafkaSettings(bootstrap_servers=mortal.bootstrap_servers, connect_timeout=2.0))
    before = set(threading.enumerate())
    producer, consumer = bus.producer("t"), bus.consumer("t")
    Reading(consumer).join()
    mortal.kill()
    producer.publish(0, b"key", b"lost")
    began = time.monotonic()
    producer.close()
    consumer.close()
    assert time.monotonic() - began < 15
    eventually(lambda: set(threading.enumerate()) <= before)
    with pytest.raises(BusUnavailable, match="closed"):
        producer.flush(1)
    mortal.restart()


def test_nobody_there_is_unavailable_names_the_address_and_leaves_no_thread() -> None:
    settings = KafkaSettings(bootstrap_servers=("127.0.0.1:1",), connect_timeout=0.3)
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(BusUnavailable, match=r"Kafka at 127\.0\.0\.1:1.*cannot be reached.*is the broker running"):
            KafkaProducer(settings, "t", 1)
        with pytest.raises(BusUnavailable, match=r"127\.0\.0\.1:1"):
            KafkaConsumer(settings, "t", group="g")
    eventually(lambda: threading.active_count() <= before)


def test_a_name_that_does_not_resolve_is_named() -> None:
    settings = KafkaSettings(bootstrap_servers=("broker.invalid:9092",), connect_timeout=0.3)
    with pytest.raises(BusUnavailable, match=r"the name broker\.invalid cannot be resolved"):
        verify_topic(settings, "t")


# Credentials


@pytest.fixture
def secure(kafka_broker: KafkaBroker) -> KafkaSettings:
    return KafkaSettings(
        bootstrap_servers=kafka_broker.secure_servers,
        security_protocol="SASL_SSL",
        ssl_cafile=str(kafka_broker.certificate),
        sasl_mechanism="PLAIN",
        sasl_username=USER,
        sasl_password=PASSWORD,
        connect_timeout=1.0,
    )


def test_records_pass_over_tls_with_a_password(secure: KafkaSettings) -> None:
    bus = KafkaBus(secure)
    try:
        publish(bus.producer("t"), 0, ["secret"])
        assert values(Reading(bus.consumer("t")).take(1)) == ["secret"]
    finally:
        bus.close()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sasl_password": "pa55-of-yesterday"}, rf"user '{USER}' \(PLAIN\)"),
        ({"sasl_username": "mallory", "sasl_password": "pa55-of-yesterday"}, r"user 'mallory' \(PLAIN\)"),
        ({"ssl_cafile": ""}, "certificate .* is not trusted .*ssl_cafile"),
        ({"security_protocol": "SASL_PLAINTEXT"}, "no SASL_PLAINTEXT listener"),
    ],
)
def test_case_51_wrong_credentials_name_the_principal_and_never_the_secret(
    secure: KafkaSettings, change: dict[str, str], says: str, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = replace(secure, **change)  # type: ignore[arg-type]
    with caplog.at_level(logging.DEBUG), pytest.raises(BusUnavailable, match=says) as raised:
        KafkaProducer(wrong, "t", 1)
    for text in (str(raised.value), caplog.text, repr(wrong)):
        assert "pa55" not in text and PASSWORD not in text


def test_a_tls_listener_met_without_tls_is_named(secure: KafkaSettings) -> None:
    with pytest.raises(BusUnavailable, match="no PLAINTEXT listener"):
        verify_topic(replace(secure, security_protocol="PLAINTEXT"), "t")


def test_tls_files_that_cannot_be_read_are_a_mismatch(secure: KafkaSettings) -> None:
    with pytest.raises(BusMismatch, match=r"/nowhere/ca\.pem cannot be used"):
        verify_topic(replace(secure, ssl_cafile="/nowhere/ca.pem"), "t")


# The topic


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
        with pytest.raises(BusMismatch, match=r"was lost.*open another producer, and list again"):
            producer.flush(SECONDS)
    with pytest.raises(BusMismatch, match="list again"):
        producer.publish(0, b"key", b"after")


def test_a_codec_that_is_not_installed_is_a_mismatch(kafka_bus: KafkaBus) -> None:
    with pytest.raises(BusMismatch, match="compression 'snappy' cannot be used"):
        kafka_bus.producer("t", settings=replace(kafka_bus.settings, compression="snappy"))


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_records_pass_with_each_codec(kafka_bus: KafkaBus, compression: str) -> None:
    publish(kafka_bus.producer("t", settings=replace(kafka_bus.settings, compression=compression)), 0, range(100))
    assert values(Reading(kafka_bus.consumer("t")).take(100)) == [str(number) for number in range(100)]


def test_the_settings_open_it(settings: KafkaSettings) -> None:
    bus = BusSettings(kind="kafka", topic=f"k8s.changes.{uuid.uuid4().hex[:8]}", partitions=3)
    producer = open_producer(bus, settings, "k8s")
    consumer = open_consumer(bus, settings, "k8s", group="")
    try:
        publish(producer, 2, ["opened"])
        assert values(Reading(consumer).take(1)) == ["opened"]
    finally:
        consumer.close()
        producer.close()
