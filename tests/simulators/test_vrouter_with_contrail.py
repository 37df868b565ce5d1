"""The two simulators together: what is written to the config API is what the vrouter agent knows of its node."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from simulators.contrail.server import ContrailSimulator
from simulators.vrouter.config import Assignment
from simulators.vrouter.contrail import ContrailConfig

Json = Any
POD = "20403253-f7d3-4c41-9455-ae0e2ab32489"
VMI = "df08312f-7245-4bf8-8f4d-68f33f29c988"
PROJECT = ["default-domain", "default-project"]
ROUTER = ["default-global-system-config", "node-a"]


@pytest.fixture
def api() -> Iterator[ContrailSimulator]:
    with ContrailSimulator(nodes={"node-a": "192.0.2.1", "node-b": "192.0.2.2"}) as running:
        yield running


def _post(api: ContrailSimulator, path: str, body: Json) -> Json:
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=10)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read().decode()
        assert response.status == 200, text
        return json.loads(text)
    finally:
        connection.close()


def _create(api: ContrailSimulator, kind: str, body: Json) -> None:
    _post(api, f"/{kind}s", {kind: body})


def _make_pod(api: ContrailSimulator) -> None:
    ipam, network, vmi = [*PROJECT, "pods"], [*PROJECT, "pod-network"], [*PROJECT, "web-0"]
    subnets = {"subnets": [{"subnet": {"ip_prefix": "10.32.0.0", "ip_prefix_len": 12}}]}
    owned = {"parent_type": "project"}
    _create(
        api, "network-ipam", {"fq_name": ipam, **owned, "ipam_subnet_method": "flat-subnet", "ipam_subnets": subnets}
    )
    flat = {
        "address_allocation_mode": "flat-subnet-only",
        "virtual_network_properties": {"forwarding_mode": "l3"},
        "network_ipam_refs": [{"to": ipam, "attr": {"ipam_subnets": []}}],
    }
    _create(api, "virtual-network", {"fq_name": network, **owned, **flat})
    _create(api, "virtual-machine", {"fq_name": ["k8s__shop__web-0"], "uuid": POD})
    refs = {"virtual_network_refs": [{"to": network}], "virtual_machine_refs": [{"to": ["k8s__shop__web-0"]}]}
    annotations = {"key_value_pair": [{"key": "index", "value": "0/1"}]}
    interface = {"fq_name": vmi, **owned, "uuid": VMI, **refs, "annotations": annotations}
    _create(api, "virtual-machine-interface", interface)


def _address_and_link(api: ContrailSimulator) -> None:
    refs = {
        "virtual_network_refs": [{"to": [*PROJECT, "pod-network"]}],
        "virtual_machine_interface_refs": [{"to": [*PROJECT, "web-0"]}],
    }
    _create(api, "instance-ip", {"fq_name": ["web-0-ip"], **refs})
    router = _post(api, "/fqname-to-id", {"type": "virtual-router", "fq_name": ROUTER})["uuid"]
    link = {"type": "virtual-router", "uuid": router, "ref-type": "virtual-machine", "ref-uuid": POD}
    _post(api, "/ref-update", {**link, "operation": "ADD"})


def test_a_pod_is_known_to_its_node_with_its_allocated_address(api: ContrailSimulator) -> None:
    config = ContrailConfig(api.url, node="node-a")
    _make_pod(api)
    assert config.interfaces(POD) == () and config.machine_named("k8s__shop__web-0") is None
    _address_and_link(api)
    assert config.machine_named("k8s__shop__web-0") == POD
    (interface,) = config.interfaces(POD)
    assert (interface.uuid, interface.mac) == (VMI, "02:df:08:31:2f:72")
    assert interface.network_name == "default-domain:default-project:pod-network"
    assert interface.annotations == (("index", "0/1"),)
    (found,) = interface.assignments
    assert found == Assignment(4, found.address, 12, "10.47.255.254", "10.47.255.253")
    assert found.address.startswith("10.47.255.")
    assert ContrailConfig(api.url, node="node-b").interfaces(POD) == ()
