"""The simulated agent's configuration, read from a config API that answers as recorded."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from simulators.vrouter.config import Assignment
from simulators.vrouter.contrail import ContrailConfig, assignment

pytestmark = pytest.mark.process

Json = Any
VM = "20403253-f7d3-4c41-9455-ae0e2ab32489"
VMI = "df08312f-7245-4bf8-8f4d-68f33f29c988"
VN = "04e075ac-eba8-45e6-8b68-a80b72c39d8c"
FLAT = "e64908fd-a690-430f-95b2-22cd86ff26c8"
IPAM = "74529583-b1aa-4b7c-b8c9-09616c550969"
SUBNET = {
    "subnet": {"ip_prefix": "10.32.0.0", "ip_prefix_len": 12},
    "default_gateway": "10.47.255.254",
    "dns_server_address": "10.47.255.253",
}


class Api:
    """The few answers that are asked for, in the shapes that a real config API was recorded with."""

    def __init__(self) -> None:
        self.linked = True
        self.network = VN
        self.address: str | None = "10.47.255.252"

    def answer(self, path: str, query: dict[str, list[str]]) -> Json:
        """Body, or None for 404."""
        if path == "/virtual-routers":
            refs = [{"to": ["vm-1"], "attr": None, "uuid": VM}] if self.linked else []
            found = query["fq_names"] == ["default-global-system-config:node-a"]
            return {"virtual-routers": [{"uuid": "r", "virtual_machine_refs": refs}] if found else []}
        if path == "/virtual-machine-interfaces":
            return {"virtual-machine-interfaces": [self._interface()] if query["back_ref_id"] == [VM] else []}
        if path == "/instance-ips":
            ip = {"uuid": "i", "fq_name": ["iip-1"], **({"instance_ip_address": self.address} if self.address else {})}
            return {"instance-ips": [ip] if query["back_ref_id"] == [VMI] else []}
        if path == f"/virtual-network/{VN}":
            ref = {"to": ["d", "p1", "ipam1"], "attr": {"ipam_subnets": [{**SUBNET, "subnet_uuid": "s"}]}, "uuid": IPAM}
            return {"virtual-network": {"uuid": VN, "network_ipam_refs": [ref]}}
        if path == f"/virtual-network/{FLAT}":
            ref = {"to": ["d", "p1", "flat"], "attr": {"ipam_subnets": [{"subnet_uuid": "s"}]}, "uuid": IPAM}
            return {"virtual-network": {"uuid": FLAT, "network_ipam_refs": [ref]}}
        if path == f"/network-ipam/{IPAM}":
            return {"network-ipam": {"uuid": IPAM, "ipam_subnets": {"subnets": [SUBNET]}}}
        return None

    def _interface(self) -> Json:
        return {
            "uuid": VMI,
            "fq_name": ["d", "p1", "vmi-1"],
            "parent_uuid": "068c8286-227d-424e-aac9-7ed71545b2e6",
            "virtual_network_refs": [{"to": ["d", "p1", "vn1"], "attr": None, "uuid": self.network}],
            "virtual_machine_interface_mac_addresses": {"mac_address": ["02:df:08:31:2f:72"]},
            "annotations": {"key_value_pair": [{"key": "index", "value": "0/1"}]},
        }


@pytest.fixture
def api() -> Iterator[tuple[Api, str]]:
    content = Api()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            body = content.answer(parts.path, parse_qs(parts.query))
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield content, f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("network", [VN, FLAT])
def test_a_linked_machine_is_read_with_its_address_and_subnet(api: tuple[Api, str], network: str) -> None:
    content, url = api
    content.network = network
    config = ContrailConfig(url, node="node-a")
    assert config.machine_named("vm-1") == VM and config.machine_named("vm-2") is None
    (interface,) = config.interfaces(VM)
    assert (interface.uuid, interface.mac, interface.network_uuid) == (VMI, "02:df:08:31:2f:72", network)
    assert interface.annotations == (("index", "0/1"),)
    assert interface.assignments == (Assignment(4, "10.47.255.252", 12, "10.47.255.254", "10.47.255.253"),)


def test_a_machine_that_is_not_linked_to_the_node_is_unknown(api: tuple[Api, str]) -> None:
    content, url = api
    assert ContrailConfig(url, node="node-b").interfaces(VM) == ()
    content.linked = False
    config = ContrailConfig(url, node="node-a")
    assert config.interfaces(VM) == () and config.machine_named("vm-1") is None


def test_an_interface_without_an_address_yet_is_known_without_one(api: tuple[Api, str]) -> None:
    content, url = api
    content.address = None
    (interface,) = ContrailConfig(url, node="node-a").interfaces(VM)
    assert interface.assignments == ()


def test_an_api_that_is_away_means_that_nothing_is_known() -> None:
    assert ContrailConfig("http://127.0.0.1:1", node="node-a").interfaces(VM) == ()


def test_an_address_outside_of_every_subnet_has_no_assignment() -> None:
    assert assignment("192.0.2.1", [SUBNET]) is None
    assert assignment("fd00::1", [SUBNET]) is None
