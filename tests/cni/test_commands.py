"""One line in, one line out: dispatch, codes, and what reaches the log."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from cni.commands import Commands
from cni.metrics import CniMetrics
from tests.cni.fakes import Fixture
from tests.cni.rows import UID, row

Json = Any


def _commands(node: Fixture, registry: CollectorRegistry | None = None) -> Commands:
    return Commands(
        attacher=node.attacher,
        detacher=node.detacher,
        checker=node.checker,
        sweeper=node.sweeper,
        metrics=CniMetrics(registry or CollectorRegistry()),
    )


def _ask(node: Fixture, command: str, commands: Commands | None = None, **config: Json) -> Json:
    line = json.dumps(
        {
            "protocol": 1,
            "command": command,
            "container": "c1",
            "netns": "/run/netns/pod",
            "ifname": "eth0",
            "args": f"K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID={UID}",
            "timeout": 43,
            "config": {"cniVersion": "1.1.0", "name": "contrail-k8s-cni", **config},
        }
    )
    answer = (commands or _commands(node)).answer(line.encode() + b"\n", node.caller)
    assert answer.endswith(b"\n") and answer.count(b"\n") == 1
    return json.loads(answer)


def test_every_command_is_served(node: Fixture) -> None:
    result = _ask(node, "ADD")["result"]
    assert result["ips"][0]["address"] == "10.47.255.250/12"
    assert _ask(node, "CHECK", prevResult=result) == {"result": None}
    assert _ask(node, "STATUS") == {"result": None}
    assert _ask(node, "GC", **{"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "eth0"}]}) == {
        "result": None
    }
    assert len(node.kernel.links) == 1
    assert _ask(node, "DEL") == {"result": None}
    assert node.is_clean()


def test_requests_are_counted_by_command_and_code(node: Fixture) -> None:
    registry = CollectorRegistry()
    commands = _commands(node, registry)
    _ask(node, "ADD", commands)
    node.store.rows = (row(mac="nonsense"),)
    _ask(node, "ADD", commands)
    for code in ("0", "7"):
        labels = {"command": "ADD", "code": code}
        assert registry.get_sample_value("contrail_kube_cni_requests_total", labels) == 1


def test_a_full_disk_is_an_io_failure_and_names_the_file(node: Fixture, tmp_path: Path) -> None:
    (tmp_path / "records").rename(tmp_path / "gone")
    error = _ask(node, "ADD")["error"]
    assert error["code"] == 5 and "records" in error["msg"]
    (tmp_path / "gone").rename(tmp_path / "records")


def test_a_defect_of_ours_costs_one_request_and_is_logged(node: Fixture, caplog: pytest.LogCaptureFixture) -> None:
    node.kernel.broken = ZeroDivisionError("oops")
    with caplog.at_level(logging.ERROR):
        error = _ask(node, "ADD")["error"]
    assert error["code"] == 5 and "ZeroDivisionError" in error["msg"] and "oops" in caplog.text
    assert node.is_clean()


def test_case_92_asking_for_another_nodes_pod_is_refused_and_logged_as_an_error(
    node: Fixture, caplog: pytest.LogCaptureFixture
) -> None:
    node.store.rows = (replace(row(), node="node-b"),)
    with caplog.at_level(logging.WARNING):
        assert _ask(node, "ADD")["error"]["code"] == 100
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_nonsense_is_answered(node: Fixture) -> None:
    assert json.loads(_commands(node).answer(b"nonsense\n", node.caller))["error"]["code"] == 6
