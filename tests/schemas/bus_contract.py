"""What both adapters of the bus promise (schemas/bus/port.py), as tests that each of them inherits.

An adapter's test class gives the fixture `bus`; everything else is here and knows nothing of the adapter.
"""

from __future__ import annotations

import logging
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest

from schemas.bus.port import MAX_RECORD_BYTES, Consumer, Producer, Record
from schemas.errors import BusMismatch, BusUnavailable

SECONDS = 15.0
"""Deadline of everything that should happen at once: only a broken adapter waits so long."""


class Bus(Protocol):
    """An adapter under test; what it opened is closed by the fixture."""

    def producer(self, topic: str, partitions: int = 2) -> Producer:
        """A producer, the topic made if there is none."""

    def consumer(self, topic: str) -> Consumer:
        """A consumer of all partitions."""

    def forget(self, topic: str, partition: int, offset: int) -> None:
        """Let retention take every record before `offset`; the topic has no producer at the time."""


class Reading:
    """What the translator does with a consumer: after each poll, drop what was lost and seek what was gained."""

    def __init__(self, consumer: Consumer, offsets: dict[int, int] | None = None) -> None:
        self.consumer = consumer
        self.offsets = offsets if offsets is not None else {}
        self.assigned: set[int] = set()
        self.records: list[Record] = []

    def step(self, timeout: float = 0.05, max_records: int = 500) -> list[Record]:
        """One poll; records of partitions that are not ours are a fault of the adapter."""
        records = self.consumer.poll(timeout, max_records)
        gained, lost = self.consumer.take_assignment()
        for record in records:
            assert record.partition in self.assigned, f"{record} before its partition was gained and sought"
            self.offsets[record.partition] = record.offset + 1
        self.assigned -= lost
        for partition in gained:
            self.consumer.seek(partition, self.offsets.get(partition, 0))
        self.assigned |= gained
        self.records += records
        return records

    def take(self, count: int, seconds: float = SECONDS) -> list[Record]:
        """The next records, `count` or more."""
        found: list[Record] = []

        def enough() -> bool:
            found.extend(self.step())
            return len(found) >= count

        eventually(enough, seconds, lambda: f"{len(found)} of {count} records")
        return found

    def join(self, seconds: float = SECONDS) -> None:
        """Wait for the first assignment, reading nothing."""

        def joined() -> bool:
            self.step(0.05)
            return bool(self.assigned)

        eventually(joined, seconds, lambda: "no assignment")
        assert not self.records


def eventually(condition: Callable[[], bool], seconds: float = SECONDS, what: Callable[[], str] = str) -> None:
    """Return when the condition holds, which may do its own waiting."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what()}"
        time.sleep(0.002)


def publish(producer: Producer, partition: int, names: range | list[str]) -> None:
    """One record per name, its value the name, and flush."""
    for name in names:
        producer.publish(partition, b"key", str(name).encode())
    producer.flush(SECONDS)


def values(records: list[Record]) -> list[str]:
    """The names that `publish` was given, as they were read."""
    return [(record.value or b"").decode() for record in records]


class BusContract:
    """Inherit, and give the fixture `bus`."""

    @pytest.fixture
    def bus(self) -> Iterator[Bus]:
        raise NotImplementedError

    def test_a_record_arrives_as_it_was_published(self, bus: Bus) -> None:
        producer, before = bus.producer("t"), time.time()
        headers = (("kind", b"Pod"), ("traceparent", b"00-1-2-01"), ("kind", b"twice"), ("empty", b""))
        producer.publish(1, b"Pod/default/\xc3\xa9\x00", b"\x00\xff" * 10, headers)
        producer.flush(SECONDS)
        [record] = Reading(bus.consumer("t")).take(1)
        assert (record.topic.endswith("t"), record.partition, record.offset) == (True, 1, 0)
        assert (record.key, record.value) == (b"Pod/default/\xc3\xa9\x00", b"\x00\xff" * 10)
        assert record.headers == headers
        assert before - 1 <= record.timestamp_ms / 1000 <= time.time() + 1

    def test_each_partition_is_delivered_in_order_of_offset(self, bus: Bus) -> None:
        producer = bus.producer("t", 3)
        for number in range(600):
            producer.publish(number % 3, b"key", b"%d" % number)
        producer.flush(SECONDS)
        records = Reading(bus.consumer("t")).take(600)
        for partition in range(3):
            mine = [record for record in records if record.partition == partition]
            assert values(mine) == [str(number) for number in range(600) if number % 3 == partition]
            assert [record.offset for record in mine] == list(range(200))

    def test_a_gained_partition_delivers_nothing_before_its_seek(self, bus: Bus) -> None:
        publish(bus.producer("t"), 0, range(3))
        consumer = bus.consumer("t")
        gained: set[int] = set()

        def complete() -> bool:
            assert consumer.poll(0.05) == []
            gained.update(consumer.take_assignment()[0])
            return gained == {0, 1}

        eventually(complete)
        assert consumer.poll(0.1) == []
        assert consumer.take_assignment() == (frozenset(), frozenset())
        consumer.seek(0, 1)
        consumer.seek(1, 0)
        assert values(consumer.poll(SECONDS)) == ["1", "2"]

    def test_seek_goes_back_and_forward(self, bus: Bus) -> None:
        publish(bus.producer("t"), 0, range(10))
        reading = Reading(bus.consumer("t"))
        reading.take(10)
        reading.consumer.seek(0, 7)
        assert values(reading.take(3)) == ["7", "8", "9"]
        reading.consumer.seek(0, 0)
        reading.consumer.seek(0, 4)
        assert values(reading.take(6)) == ["4", "5", "6", "7", "8", "9"]
        reading.consumer.seek(0, 2)
        assert values(reading.step(SECONDS, max_records=2)) == ["2", "3"]
        reading.consumer.seek(0, 8)
        assert values(reading.take(2)) == ["8", "9"]

    def test_poll_gives_no_more_records_than_asked_for_and_loses_none(self, bus: Bus) -> None:
        publish(bus.producer("t", 1), 0, range(25))
        reading = Reading(bus.consumer("t"))
        reading.join()

        def all_there() -> bool:
            assert len(reading.step(max_records=10)) <= 10
            return len(reading.records) >= 25

        eventually(all_there)
        assert values(reading.records) == [str(number) for number in range(25)]

    def test_poll_returns_empty_at_its_timeout(self, bus: Bus) -> None:
        bus.producer("t")
        reading = Reading(bus.consumer("t"))
        reading.join()
        began = time.monotonic()
        assert reading.step(0.3) == []
        assert 0.25 <= time.monotonic() - began < 3

    def test_a_follower_sees_new_records_at_once(self, bus: Bus, tail_seconds: float) -> None:
        producer = bus.producer("t", 1)
        publish(producer, 0, ["old"])
        reading = Reading(bus.consumer("t"), {0: 1})
        reading.join()
        reading.step(0.1)
        took = []
        for number in range(20):
            sent = time.monotonic()
            sender = threading.Thread(target=publish, args=(producer, 0, [str(number)]))
            sender.start()
            assert values(reading.take(1)) == [str(number)]
            took.append(time.monotonic() - sent)
            sender.join()
        assert statistics.median(took) < tail_seconds, took

    def test_a_tombstone_has_no_value(self, bus: Bus) -> None:
        producer = bus.producer("t")
        producer.publish(0, b"gone", None)
        producer.publish(0, b"empty", b"")
        producer.flush(SECONDS)
        records = Reading(bus.consumer("t")).take(2)
        assert [(record.key, record.value) for record in records] == [(b"gone", None), (b"empty", b"")]

    def test_values_of_a_megabyte_pass_and_too_large_ones_are_named(self, bus: Bus) -> None:
        producer = bus.producer("t")
        large = [bytes([number]) * 1_000_000 + bytes(48_576) for number in range(3)]
        for value in large:
            producer.publish(0, b"large", value)
        with pytest.raises(BusMismatch, match=f"ConfigMap/big.*{MAX_RECORD_BYTES}"):
            producer.publish(0, b"ConfigMap/big", bytes(MAX_RECORD_BYTES))
        producer.publish(0, b"limit", bytes(MAX_RECORD_BYTES - 5))
        producer.flush(SECONDS)
        records = Reading(bus.consumer("t")).take(4)
        assert [record.value for record in records[:3]] == large
        assert len(records[3].value or b"") == MAX_RECORD_BYTES - 5

    def test_flushed_records_are_there_after_reopening_and_offsets_go_on(self, bus: Bus) -> None:
        for number in range(3):
            producer = bus.producer("t", 1)
            publish(producer, 0, [str(number)])
            producer.close()
        records = Reading(bus.consumer("t")).take(3)
        assert [(record.offset, record.value) for record in records] == [(0, b"0"), (1, b"1"), (2, b"2")]

    def test_close_flushes_and_ends_the_producer(self, bus: Bus) -> None:
        producer = bus.producer("t")
        producer.publish(0, b"key", b"unflushed")
        producer.close()
        producer.close()
        assert values(Reading(bus.consumer("t")).take(1)) == ["unflushed"]
        with pytest.raises(BusUnavailable):
            producer.publish(0, b"key", b"late")
        with pytest.raises(BusUnavailable):
            producer.flush(1)

    def test_begin_and_end_offsets_tell_what_is_kept(self, bus: Bus) -> None:
        producer = bus.producer("t")
        reading = Reading(bus.consumer("t"))
        reading.join()
        eventually(lambda: reading.step() == [] and reading.assigned == {0, 1})
        assert (reading.consumer.begin_offsets(), reading.consumer.end_offsets()) == ({0: 0, 1: 0}, {0: 0, 1: 0})
        publish(producer, 1, range(4))
        eventually(lambda: reading.consumer.end_offsets() == {0: 0, 1: 4})
        assert reading.consumer.begin_offsets() == {0: 0, 1: 0}

    def test_case_44_an_offset_no_longer_kept_continues_at_the_oldest_record(
        self, bus: Bus, caplog: pytest.LogCaptureFixture
    ) -> None:
        producer = bus.producer("t", 1)
        publish(producer, 0, range(6))
        publish(producer, 0, range(6, 10))
        producer.close()
        bus.forget("t", 0, 6)
        reading = Reading(bus.consumer("t"), {0: 2})
        with caplog.at_level(logging.WARNING, "schemas.bus"):
            assert values(reading.take(4)) == ["6", "7", "8", "9"]
        assert reading.records[0].offset == 6
        assert reading.consumer.begin_offsets() == {0: 6}
        assert reading.consumer.end_offsets() == {0: 10}
        assert "not kept" in caplog.text and "partition=0" in caplog.text

    def test_case_44_an_offset_beyond_the_end_continues_at_the_oldest_record_too(
        self, bus: Bus, caplog: pytest.LogCaptureFixture
    ) -> None:
        publish(bus.producer("t", 1), 0, range(3))
        reading = Reading(bus.consumer("t"), {0: 50})
        with caplog.at_level(logging.WARNING, "schemas.bus"):
            assert values(reading.take(3)) == ["0", "1", "2"]
        assert "not kept" in caplog.text

    def test_another_number_of_partitions_is_a_mismatch(self, bus: Bus) -> None:
        bus.producer("t", 2).close()
        with pytest.raises(BusMismatch, match=r"partitions.*found 2.*wanted 3"):
            bus.producer("t", 3)

    def test_a_topic_that_is_not_there_yet_is_unavailable(self, bus: Bus) -> None:
        with pytest.raises(BusUnavailable, match="later"):
            bus.consumer("later")

    def test_a_partition_that_is_not_there_is_a_mismatch(self, bus: Bus) -> None:
        producer = bus.producer("t", 2)
        for partition in (2, -1):
            with pytest.raises(BusMismatch, match="2 partitions"):
                producer.publish(partition, b"key", b"value")
        reading = Reading(bus.consumer("t"))
        reading.join()
        with pytest.raises(BusMismatch, match="not assigned"):
            reading.consumer.seek(5, 0)

    def test_several_threads_may_publish(self, bus: Bus) -> None:
        producer = bus.producer("t", 2)

        def work(thread: int) -> None:
            for number in range(200):
                producer.publish(number % 2, b"%d" % thread, b"%d" % number)
                if number % 50 == 0:
                    producer.flush(SECONDS)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        producer.flush(SECONDS)
        records = Reading(bus.consumer("t")).take(800)
        assert len(records) == 800
        for number in range(4):
            for partition in range(2):
                mine = [r for r in records if r.key == b"%d" % number and r.partition == partition]
                assert values(mine) == [str(each) for each in range(200) if each % 2 == partition]
