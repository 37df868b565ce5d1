"""The service as a process: settings, signals, SIGKILL at the worst moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from benchmarks.synthetic import records
from console.ports import free_port
from schemas.bus.log import LogConsumer, LogProducer
from schemas.errors import SettingsError
from schemas.settings import ClusterSettings
from tests.translator.facts import TOPIC
from translator.batch import Rules
from translator.memory import MemoryStore
from translator.postgres import PostgresStore
from translator.replay import replay, state_digest
from translator.settings import TranslatorSettings
from translator.version import settings_record

pytestmark = pytest.mark.process

DEADLINE = 40.0

KILLED_AFTER_COMMIT = """
    import os, signal, sys
    from translator import postgres
    from translator.__main__ import main

    commits = 0
    once = postgres.PostgresStore._once

    def dying(self, work, *, alone):
        global commits
        result = once(self, work, alone=alone)
        commits += 1
        if commits == int(os.environ["DIE_AFTER"]):
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    postgres.PostgresStore._once = dying
    sys.exit(main([], os.environ))
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log directory with the lives of 60 pods."""
    producer = LogProducer(tmp_path, TOPIC, 4)
    for each in records(pods=60, namespaces=4, nodes=5):
        producer.publish(each.partition, each.key or b"", each.value)
    producer.flush(10.0)
    producer.close()
    return tmp_path


@pytest.fixture
def start(log: Path, database_url: str) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts processes over the log and a database, and ends them."""
    running: list[subprocess.Popen[str]] = []

    def begin(*command: str, **environ: str) -> subprocess.Popen[str]:
        settings = {
            "CONTRAIL_KUBE_DATABASE_URL": database_url,
            "CONTRAIL_KUBE_BUS_DIRECTORY": str(log),
            "CONTRAIL_KUBE_TRANSLATOR_BATCH_RECORDS": "20",
        }
        process = subprocess.Popen(
            [sys.executable, *(command or ("-m", "translator"))],
            env={**os.environ, **settings, **environ},
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Poll until it holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def truth(log: Path) -> str:
    """Digest of the whole log."""
    consumer = LogConsumer(log, TOPIC)
    try:
        rules = Rules.of("translator", settings_record(ClusterSettings()))
        return replay(consumer, MemoryStore(), rules, batch_records=500).digest
    finally:
        consumer.close()


def stored(engine: Engine) -> int:
    """Records stored."""
    with engine.connect() as connection:
        return int(connection.scalar(text("SELECT coalesce(sum(next_offset), 0) FROM consumer_offset")) or 0)


def total(log: Path) -> int:
    """Records of the log."""
    consumer = LogConsumer(log, TOPIC)
    try:
        return sum(consumer.end_offsets().values())
    finally:
        consumer.close()


@pytest.mark.postgres
def test_the_service_follows_the_log_and_stops_when_told(
    start: Callable[..., subprocess.Popen[str]], log: Path, store_engine: Engine
) -> None:
    process = start()
    wait_for(lambda: stored(store_engine) == total(log), "the whole log")
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    store = PostgresStore(store_engine, "k8s")
    assert state_digest(store) == truth(log)
    store.close()
    assert '"message": "stopped"' in said


@pytest.mark.postgres
@pytest.mark.parametrize("commits", [1, 2, 3, 5, 9])
def test_case_41_killed_between_the_commit_and_the_next_position(
    start: Callable[..., subprocess.Popen[str]], log: Path, store_engine: Engine, commits: int
) -> None:
    process = start("-c", textwrap.dedent(KILLED_AFTER_COMMIT), DIE_AFTER=str(commits))
    process.communicate(timeout=DEADLINE)
    assert process.returncode == -signal.SIGKILL
    again = start()
    wait_for(lambda: stored(store_engine) == total(log), "the rest of the log")
    again.send_signal(signal.SIGTERM)
    again.communicate(timeout=30)
    store = PostgresStore(store_engine, "k8s")
    assert state_digest(store) == truth(log)
    store.close()


@pytest.mark.postgres
def test_health_says_when_the_service_is_ready(start: Callable[..., subprocess.Popen[str]]) -> None:
    port = free_port()
    start(CONTRAIL_KUBE_PROCESS_HEALTH_PORT=str(port))

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    wait_for(ready, "readiness")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
        assert b"contrail_kube_translator_batch_seconds" in answer.read()


def test_an_unreachable_database_is_named_once_and_waited_for(log: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "translator"],
        env={**os.environ, "CONTRAIL_KUBE_DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        said = ""
        while "is away" not in said:
            line = process.stderr.readline()
            assert line, f"it ended: {said}"
            said += line
        time.sleep(1.0)
        assert process.poll() is None, "no crash loop"
        process.send_signal(signal.SIGTERM)
        said += process.communicate(timeout=30)[1]
    finally:
        process.kill()
    assert process.returncode == 0
    away = [line for line in said.splitlines() if "is away" in line]
    assert len(away) == 1 and "x on 127.0.0.1:1" in away[0]
    assert "secret" not in said


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"CONTRAIL_KUBE_TRANSLATOR_BATCH_RECORDS": "many"}, "expected a whole number"),
        ({"CONTRAIL_KUBE_TRANSLATOR_BATCH": "5"}, "did you mean CONTRAIL_KUBE_TRANSLATOR_BATCH_RECORDS"),
        ({"CONTRAIL_KUBE_TRANSLATOR_LINGER": "7"}, "accepted are 0 to 1 seconds"),
        ({"CONTRAIL_KUBE_DATABASE_URL": "mysql://x"}, "only postgresql:// is supported"),
    ],
)
def test_wrong_settings_end_at_once_with_one_line(variables: dict[str, str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "translator"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert says in done.stderr.splitlines()[-1]


def test_settings_know_their_limits() -> None:
    wrong: list[dict[str, Any]] = [{"consumer": ""}, {"batch_records": 0}, {"batch_records": 10**6}, {"linger": -1.0}]
    for fields in wrong:
        with pytest.raises(SettingsError, match="CONTRAIL_KUBE_TRANSLATOR_"):
            TranslatorSettings(**fields)
