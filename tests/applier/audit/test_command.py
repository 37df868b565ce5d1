"""`python -m applier audit`: what it shows, what it does, and its exit code."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from collections.abc import Iterator

import pytest
import requests

from applier.__main__ import main
from applier.audit.session import open_session
from simulators.contrail.faults import Fault, Trouble
from tests.applier.audit.test_prune import orphaned
from tests.applier.audit.world import World
from tests.applier.running import until

pytestmark = pytest.mark.postgres


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    """`main` sets logging up for a process; put back what the tests' own process has."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def run(world: World, *arguments: str, **environ: str) -> int:
    """The command, with the settings of the world."""
    named = {f"CONTRAIL_KUBE_{name}": value for name, value in environ.items()}
    return main(
        ["audit", *arguments],
        {
            "CONTRAIL_KUBE_DATABASE_URL": world.engine.url.render_as_string(hide_password=False),
            "CONTRAIL_KUBE_CONTRAIL_URLS": world.contrail.url,
            "CONTRAIL_KUBE_APPLIER_AUDIT_API_SHARE": "1",
            "CONTRAIL_KUBE_PROCESS_LOG_LEVEL": "ERROR",
            **named,
        },
    )


def edit(world: World, uuid: str) -> None:
    """A change by hand."""
    body = {"virtual-machine": {"server_type": "virtual-server"}}
    assert requests.put(f"{world.contrail.url}/virtual-machine/{uuid}", json=body, timeout=5).ok


def test_findings_are_shown_with_what_differs_and_the_exit_code_says_so(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    (web,) = world.pods("web-0")
    assert run(world) == 0
    assert "0 changed, 0 missing, 0 orphans, 0 of others below ours" in capsys.readouterr().out
    edit(world, web[0].uuid)
    assert run(world) == 1
    out = capsys.readouterr().out
    assert "changed  virtual-machine k8s__shop__web-0" in out
    assert "differs in server_type (server_type: virtual-server instead of container)" in out
    assert run(world, "--repair") == 0
    assert "1 handed to the applier" in capsys.readouterr().out


def test_json_holds_everything(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    (web,) = world.pods("web-0")
    edit(world, web[0].uuid)
    assert run(world, "--output", "json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {"changed": 1, "missing": 0, "orphans": 0, "strangers": 0}
    (finding,) = told["findings"]
    assert finding["detail"] == {"server_type": ["container", "virtual-server"]}


def test_orphans_are_deleted_only_when_told_to(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    pod = orphaned(world)
    assert run(world, APPLIER_AUDIT_OBSERVATION_DISTANCE="60") == 1
    assert "nothing speaks against deleting it, but pruning is off" in capsys.readouterr().out
    assert run(world, "--prune", "--budget", "1") == 1
    out = capsys.readouterr().out
    assert "3 orphans may go, more than the budget of 1 allows" in out
    assert "`python -m applier audit --prune --budget 3` deletes them" in out
    assert world.has(*pod) == [True] * 3
    assert run(world, "--prune", "--budget", "3") == 0
    assert "3 deleted" in capsys.readouterr().out
    assert world.has(*pod) == [False] * 3


def test_ctrl_c_ends_an_audit_and_the_store_knows(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.pods("web-0")
    world.contrail.faults.add(Fault(Trouble.LATENCY, path="/list-bulk-collection", seconds=0.2, count=None))

    def interrupt() -> None:
        until(lambda: world.rows("SELECT 1 FROM audit_run WHERE outcome = 'running'"))
        os.kill(os.getpid(), signal.SIGINT)

    person = threading.Thread(target=interrupt)
    person.start()
    assert run(world) == 1
    person.join()
    assert "stopped before its end: nothing was concluded" in capsys.readouterr().err
    assert world.rows("SELECT outcome FROM audit_run") == [("failed",)]


def test_what_cannot_be_done_is_said_in_one_line(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.pods("web-0")
    with open_session(world.engine, cluster="k8s"):
        assert run(world) == 1
    assert "another audit of cluster k8s runs now" in capsys.readouterr().err
    assert run(world, APPLIER_AUDIT_INTERVAL="often") == 2
    assert "CONTRAIL_KUBE_APPLIER_AUDIT_INTERVAL='often'" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        run(world, "--budget", "many")
    assert ended.value.code == 2
    world.contrail.stop()
    try:
        assert run(world, CONTRAIL_CONNECT_TIMEOUT="0.2") == 1
    finally:
        world.contrail.start()
    assert "Contrail API" in capsys.readouterr().err
