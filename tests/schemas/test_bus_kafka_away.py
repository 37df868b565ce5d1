"""Brokers that are away, or refuse us: nothing is lost, and the message names the likely culprit."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.bus.kafka import KafkaConsumer, KafkaProducer, verify_topic
from schemas.bus.port import Producer
from schemas.errors import BusMismatch, BusUnavailable
from schemas.settings import KafkaSettings
from tests.rigs.certificates import Authority
from tests.rigs.kafka_broker import PASSWORD, USER, KafkaBroker
from tests.schemas.bus_contract import SECONDS, Reading, eventually, publish, values
from tests.schemas.kafka_bus import REAL_BROKER, KafkaBus

pytestmark = REAL_BROKER


@pytest.fixture
def mortal(kafka_broker: KafkaBroker) -> Iterator[KafkaBroker]:
    """The broker, to be killed."""
    yield kafka_broker
    if not kafka_broker.running:
        kafka_broker.restart()


class Publishing(threading.Thread):
    """A watcher that goes on whatever happens: 0, 1, 2 … into partition 0; a refused number is tried again."""

    def __init__(self, producer: Producer) -> None:
        super().__init__()
        self.taken: list[str] = []
        self.refused: list[str] = []
        self._producer = producer
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.wait(0.001):
            number = str(len(self.taken))
            try:
                self._producer.publish(0, b"key", number.encode())
            except BusUnavailable as error:
                self.refused.append(str(error))
            else:
                self.taken.append(number)

    def end(self) -> None:
        self._ending.set()
        self.join()


def test_case_40_43_a_killed_broker_blocks_publishing_at_the_buffer_and_nothing_is_lost(
    mortal: KafkaBroker, kafka_settings: KafkaSettings
) -> None:
    settings = replace(kafka_settings, publish_timeout=0.5, buffer_bytes=20_000)
    bus = KafkaBus(settings)
    producer = bus.producer("t", 2)
    reading = Reading(KafkaConsumer(settings, bus.name("t"), group="g", patience=0.5))
    watcher = Publishing(producer)
    watcher.start()
    try:
        reading.take(20)
        mortal.kill()
        with pytest.raises(BusUnavailable, match=r"did not confirm \d+ records.*cannot be reached.*is the broker"):
            producer.flush(1)
        with pytest.raises(BusUnavailable, match=r"reading .*\.t: no answer in time"):
            eventually(lambda: reading.step(0.2) is None)
        eventually(lambda: bool(watcher.refused))
        assert "wait for Kafka's confirmation" in watcher.refused[0]
        mortal.restart()
        taken = len(watcher.taken)
        eventually(lambda: len(watcher.taken) > taken + 50)
        watcher.end()
        producer.flush(SECONDS)
        eventually(lambda: reading.step() is not None and reading.offsets[0] == len(watcher.taken))
        everything = Reading(bus.reader("t")).take(len(watcher.taken))
        assert values(everything) == watcher.taken, "once each and in order: the producer is idempotent"
    finally:
        watcher.end()
        reading.consumer.close()
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


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_records_pass_over_tls_with_a_password(secure: KafkaSettings, mechanism: str) -> None:
    bus = KafkaBus(replace(secure, sasl_mechanism=mechanism))
    try:
        publish(bus.producer("t"), 0, ["secret"])
        assert values(Reading(bus.consumer("t")).take(1)) == ["secret"]
    finally:
        bus.close()


@pytest.fixture
def mutual(kafka_broker: KafkaBroker) -> KafkaSettings:
    own = kafka_broker.clients.issue("contrail-kube")
    return KafkaSettings(
        bootstrap_servers=kafka_broker.mutual_servers,
        security_protocol="SSL",
        ssl_cafile=str(kafka_broker.certificate),
        ssl_certfile=str(own.certificate),
        ssl_keyfile=str(own.key),
        connect_timeout=1.0,
    )


def test_records_pass_over_tls_with_a_client_certificate(mutual: KafkaSettings) -> None:
    bus = KafkaBus(mutual)
    try:
        publish(bus.producer("t"), 0, ["secret"])
        assert values(Reading(bus.consumer("t")).take(1)) == ["secret"]
    finally:
        bus.close()


def test_case_51_a_client_certificate_that_is_refused_or_missing_is_named(
    mutual: KafkaSettings, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path).issue("stranger")
    with pytest.raises(BusUnavailable, match=r"may refuse the certificate .*stranger\.pem"):
        KafkaProducer(replace(mutual, ssl_certfile=str(stranger.certificate), ssl_keyfile=str(stranger.key)), "t", 1)
    with pytest.raises(BusUnavailable, match="may refuse an anonymous client"):
        KafkaProducer(replace(mutual, ssl_certfile="", ssl_keyfile=""), "t", 1)


def test_case_51_a_rotated_client_certificate_is_used_by_whoever_connects_next(
    mutual: KafkaSettings, kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    """The files are read at each opening: a term of leadership, a reopening, a start."""
    own = Authority(tmp_path).issue("expired")
    rotated = replace(mutual, ssl_certfile=str(own.certificate), ssl_keyfile=str(own.key))
    with pytest.raises(BusUnavailable):
        KafkaProducer(rotated, "t", 1)
    own.replace(kafka_broker.clients.issue("fresh"))
    bus = KafkaBus(rotated)
    try:
        publish(bus.producer("t"), 0, ["secret"])
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
