"""Logs whose writers, disks or directories fail: nothing flushed is lost, nothing torn is read."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from schemas.bus.log import (
    LogConsumer,
    LogProducer,
)
from schemas.errors import BusLost, BusMismatch, BusUnavailable
from tests.schemas.bus_contract import Reading, publish, values
from tests.schemas.log_bus import only_segment, read_all, spawn, write

pytestmark = pytest.mark.process


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


def test_a_sync_that_fails_ends_the_producer_and_confirms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    producer = LogProducer(tmp_path, "t", 1)
    publish(producer, 0, ["a"])
    producer.publish(0, b"key", b"b")

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        with pytest.raises(BusLost, match=r"may not be on disk.*open another, and list again"):
            producer.flush(1)
    with pytest.raises(BusLost, match="list again"):
        producer.publish(0, b"key", b"c")
    producer.close()
    assert values(read_all(tmp_path)) == ["a"]
    write(tmp_path, range(1))
    assert values(read_all(tmp_path)) == ["a", "b", "0"], "what turned out to be written is confirmed, never reused"
