"""The same log gives the same digest: twice, in any batches, in memory and in PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine

from benchmarks import mixed
from benchmarks.synthetic import records
from schemas.bus.log import LogConsumer, LogProducer
from schemas.bus.port import Record
from schemas.errors import StoreMismatch
from schemas.settings import ClusterSettings
from tests.translator.facts import PARTITIONS, TOPIC, Publisher, begin, end, gone, namespace, node, pod
from translator.batch import Rules
from translator.memory import MemoryStore
from translator.postgres import PostgresStore
from translator.replay import Replayed, replay, require_empty
from translator.store import Store
from translator.version import settings_record

pytestmark = pytest.mark.process

RULES = Rules.of("translator", settings_record(ClusterSettings()))


def written(folder: Path, log: Sequence[Record]) -> Path:
    """The records as a log directory."""
    producer = LogProducer(folder, TOPIC, PARTITIONS)
    for each in log:
        producer.publish(each.partition, each.key or b"", each.value)
    producer.flush(10.0)
    producer.close()
    return folder


def story() -> list[Record]:
    """A short log with everything in it: snapshots, lives, recreations, garbage."""
    publisher = Publisher()
    log = publisher.records([begin("Pod", 1), end("Pod", 1), namespace(), namespace("default", 2), node()])
    for number in range(30):
        log += publisher.records([pod(f"web-{number}", 10 + number, node="" if number % 3 else "n1")])
    log += publisher.records([gone(f"web-{number}", 100 + number) for number in range(0, 30, 4)])
    log.append(publisher.raw(b"garbage", 1, b"Pod/shop/web-1"))
    log += publisher.records([pod("web-4", 200, of="second"), pod("web-5", 201, node="not/a/name")])
    return [*log, *publisher.records([begin("Node", 2), end("Node", 2)])]


def replayed(folder: Path, store: Store, *, batch_records: int = 500) -> Replayed:
    """Replay the directory."""
    consumer = LogConsumer(folder, TOPIC)
    try:
        return replay(consumer, store, RULES, batch_records=batch_records)
    finally:
        consumer.close()


def test_the_same_log_gives_the_same_digest_in_any_batches(tmp_path: Path) -> None:
    log = written(tmp_path, story())
    results = [replayed(log, MemoryStore(), batch_records=size) for size in (500, 500, 1, 7)]
    assert len({each.digest for each in results}) == 1
    assert results[0] == results[1]
    assert results[0].records == len(story())
    assert results[0].dead_letters == 2
    assert results[0].rows["dead_letters"] == 2


def test_another_log_gives_another_digest(tmp_path: Path) -> None:
    whole = replayed(written(tmp_path / "a", story()), MemoryStore())
    shorter = replayed(written(tmp_path / "b", story()[:20]), MemoryStore())
    assert whole.digest != shorter.digest


@pytest.mark.postgres
def test_memory_and_postgresql_give_the_same_digest(tmp_path: Path, store_engine: Engine) -> None:
    log = written(tmp_path, [*story()])
    store = PostgresStore(store_engine, "k8s")
    assert replayed(log, store) == replayed(log, MemoryStore())
    with pytest.raises(StoreMismatch, match="not empty"):
        require_empty(store, "the database")
    store.close()


@pytest.mark.postgres
def test_a_busy_log_gives_the_same_digest_in_both(tmp_path: Path, store_engine: Engine) -> None:
    log = written(tmp_path, records(pods=150, namespaces=5, nodes=7))
    store = PostgresStore(store_engine, "k8s")
    assert replayed(log, store, batch_records=100).digest == replayed(log, MemoryStore()).digest
    store.close()


@pytest.mark.postgres
def test_a_log_of_all_kinds_gives_the_same_digest_in_both(tmp_path: Path, store_engine: Engine) -> None:
    """Nothing in it is put aside, so what its benchmark measures is work that is done."""
    log = written(tmp_path, mixed.records(pods=60))
    memory, store = MemoryStore(), PostgresStore(store_engine, "k8s")
    assert replayed(log, store, batch_records=500).digest == replayed(log, memory).digest
    assert not memory.tables.letters and not any(memory.tables.notices.values())
    made = {row.type for row in memory.tables.objects.values()}
    assert made >= {"floating-ip", "loadbalancer", "firewall-rule", "instance-ip", "link", "network-ipam"}
    store.close()


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would."""
    return subprocess.run(
        [sys.executable, "-m", "translator", "replay", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_prints_the_digest_and_touches_no_database_by_default(tmp_path: Path) -> None:
    written(tmp_path, story())
    done = command("--log", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    expected = replayed(tmp_path, MemoryStore())
    assert f"digest={expected.digest}\n" in done.stdout
    assert f"records={expected.records} " in done.stdout
    assert command("--log", str(tmp_path / TOPIC)).stdout == done.stdout


def test_the_command_names_what_is_wrong_with_its_arguments(tmp_path: Path) -> None:
    for arguments in (["--log", str(tmp_path)], ["--log", str(tmp_path), "--database", "nonsense"]):
        done = command(*arguments)
        assert done.returncode == 2
        assert done.stderr.startswith("translator: --log ") and done.stderr.count("\n") == 1


@pytest.mark.postgres
def test_case_100_a_database_that_holds_something_is_refused(tmp_path: Path, database_url: str) -> None:
    written(tmp_path, story())
    arguments = ("--log", str(tmp_path), "--database", database_url)
    first = command(*arguments)
    assert first.returncode == 0, first.stderr
    second = command(*arguments)
    assert (second.returncode, second.stdout) == (1, "")
    assert "not empty" in second.stderr and "--into-existing" in second.stderr
    forced = command(*arguments, "--into-existing")
    assert forced.returncode == 0
    assert forced.stdout.splitlines()[-1] == first.stdout.splitlines()[-1]
