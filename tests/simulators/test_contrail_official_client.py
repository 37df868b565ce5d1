"""Contrail's official Python client, of release 2005, works against the simulated config API."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulators.contrail.server import ContrailSimulator
from tests.simulators import vnc_client

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

KINDS = {
    "project",
    "network_ipam",
    "network_policy",
    "virtual_network",
    "security_group",
    "virtual_machine",
    "virtual_machine_interface",
    "instance_ip",
    "virtual_router",
}


@pytest.fixture(scope="module")
def python() -> Path:
    try:
        return vnc_client.python()
    except vnc_client.Unavailable as error:
        pytest.skip(f"official client unavailable: {error}")


@pytest.fixture(scope="module")
def simulator() -> Iterator[ContrailSimulator]:
    with ContrailSimulator() as running:
        yield running


@pytest.fixture(scope="module")
def said(python: Path, simulator: ContrailSimulator) -> dict[str, Any]:
    script = Path(__file__).with_name("vnc_client_run.py")
    done = subprocess.run(
        [python, script, str(simulator.port)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_lists_every_kind_that_it_created(said: dict[str, Any]) -> None:
    assert said["listed"] == dict.fromkeys(KINDS, True)
    assert said["detail"] == ["pod-1-eth0"]


def test_reads_what_the_server_decided(said: dict[str, Any]) -> None:
    assert said["address"] == "10.47.255.252"
    assert said["mac"][0].startswith("02:")
    assert said["annotations"] == [["index", "0/1"]]
    assert said["back_refs"] == 1


def test_adds_and_takes_away_a_reference(said: dict[str, Any]) -> None:
    assert said["linked"] == [["pod-1"]]
    assert said["unlinked"] == []


def test_updates_an_object(said: dict[str, Any]) -> None:
    assert said["updated"] == "10.0.0.2"


def test_understands_refusals(said: dict[str, Any]) -> None:
    assert "Delete when resource still referred" in said["refused"]
    assert "already exists with uuid" in said["twice"]


def test_deletes_all_that_it_created(said: dict[str, Any], simulator: ContrailSimulator) -> None:
    assert set(said["gone"]) == KINDS
    assert [simulator.count(kind.replace("_", "-")) for kind in ("virtual_machine", "instance_ip")] == [0, 0]
