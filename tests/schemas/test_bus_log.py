"""The log-directory adapter keeps the bus's promises; its files are Avro and its topics describe themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fastavro
import pytest

from schemas.bus.log import (
    LogConsumer,
    LogOptions,
    LogProducer,
    create_topic,
    open_topic,
)
from tests.schemas.bus_contract import Bus, BusContract, Reading, publish, values
from tests.schemas.log_bus import LogBus, only_segment, read_all, write


@pytest.fixture
def tail_seconds() -> float:
    return 0.03


class TestContract(BusContract):
    """All of the contract; the two fixtures above are its adapter."""

    @pytest.fixture
    def bus(self, tmp_path: Path) -> Iterator[Bus]:
        made = LogBus(tmp_path)
        yield made
        made.close()


@pytest.mark.parametrize("codec", ["zstandard", "deflate", "null"])
def test_segments_are_files_that_any_avro_reader_reads(tmp_path: Path, codec: str) -> None:
    producer = LogProducer(tmp_path, "t", 1, options=LogOptions(compression=codec), clock=lambda: 1.5)
    producer.publish(0, b"k", b"v", [("op", b"upsert")])
    producer.flush(1)
    producer.publish(0, b"k", None)
    producer.close()
    with only_segment(tmp_path).open("rb") as file:
        first, second = fastavro.reader(file)
    headers = [{"name": "op", "value": b"upsert"}]
    assert first == {"offset": 0, "key": b"k", "value": b"v", "headers": headers, "timestamp_ms": 1500}
    assert second == {"offset": 1, "key": b"k", "value": None, "headers": [], "timestamp_ms": 1500}
    assert values(read_all(tmp_path)) == ["v", ""]


def test_a_log_may_change_its_codec_between_writers(tmp_path: Path) -> None:
    for number, codec in enumerate(["null", "zstandard", "deflate"]):
        write(tmp_path, range(number, number + 1), options=LogOptions(compression=codec, level=19, segment_bytes=1))
    assert values(read_all(tmp_path)) == ["0", "1", "2"]


def test_a_file_of_another_avro_writer_is_read_if_its_fields_fit(tmp_path: Path) -> None:
    topic = create_topic(tmp_path, "t", 1)
    names = [("offset", "long"), ("key", "bytes"), ("value", ["null", "bytes"]), ("timestamp_ms", "long")]
    pair = [{"name": "name", "type": "string"}, {"name": "value", "type": "bytes"}]
    headers = {"type": "array", "items": {"type": "record", "name": "Header", "fields": pair}}
    fields = [{"name": name, "type": kind} for name, kind in [*names, ("headers", headers)]]
    schema = {"type": "record", "name": "LogRecord", "fields": fields}
    record = {"offset": 0, "key": b"k", "value": b"theirs", "headers": [], "timestamp_ms": 7}
    with topic.segment_path(0, 0).open("wb") as file:
        fastavro.writer(file, schema, [record], codec="deflate")
    assert values(read_all(tmp_path)) == ["theirs"]
    write(tmp_path, range(1))
    assert values(read_all(tmp_path)) == ["theirs", "0"]


def test_segments_roll_by_size_and_are_followed(tmp_path: Path) -> None:
    consumer = LogConsumer(create_topic(tmp_path, "t", 1).path.parent, "t")
    reading = Reading(consumer)
    write(tmp_path, range(30), options=LogOptions(segment_bytes=900))
    reading.take(30)
    write(tmp_path, range(30, 60), options=LogOptions(segment_bytes=900))
    reading.take(30)
    consumer.close()
    assert values(reading.records) == [str(number) for number in range(60)]
    assert len(open_topic(tmp_path, "t").segments(0)) > 4


def test_retention_removes_whole_old_segments_and_never_the_last(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hours = 0.0
    options = LogOptions(retention_ms=10 * 3600 * 1000)
    producer = LogProducer(tmp_path, "t", 1, options=options, clock=lambda: hours * 3600)
    for hour in range(30):
        hours = float(hour)
        publish(producer, 0, [str(hour)])
    consumer = LogConsumer(tmp_path, "t")
    begin = consumer.begin_offsets()[0]
    assert 10 <= begin <= 20
    assert values(read_all(tmp_path)) == [str(hour) for hour in range(begin, 30)]
    producer.close()
    hours = 1000.0
    LogProducer(tmp_path, "t", 1, options=options, clock=lambda: hours * 3600).close()
    assert values(read_all(tmp_path))[-1] == "29"
    consumer.close()


def test_a_reader_whose_segment_is_removed_goes_on_with_the_next(tmp_path: Path) -> None:
    write(tmp_path, range(5), options=LogOptions(segment_bytes=1))
    consumer = LogConsumer(tmp_path, "t")
    consumer.seek(0, 0)
    assert values(consumer.poll(1, max_records=1)) == ["0"]
    for first in (0, 1, 2):
        open_topic(tmp_path, "t").segment_path(0, first).unlink()
    assert values(consumer.poll(1)) == ["3", "4"]
    consumer.close()
