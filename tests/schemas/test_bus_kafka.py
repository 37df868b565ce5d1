"""The Kafka adapter keeps the bus's promises against a real broker, and shares partitions out in a group."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace

import pytest

from schemas.bus.kafka import KafkaConsumer
from schemas.errors import BusMismatch
from schemas.settings import KafkaSettings
from tests.schemas.bus_contract import Bus, BusContract, Reading, eventually, publish, values
from tests.schemas.kafka_bus import REAL_BROKER, KafkaBus

pytestmark = REAL_BROKER


@pytest.fixture
def tail_seconds() -> float:
    return 0.1


class TestContract(BusContract):
    """All of the contract, as a member of a group."""

    @pytest.fixture
    def bus(self, kafka_bus: KafkaBus) -> Bus:
        return kafka_bus


def assigned(*readings: Reading) -> list[set[int]]:
    return [reading.assigned for reading in readings]


def test_a_member_without_partitions_yet_has_no_offsets_and_sought_ones_are_refused(kafka_bus: KafkaBus) -> None:
    kafka_bus.producer("t", 2)
    consumer = kafka_bus.consumer("t")
    assert (consumer.begin_offsets(), consumer.end_offsets()) == ({}, {})
    with pytest.raises(BusMismatch, match="partition 0 is not assigned"):
        consumer.seek(0, 0)


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
    kafka_bus: KafkaBus, kafka_settings: KafkaSettings
) -> None:
    kafka_bus.producer("t", 2)
    servers = kafka_settings.bootstrap_servers[0]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(MEMBER), servers, kafka_bus.name("t")], stdout=subprocess.PIPE, text=True
    ) as zombie:
        try:
            assert zombie.stdout is not None
            assert zombie.stdout.readline() == "gained [0, 1] lost []\n"
            zombie.send_signal(signal.SIGSTOP)
            successor = Reading(KafkaConsumer(kafka_settings, kafka_bus.name("t"), group="g"))
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
