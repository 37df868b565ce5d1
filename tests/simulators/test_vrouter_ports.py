"""Bodies and texts of the simulated vrouter agent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulators.vrouter.ports import NIL, BadPort, configured, nova_ports, operational, vm_port
from tests.cni.rows import NETWORK_UUID, UID, pending, row, six
from tests.cni.rows import configured as config_of

Json = Any
BODY = {
    "vm-uuid": UID,
    "host-ifname": "tap0123456789a",
    "vm-name": "k8s__shop__web-0",
    "vn-uuid": NETWORK_UUID,
    "vmi-uuid": row().interface_uuid,
}
NOVA = {
    "id": row().interface_uuid,
    "instance-id": UID,
    "vn-id": NETWORK_UUID,
    "vm-project-id": NIL,
    "display-name": "web-0",
    "ip-address": "10.47.255.250",
    "ip6-address": "::",
    "type": 0,
    "system-name": "tap0",
    "mac-address": "02:7a:3f:11:22:33",
    "rx-vlan-id": 65535,
    "tx-vlan-id": 65535,
}


def test_a_port_of_a_machine_needs_five_fields() -> None:
    port = vm_port(json.dumps(BODY))
    assert (port.machine_uuid, port.tap, port.container) == (UID, "tap0123456789a", "")
    port = vm_port(json.dumps({**BODY, "vm-id": "c1", "vm-ifname": "eth0", "vm-namespace": "/x", "more": 1}))
    assert (port.container, port.ifname, port.namespace) == ("c1", "eth0", "/x")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        *(
            ({**BODY, name: None}, f"Invalid or missing data for <{name}>")
            for name in ("vm-uuid", "vn-uuid", "vmi-uuid")
        ),
        *(({**BODY, name: 1}, f"Invalid or missing field for <{name}>") for name in ("host-ifname", "vm-name")),
        ([], "Unexpected Json string ==> []"),
    ],
)
def test_a_body_that_is_not_a_port_is_refused_in_the_agents_words(body: Json, text: str) -> None:
    with pytest.raises(BadPort) as refused:
        vm_port(json.dumps(body))
    assert str(refused.value) == text


def test_a_body_that_is_no_json_is_refused() -> None:
    with pytest.raises(BadPort, match="Invalid Json string ==> nonsense"):
        vm_port("nonsense")


def test_a_uuid_that_cannot_be_read_is_nil() -> None:
    assert vm_port(json.dumps({**BODY, "vmi-uuid": "x"})).interface_uuid == NIL


def test_nova_ports_come_alone_or_in_an_array() -> None:
    assert len(nova_ports(json.dumps(NOVA))) == 1
    assert len(nova_ports(json.dumps([NOVA, NOVA]))) == 2
    assert nova_ports(json.dumps([NOVA, {}])) == ()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"id": None}, "Invalid or missing data for <id>"),
        ({"type": "0"}, "Invalid or missing field for <type>"),
        ({"vn-id": "x"}, "Invalid VN uuid"),
        ({"mac-address": "02:7a"}, "Invalid MAC, Use xx:xx:xx:xx:xx:xx format"),
        ({"mac-address": "00:00:00:00:00:00"}, "Invalid MAC, Use xx:xx:xx:xx:xx:xx format"),
        ({"tx-vlan-id": None}, "Invalid or missing field for <tx-vlan-id>"),
    ],
)
def test_a_nova_port_that_lacks_something_is_refused(changes: Json, text: str) -> None:
    with pytest.raises(BadPort) as refused:
        nova_ports(json.dumps({**NOVA, **changes}))
    assert str(refused.value) == text


def test_elements_are_as_the_agent_writes_them() -> None:
    interface = config_of(row())
    assert configured(interface) == {
        "id": row().interface_uuid,
        "vm-uuid": UID,
        "vn-id": NETWORK_UUID,
        "vn-name": "default-domain:k8s-default:k8s-default-pod-network",
        "mac-address": row().mac,
        "sub-interface": False,
        "vlan-id": 65535,
        "annotations": ["{index:0/1}", "{network:default}"],
    }
    assert operational(interface, "tap0", "now") == {
        "id": row().interface_uuid,
        "instance-id": UID,
        "vn-id": NETWORK_UUID,
        "vm-project-id": interface.project_uuid,
        "mac-address": row().mac,
        "system-name": "tap0",
        "rx-vlan-id": 65535,
        "tx-vlan-id": 65535,
        "vhostuser-mode": 0,
        "ip-address": "10.47.255.250",
        "plen": 12,
        "dns-server": "10.47.255.253",
        "gateway": "10.47.255.254",
        "author": "contrail-vrouter-agent",
        "time": "now",
    }


def test_family_keys_follow_the_addresses() -> None:
    both = operational(config_of(row(), six(row())), "tap0", "now")
    assert both is not None and both["v6-ip-address"] == "fd00:10:32::fffc" and "plen" in both
    only_six = operational(config_of(six(row())), "tap0", "now")
    assert only_six is not None and "ip-address" not in only_six
    assert operational(config_of(pending()), "tap0", "now") is None
