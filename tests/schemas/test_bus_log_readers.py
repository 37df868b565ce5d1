"""Readers of a log: other processes, read-only recordings, exports, directories that come and go."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

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
from schemas.bus.port import Record
from schemas.errors import BusMismatch, BusUnavailable
from tests.schemas.bus_contract import Reading, publish, values
from tests.schemas.log_bus import read_all, spawn, write

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


@pytest.mark.process
def test_a_recording_needs_no_right_to_write(tmp_path: Path) -> None:
    write(tmp_path / "live", range(3))
    export_topic(tmp_path / "live", "t", tmp_path / "recorded")
    for parent in [tmp_path, *tmp_path.parents]:
        if parent.name.startswith(("test_", "popen-", "pytest-")):  # those that pytest made, for its own user
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


@pytest.mark.process
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


@pytest.mark.slow
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
