"""The simulated vrouter agent over HTTP, as a CNI meets it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from simulators.vrouter.config import StaticConfig
from simulators.vrouter.namespace import listener
from simulators.vrouter.server import VrouterSimulator
from tests.cni.rows import UID, configured, pending, row
from tests.simulators.test_vrouter_ports import BODY, NOVA

Json = Any
VMI = row().interface_uuid


@pytest.fixture
def config() -> StaticConfig:
    return StaticConfig(configured(row()))


@pytest.fixture
def simulator(config: StaticConfig, tmp_path: Path) -> Iterator[VrouterSimulator]:
    with VrouterSimulator(config=config, port=0, forward=False, ports_dir=tmp_path / "vm") as running:
        yield running


def _call(simulator: VrouterSimulator, method: str, path: str, body: Json = None) -> tuple[int, Json]:
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=10)
    try:
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        connection.request(method, path, text)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


NOT_FOUND = (404, {"error": "{ Not Found }"})


def test_a_port_lives_from_post_to_delete(simulator: VrouterSimulator) -> None:
    assert _call(simulator, "GET", f"/vm/{UID}") == NOT_FOUND
    assert _call(simulator, "POST", "/vm", BODY) == (200, {})
    status, elements = _call(simulator, "GET", f"/vm/{UID}")
    assert status == 200 and [e["system-name"] for e in elements] == ["tap0123456789a"]
    assert _call(simulator, "GET", f"/vm/{UID}/{VMI}") == (200, elements)
    assert _call(simulator, "GET", f"/port/{VMI}") == (200, elements[0])
    assert _call(simulator, "DELETE", f"/vm/{UID}") == (200, {})
    assert _call(simulator, "GET", f"/vm/{UID}/{VMI}") == NOT_FOUND
    assert _call(simulator, "DELETE", f"/vm/{UID}") == (200, {})


def test_configuration_is_told_by_name_without_any_port(simulator: VrouterSimulator, config: StaticConfig) -> None:
    status, elements = _call(simulator, "GET", "/vm-cfg/k8s__shop__web-0")
    assert status == 200 and elements[0]["vm-uuid"] == UID
    assert _call(simulator, "GET", "/vm-cfg/k8s__shop__other") == NOT_FOUND
    config.known = ()
    assert _call(simulator, "GET", "/vm-cfg/k8s__shop__web-0") == NOT_FOUND


def test_a_port_is_not_found_before_its_configuration_and_address_are_there(
    simulator: VrouterSimulator, config: StaticConfig
) -> None:
    config.known = ()
    assert _call(simulator, "POST", "/vm", BODY) == (200, {})
    assert _call(simulator, "GET", f"/vm/{UID}") == NOT_FOUND
    config.known = (configured(pending()),)
    assert _call(simulator, "GET", f"/vm/{UID}") == NOT_FOUND
    config.known = (configured(row()),)
    assert _call(simulator, "GET", f"/vm/{UID}")[0] == 200


def test_a_machine_is_found_when_all_its_interfaces_are_announced(
    simulator: VrouterSimulator, config: StaticConfig
) -> None:
    second = row(interface_uuid="5c3f2b6e-0000-4000-8000-0000000000b1", address="10.47.255.240")
    config.known += (configured(second),)
    _call(simulator, "POST", "/vm", BODY)
    assert _call(simulator, "GET", f"/vm/{UID}") == NOT_FOUND
    assert _call(simulator, "GET", f"/vm/{UID}/{VMI}")[0] == 200
    _call(simulator, "POST", "/vm", {**BODY, "vmi-uuid": second.interface_uuid, "host-ifname": "tap2"})
    assert len(_call(simulator, "GET", f"/vm/{UID}")[1]) == 2


def test_nova_ports_are_served_too(simulator: VrouterSimulator) -> None:
    assert _call(simulator, "POST", "/port", NOVA) == (200, {})
    assert _call(simulator, "GET", f"/port/{VMI}")[1]["system-name"] == "tap0"
    assert _call(simulator, "DELETE", f"/port/{VMI}") == (200, {})
    assert _call(simulator, "GET", f"/port/{VMI}") == NOT_FOUND


def test_bad_bodies_are_500_with_the_agents_text_in_braces(simulator: VrouterSimulator) -> None:
    assert _call(simulator, "POST", "/vm", "nonsense") == (500, {"error": "{ Invalid Json string ==> nonsense }"})
    assert _call(simulator, "POST", "/port", {}) == (500, {"error": "{ Invalid or missing data for <id> }"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("PUT", "/vm"),
        ("GET", "/vm"),
        ("GET", f"/vm/{UID.upper()}"),
        ("GET", "/vm/web-0"),
        ("PATCH", f"/port/{UID}"),
        ("POST", "/nothing"),
    ],
)
def test_whatever_else_is_an_unknown_request(simulator: VrouterSimulator, method: str, path: str) -> None:
    assert _call(simulator, method, path) == (404, {"error": "Unknown Request"})


def test_files_are_kept_as_the_agent_keeps_them(simulator: VrouterSimulator, tmp_path: Path) -> None:
    path = tmp_path / "vm" / "k8s__shop__web-0" / VMI
    _call(simulator, "POST", "/vm", {**BODY, "vm-id": "c1"})
    assert json.loads(path.read_text())["vm-id"] == "c1"
    _call(simulator, "POST", "/vm", {**BODY, "vm-id": "c2"})
    assert json.loads(path.read_text())["vm-id"] == "c1", "an existing file is not written again"
    _call(simulator, "DELETE", f"/vm/{UID}")
    assert path.exists(), "the directory of another name is removed"


def test_a_restarted_agent_takes_up_the_ports_of_its_files(config: StaticConfig, tmp_path: Path) -> None:
    with VrouterSimulator(config=config, port=0, forward=False, ports_dir=tmp_path) as first:
        _call(first, "POST", "/vm", BODY)
    (tmp_path / "k8s__shop__web-0" / "not-a-uuid").write_text("{}")
    (tmp_path / "k8s__shop__web-0" / UID).write_text("torn {")
    with VrouterSimulator(config=config, port=0, forward=False, ports_dir=tmp_path) as second:
        (port,) = second.announced
        assert asdict(port)["tap"] == "tap0123456789a"
        assert _call(second, "GET", f"/vm/{UID}")[0] == 200


def test_a_file_that_cannot_be_written_is_told(simulator: VrouterSimulator, tmp_path: Path) -> None:
    (tmp_path / "vm" / "k8s__shop__web-0").write_text("in the way")
    status, answer = _call(simulator, "POST", "/vm", BODY)
    assert status == 500 and answer["error"] == f"{{ Writing of Json string to file failed for Vm {UID} }}"
    assert simulator.announced == ()


def test_a_taken_port_is_an_error_at_start(simulator: VrouterSimulator) -> None:
    with pytest.raises(OSError, match="in use"):
        VrouterSimulator(config=StaticConfig(), port=simulator.port, forward=False).start()


def test_stopping_twice_or_unstarted_is_harmless() -> None:
    unstarted = VrouterSimulator(config=StaticConfig(), port=0, forward=False)
    unstarted.stop()
    with VrouterSimulator(config=StaticConfig(replace(configured(row()))), port=0, forward=False) as running:
        running.stop()
        running.stop()


def test_a_number_that_is_no_port_is_an_error_as_a_taken_one() -> None:
    with pytest.raises(OSError, match="0-65535"):
        listener("127.0.0.1", 65536)
