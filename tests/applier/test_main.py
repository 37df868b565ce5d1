"""The command line: what it refuses, and what it shows of the store's work."""

from __future__ import annotations

import io
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from applier.__main__ import main
from applier.commands import print_plan, retry
from applier.record import record
from applier.rows import Result, Status
from applier.work import load
from schemas.store.tables import SHARDS
from tests.applier.desired import CLUSTER, DesiredStore
from tests.applier.objects import BOOTSTRAP, HOME, IPAM, pod, project


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    """`main` sets logging up for a process; put back what the tests' own process has."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"CONTRAIL_KUBE_APPLIER_CONCURENCY": "3"}, "did you mean CONTRAIL_KUBE_APPLIER_CONCURRENCY?"),
        ({"CONTRAIL_KUBE_APPLIER_CONCURRENCY": "many"}, "expected a whole number"),
        ({"CONTRAIL_KUBE_APPLIER_CONCURRENCY": "0"}, "at least 1"),
        ({"CONTRAIL_KUBE_APPLIER_BACKOFF_FIRST": "0"}, "must be above 0"),
        ({"CONTRAIL_KUBE_APPLIER_LEASE": "nan"}, "expected a number"),
        ({"CONTRAIL_KUBE_APPLIER_AUDIT_INTERVAL": "inf"}, "expected a number"),
        ({"CONTRAIL_KUBE_APPLIER_DRAIN_TIMEOUT": "-1"}, "must not be negative"),
        ({"CONTRAIL_KUBE_CONTRAIL_URLS": "contrail:8082"}, "must begin with http:// or https://"),
        ({"CONTRAIL_KUBE_DATABASE_URL": "mysql://x/y"}, "only postgresql:// is supported"),
    ],
)
def test_wrong_settings_end_with_one_line(
    environ: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run"], environ) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_file_that_cannot_be_read_ends_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"CONTRAIL_KUBE_CONTRAIL_URLS": "https://127.0.0.1:9", "CONTRAIL_KUBE_CONTRAIL_CA_FILE": "/nowhere.pem"}
    assert main(["run"], environ) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == "CONTRAIL_KUBE_CONTRAIL_CA_FILE=/nowhere.pem: cannot be read: No such file or directory"


def test_unreachable_store_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan"], {"CONTRAIL_KUBE_DATABASE_URL": "postgresql://someone@127.0.0.1:9/nowhere"}) == 1
    assert "database nowhere on 127.0.0.1:9" in capsys.readouterr().err


@pytest.mark.postgres
def test_plan_shows_what_would_be_done_in_order(store_engine: Engine) -> None:
    store = DesiredStore(store_engine)
    store.put(*BOOTSTRAP)
    out = io.StringIO()
    assert print_plan(store_engine, cluster=CLUSTER, limit=100, out=out) == 0
    lines = out.getvalue().splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [
        ["create", "project"],
        ["create", "network-ipam"],
        ["create", "virtual-network"],
    ]
    assert lines[-1] == "3 to do now, 0 waiting; in the store: 3 pending"


@pytest.mark.postgres
def test_plan_says_what_waits_for_what(store_engine: Engine) -> None:
    store = DesiredStore(store_engine)
    web = pod("shop", "web-0")
    store.put(*BOOTSTRAP)
    store.put(project("shop"), *web.objects, namespace="shop")
    with store_engine.connect() as connection:
        work = load(connection, cluster=CLUSTER, shards=range(SHARDS))
    (machine,) = [row for row in work.rows if row.uuid == web.machine.uuid]
    record(store_engine, [Result(machine, Status.FAILED, "no", 1, 60.0)])
    out = io.StringIO()
    print_plan(store_engine, cluster=CLUSTER, limit=100, out=out)
    assert "waits for virtual-machine k8s__shop__web-0" in out.getvalue()


@pytest.mark.postgres
def test_retry_makes_failed_objects_due_and_dead_ones_only_if_asked(store_engine: Engine) -> None:
    store = DesiredStore(store_engine)
    store.put(*BOOTSTRAP)
    with store_engine.connect() as connection:
        rows = {row.uuid: row for row in load(connection, cluster=CLUSTER, shards=range(SHARDS)).rows}
    failed = [
        Result(rows[HOME.uuid], Status.FAILED, "no", 3, 60.0),
        Result(rows[IPAM.uuid], Status.DEAD, "no", 8),
    ]
    record(store_engine, failed)
    out = io.StringIO()
    assert retry(store_engine, cluster=CLUSTER, dead=False, out=out) == 0
    assert out.getvalue() == "1 objects will be tried again\n"
    assert store.states()[HOME.uuid].status == "pending"
    assert store.states()[IPAM.uuid].status == "dead"
    retry(store_engine, cluster=CLUSTER, dead=True, out=out)
    assert store.states()[IPAM.uuid].status == "pending"
    assert store.states()[IPAM.uuid].attempts == 0


@pytest.mark.postgres
def test_it_ends_in_time_although_a_call_and_a_statement_get_no_answer(store_engine: Engine, tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        store_engine.connect() as rival,
        (tmp_path / "log").open("w") as log,
    ):
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        database = store_engine.url.render_as_string(hide_password=False)
        rival.execute(text("LOCK TABLE apply_state IN ACCESS EXCLUSIVE MODE"))
        process = subprocess.Popen(
            [sys.executable, "-c", _IMPATIENT, "run"],
            env={
                **os.environ,
                "CONTRAIL_KUBE_DATABASE_URL": database,
                "CONTRAIL_KUBE_CONTRAIL_URLS": url,
                "CONTRAIL_KUBE_CONTRAIL_READ_TIMEOUT": "300",
                "CONTRAIL_KUBE_APPLIER_DRAIN_TIMEOUT": "0.1",
            },
            stderr=log,
        )
        try:
            silent.settimeout(20.0)
            called, _ = silent.accept()
            process.send_signal(signal.SIGTERM)
            assert process.wait(10.0) == 1
            assert "ending now" in (tmp_path / "log").read_text()
            called.close()
        finally:
            process.kill()
            process.wait()


_IMPATIENT = """
import os, sys
import applier.__main__ as command
command.GRACE = 0.5
sys.exit(command.main(sys.argv[1:], os.environ))
"""
