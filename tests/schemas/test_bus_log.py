"""The log-directory adapter keeps the bus's promises, and survives what directories suffer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.bus.log import (
    LogConsumer,
    LogOptions,
    LogProducer,
    create_topic,
    export_topic,
    open_topic,
    write_recording,
)
from schemas.bus.port import Consumer, Producer, Record
from schemas.errors import BusMismatch, BusUnavailable
from tests.schemas.bus_contract import Bus, BusContract, Reading, publish, values

SECONDS = 10.0


class LogBus:
    """Topics below one directory; a segment per flush, so that retention has something to take."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._opened: list[Producer | Consumer] = []

    def producer(self, topic: str, partitions: int = 2) -> Producer:
        self._opened.append(
            producer := LogProducer(self.directory, topic, partitions, options=LogOptions(segment_bytes=1))
        )
        return producer

    def consumer(self, topic: str) -> Consumer:
        self._opened.append(consumer := LogConsumer(self.directory, topic))
        return consumer

    def forget(self, topic: str, partition: int, offset: int) -> None:
        found = open_topic(self.directory, topic)
        for first in found.segments(partition):
            if first < offset:
                found.segment_path(partition, first).unlink()

    def close(self) -> None:
        for each in self._opened:
            each.close()


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[LogBus]:
    made = LogBus(tmp_path)
    yield made
    made.close()


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


def read_all(directory: Path, topic: str = "t") -> list[Record]:
    """Every record that a consumer of its own sees now."""
    consumer = LogConsumer(directory, topic)
    try:
        for partition, first in consumer.begin_offsets().items():
            consumer.seek(partition, first)
        records: list[Record] = []
        while found := consumer.poll(0):
            records += found
        return records
    finally:
        consumer.close()


def write(directory: Path, names: range, *, options: LogOptions | None = None) -> None:
    """Publish names to partition 0 of topic t, one flush each, and close."""
    producer = LogProducer(directory, "t", 1, options=options)
    try:
        for name in names:
            publish(producer, 0, [str(name)])
    finally:
        producer.close()


def only_segment(directory: Path) -> Path:
    [path] = (directory / "t" / "0").glob("*.avro")
    return path


# What is on disk


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


# Writers that end badly


def test_a_torn_tail_at_every_byte_is_waited_out_by_readers_and_repaired_by_the_writer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    master = tmp_path / "master"
    write(master, range(3))
    whole = only_segment(master).read_bytes()
    write(master, range(3, 4))
    longer = only_segment(master).read_bytes()
    for size in range(len(whole), len(longer) + 1):
        copy = tmp_path / "copy"
        shutil.copytree(master, copy)
        (copy / "t" / "durable").unlink()
        only_segment(copy).write_bytes(longer[:size])
        kept = 4 if size == len(longer) else 3
        consumer = LogConsumer(copy, "t")
        reading = Reading(consumer)
        reading.step(0)
        reading.step(0)
        caplog.clear()
        write(copy, range(7, 8))
        assert ("torn tail repaired" in caplog.text) == (len(whole) < size < len(longer))
        reading.take(kept + 1 - len(reading.records))
        assert [r.offset for r in reading.records] == list(range(kept + 1)), size
        assert values(reading.records) == [*["0", "1", "2", "3"][:kept], "7"], size
        assert reading.records == read_all(copy)
        consumer.close()
        shutil.rmtree(copy)


def test_every_flipped_byte_of_an_unconfirmed_block_is_noticed_at_opening(tmp_path: Path) -> None:
    master = tmp_path / "master"
    write(master, range(2))
    whole = only_segment(master).read_bytes()
    confirmed = (master / "t" / "durable").read_bytes()
    write(master, range(2, 3))
    longer = only_segment(master).read_bytes()
    for at in range(len(whole), len(longer)):
        copy = tmp_path / "copy"
        shutil.copytree(master, copy)
        damaged = bytearray(longer)
        damaged[at] ^= 0xFF
        only_segment(copy).write_bytes(damaged)
        (copy / "t" / "durable").write_bytes(confirmed)
        write(copy, range(9, 10))
        assert values(read_all(copy)) == ["0", "1", "9"], at
        shutil.rmtree(copy)


def test_readers_stop_at_what_is_durable(tmp_path: Path) -> None:
    write(tmp_path, range(2))
    confirmed = (tmp_path / "t" / "durable").read_bytes()
    write(tmp_path, range(2, 4))
    (tmp_path / "t" / "durable").write_bytes(confirmed)
    assert values(read_all(tmp_path)) == ["0", "1"]
    consumer = LogConsumer(tmp_path, "t")
    assert consumer.end_offsets() == {0: 2}
    consumer.seek(0, 4)
    assert consumer.poll(0) == [], "4 was read before, and only its confirmation was lost"
    write(tmp_path, range(4, 5))
    assert values(consumer.poll(1)) == ["4"]
    consumer.close()


def test_offsets_of_confirmed_records_that_are_gone_are_not_used_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, range(3))
    before = only_segment(tmp_path).read_bytes()
    write(tmp_path, range(3, 6))
    only_segment(tmp_path).write_bytes(before)
    write(tmp_path, range(6, 7))
    assert "confirmed records are gone" in caplog.text
    records = read_all(tmp_path)
    assert [(r.offset, r.value) for r in records] == [(0, b"0"), (1, b"1"), (2, b"2"), (6, b"6")]
    assert "records are missing" in caplog.text and "offsets=3..5" in caplog.text


def test_damage_inside_confirmed_records_is_a_mismatch_that_names_the_file(tmp_path: Path) -> None:
    write(tmp_path, range(5))
    path = only_segment(tmp_path)
    data = bytearray(path.read_bytes())
    data[-20] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(BusMismatch, match=r"00000000000000000000\.avro is damaged at byte \d+"):
        read_all(tmp_path)


WRITER = """
    import itertools, sys
    from pathlib import Path
    from schemas.bus.log import LogProducer
    producer = LogProducer(Path(sys.argv[1]), "t", 2)
    for number in itertools.count():
        producer.publish(number % 2, b"key", b"%d " % number * 5000)
        if number % 20 == 19:
            producer.flush(10)
            print(number, flush=True)
"""


def spawn(script: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_writer_killed_while_writing_loses_nothing_that_it_flushed(tmp_path: Path) -> None:
    flushed = -1
    for life in range(3):
        process = spawn(WRITER, str(tmp_path))
        try:
            assert process.stdout is not None
            for line in process.stdout:
                flushed = int(line)
                if flushed > 100 * (life + 1):
                    break
        finally:
            process.kill()
            # What it wrote to the pipe before it was killed counts as well.
            assert process.stdout is not None
            for line in process.stdout:
                flushed = int(line)
            process.wait()
            process.stdout.close()
        LogProducer(tmp_path, "t", 2).close()
        for partition in range(2):
            records = [record for record in read_all(tmp_path) if record.partition == partition]
            assert [record.offset for record in records] == list(range(len(records)))
            numbers = [int((record.value or b"").split()[0]) for record in records]
            last_life = numbers[len(numbers) - numbers[::-1].index(partition) - 1 :]
            assert last_life[: (flushed + 1) // 2] == list(range(partition, flushed + 1, 2))


def test_a_second_writer_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    first = LogProducer(tmp_path, "t", 1)
    with pytest.raises(BusUnavailable, match=f"has a writer already: process {os.getpid()} on "):
        LogProducer(tmp_path, "t", 1)
    LogProducer(tmp_path, "other", 1).close()
    first.close()
    LogProducer(tmp_path, "t", 1).close()


def test_the_lock_of_a_killed_writer_is_free(tmp_path: Path) -> None:
    process = spawn(WRITER, str(tmp_path))
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(BusUnavailable, match=f"process {process.pid} on "):
        LogProducer(tmp_path, "t", 2)
    process.kill()
    process.wait()
    process.stdout.close()
    LogProducer(tmp_path, "t", 2).close()


FULL_DISK = """
    import resource, signal, sys
    from pathlib import Path
    from schemas.bus.log import LogConsumer, LogOptions, LogProducer
    from schemas.errors import BusUnavailable
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    producer = LogProducer(Path(sys.argv[1]), "t", 1, options=LogOptions(compression="null"))
    producer.publish(0, b"key", b"0" * 1000)
    producer.flush(1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    taken, refused = 1, 0
    for _ in range(1000):
        try:
            producer.publish(0, b"key", b"%d" % taken + b"." * 1000)
            taken += 1
        except BusUnavailable as error:
            assert "File too large" in str(error), error
            refused += 1
    assert taken < 600 and refused > 100, (taken, refused)
    try:
        producer.flush(1)
        raise AssertionError("flush on a full disk")
    except BusUnavailable:
        pass
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    producer.flush(1)
    producer.close()
    print(taken)
"""


def test_a_full_disk_refuses_records_keeps_the_taken_ones_and_recovers(tmp_path: Path) -> None:
    process = spawn(FULL_DISK, str(tmp_path))
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    records = read_all(tmp_path)
    assert [r.offset for r in records] == list(range(int(output)))
    assert [int((r.value or b"").rstrip(b".")) for r in records[1:]] == list(range(1, int(output)))


# Readers


READER = """
    import os, sys
    from pathlib import Path
    from schemas.bus.log import LogConsumer
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    directory = Path(sys.argv[1])
    for path in [directory, *directory.rglob("*")]:
        assert not os.access(path, os.W_OK), path
    consumer = LogConsumer(directory, "t")
    consumer.seek(0, 0)
    print(*(record.value.decode() for record in consumer.poll(1)), consumer.end_offsets())
"""


def test_a_recording_needs_no_right_to_write(tmp_path: Path) -> None:
    write(tmp_path / "live", range(3))
    export_topic(tmp_path / "live", "t", tmp_path / "recorded")
    for parent in [tmp_path, *tmp_path.parents][:3]:
        if parent.stat().st_uid == os.getuid() and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o055)
    paths = [tmp_path / "recorded", *(tmp_path / "recorded").rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        process = spawn(READER, str(tmp_path / "recorded"))
        output, _ = process.communicate(timeout=30)
        assert output.split("{")[0].split() == ["0", "1", "2"] and "{0: 3}" in output
        if os.getuid() != 0:
            with pytest.raises(BusMismatch, match="cannot be written"):
                LogProducer(tmp_path / "recorded", "t", 1)
    finally:
        for path in paths:
            path.chmod(0o755)


def test_a_reader_changes_nothing_in_the_directory(tmp_path: Path) -> None:
    write(tmp_path, range(3))

    def state() -> list[tuple[str, int, int]]:
        return sorted((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in tmp_path.rglob("*"))

    before = state()
    assert len(read_all(tmp_path)) == 3
    assert state() == before


FOLLOWER = """
    import sys
    from pathlib import Path
    from schemas.bus.log import LogConsumer
    consumer = LogConsumer(Path(sys.argv[1]), "t")
    consumer.seek(0, 0)
    print("ready", flush=True)
    seen = 0
    while seen < 500:
        for record in consumer.poll(10):
            assert record.offset == seen and int(record.value.split()[0]) == seen, record
            seen += 1
    print(seen, flush=True)
"""


def test_a_reader_in_another_process_sees_each_record_once_and_whole(tmp_path: Path) -> None:
    producer = LogProducer(tmp_path, "t", 1, options=LogOptions(segment_bytes=20_000))
    process = spawn(FOLLOWER, str(tmp_path))
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for number in range(500):
        producer.publish(0, b"key", b"%d " % number + os.urandom(number * 3))
        if number % 7 == 0:
            producer.flush(1)
    producer.close()
    output, _ = process.communicate(timeout=30)
    assert (output, process.returncode) == ("500\n", 0)


def test_a_consumer_may_take_some_partitions_only(tmp_path: Path) -> None:
    producer = LogProducer(tmp_path, "t", 3)
    for partition in range(3):
        publish(producer, partition, [str(partition)])
    producer.close()
    consumer = LogConsumer(tmp_path, "t", only=[0, 2])
    assert values(sorted(Reading(consumer).take(2), key=lambda record: record.partition)) == ["0", "2"]
    assert consumer.end_offsets() == {0: 1, 2: 1}
    consumer.close()
    with pytest.raises(BusMismatch, match="partitions 0 to 2"):
        LogConsumer(tmp_path, "t", only=[3])


def test_a_directory_that_goes_away_is_unavailable_and_comes_back(tmp_path: Path) -> None:
    write(tmp_path / "log", range(2))
    consumer = LogConsumer(tmp_path / "log", "t")
    consumer.seek(0, 0)
    assert len(consumer.poll(0)) == 2
    (tmp_path / "log").rename(tmp_path / "away")
    with pytest.raises(BusUnavailable, match="topic t went away"):
        consumer.poll(0)
    (tmp_path / "away").rename(tmp_path / "log")
    write(tmp_path / "log", range(2, 3))
    assert values(consumer.poll(1)) == ["2"]
    consumer.close()


def test_a_topic_made_anew_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    write(tmp_path, range(2))
    consumer = LogConsumer(tmp_path, "t")
    consumer.seek(0, 2)
    shutil.rmtree(tmp_path / "t")
    write(tmp_path, range(5, 6))
    with pytest.raises(BusUnavailable, match="replaced"):
        consumer.poll(0)
    consumer.close()


def test_an_idle_consumer_sleeps(tmp_path: Path) -> None:
    create_topic(tmp_path, "t", 1)
    naps: list[float] = []
    consumer = LogConsumer(tmp_path, "t", now=lambda: sum(naps), sleep=naps.append)
    consumer.seek(0, 0)
    assert consumer.poll(1.0) == []
    assert sum(naps) == pytest.approx(1.0)
    assert len(naps) < 140 and max(naps) <= 0.01
    consumer.close()


@pytest.mark.parametrize("text", ["", "{}", '{"format": 1}', "[]", "\xff"])
def test_a_broken_description_is_a_mismatch(tmp_path: Path, text: str) -> None:
    topic = create_topic(tmp_path, "t", 1)
    (topic.path / "topic.json").write_text(text, encoding="latin-1")
    with pytest.raises(BusMismatch, match="does not describe a topic"):
        open_topic(tmp_path, "t")


def test_a_layout_of_another_version_is_a_mismatch(tmp_path: Path) -> None:
    topic = create_topic(tmp_path, "t", 1)
    description = topic.path / "topic.json"
    description.write_text(description.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(BusMismatch, match="layout 2"):
        LogConsumer(tmp_path, "t")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "é", "x" * 250])
def test_a_topic_name_that_kafka_would_refuse_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BusMismatch, match="topic name"):
        create_topic(tmp_path, name, 1)


# Recordings


def test_an_export_keeps_every_record_and_offset_and_is_small_and_reproducible(tmp_path: Path) -> None:
    producer = LogProducer(tmp_path, "t", 2)
    for number in range(400):
        producer.publish(
            number % 2, b"Pod/default/%d" % number, b'{"labels": {"app": "web"}}' * 10, [("op", b"upsert")]
        )
        if number % 5 == 0:
            producer.flush(1)
    producer.close()
    assert export_topic(tmp_path, "t", tmp_path / "a") == 400
    assert export_topic(tmp_path, "t", tmp_path / "b") == 400
    assert sorted(map(str, read_all(tmp_path / "a"))) == sorted(map(str, read_all(tmp_path)))
    first = {path.relative_to(tmp_path / "a"): path.read_bytes() for path in (tmp_path / "a").rglob("*.*")}
    again = {path.relative_to(tmp_path / "b"): path.read_bytes() for path in (tmp_path / "b").rglob("*.*")}
    assert first == again and len(first) == 3
    assert sum(map(len, first.values())) < 10_000
    with pytest.raises(BusMismatch, match="exists already"):
        export_topic(tmp_path, "t", tmp_path / "a")


def test_an_export_can_be_cut(tmp_path: Path) -> None:
    write(tmp_path, range(20))
    assert export_topic(tmp_path, "t", tmp_path / "cut", begin={0: 5}, end={0: 9}) == 4
    assert [record.offset for record in read_all(tmp_path / "cut")] == [5, 6, 7, 8]


def test_a_recording_keeps_gaps_of_its_source(tmp_path: Path) -> None:
    records = [Record("t", 0, offset, None, b"%d" % offset, (), offset) for offset in (3, 4, 9, 10, 50)]
    assert write_recording(records, tmp_path, "t", 1, created="2026-01-01T00:00:00Z") == 5
    assert read_all(tmp_path) == records
    consumer = LogConsumer(tmp_path, "t")
    consumer.seek(0, 5)
    assert consumer.poll(0)[0].offset == 9
    assert consumer.end_offsets() == {0: 51}
    consumer.close()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.one_of(st.none(), st.binary(max_size=2000)),
            st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=5)), max_size=3),
            st.sampled_from(["", "flush", "reopen"]),
        ),
        max_size=40,
    )
)
def test_any_history_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    history: list[tuple[int, bytes | None, list[tuple[str, bytes]], str]],
) -> None:
    directory = tmp_path_factory.mktemp("history")
    options = LogOptions(segment_bytes=1500)
    producer = LogProducer(directory, "t", 2, options=options)
    for partition, value, headers, then in history:
        producer.publish(partition, b"key", value, headers)
        if then == "flush":
            producer.flush(1)
        elif then == "reopen":
            producer.close()
            producer = LogProducer(directory, "t", 2, options=options)
    producer.close()
    records = read_all(directory)
    for number in range(2):
        mine = [record for record in records if record.partition == number]
        wanted = [(value, tuple(headers)) for partition, value, headers, _ in history if partition == number]
        assert [(record.value, record.headers) for record in mine] == wanted
        assert [record.offset for record in mine] == list(range(len(wanted)))
    shutil.rmtree(directory)
