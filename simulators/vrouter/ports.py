"""Bodies and texts of the agent's port REST API (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulators.vrouter.config import InterfaceConfig

Json = Any
NIL = "00000000-0000-0000-0000-000000000000"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
AUTHOR = "contrail-vrouter-agent"
NO_VLAN = 65535


class BadPort(Exception):
    """The agent's own text for a body that it does not take."""


@dataclass(frozen=True, slots=True)
class VmPort:
    """A port announced by POST /vm. Uuids that cannot be read are nil, as in the agent."""

    machine_uuid: str
    network_uuid: str
    interface_uuid: str
    machine_name: str
    tap: str
    container: str = ""
    ifname: str = ""
    namespace: str = ""

    def file(self, now: str) -> Json:
        """Content of the port's file."""
        return {
            "vm-uuid": self.machine_uuid,
            "vn-uuid": self.network_uuid,
            "vmi-uuid": self.interface_uuid,
            "vm-id": self.container,
            "vm-name": self.machine_name,
            "host-ifname": self.tap,
            "vm-ifname": self.ifname,
            "vm-namespace": self.namespace,
            "author": AUTHOR,
            "time": now,
        }


@dataclass(frozen=True, slots=True)
class NovaPort:
    """A port announced by POST /port; `body` is what was sent."""

    interface_uuid: str
    machine_uuid: str
    network_uuid: str
    tap: str
    body: Mapping[str, Json]


def vm_port(text: str) -> VmPort:
    """Port of a POST /vm body; raises BadPort."""
    body = _decode(text)
    if not isinstance(body, dict):
        raise BadPort(f"Unexpected Json string ==> {text}")
    # In the agent's order: the first field that is wrong is the one that it names.
    machine_uuid, tap, machine_name = _uuid(body, "vm-uuid"), _text(body, "host-ifname"), _text(body, "vm-name")
    return VmPort(
        machine_uuid=machine_uuid,
        tap=tap,
        machine_name=machine_name,
        network_uuid=_uuid(body, "vn-uuid"),
        interface_uuid=_uuid(body, "vmi-uuid"),
        container=_optional(body, "vm-id"),
        ifname=_optional(body, "vm-ifname"),
        namespace=_optional(body, "vm-namespace"),
    )


def nova_ports(text: str) -> tuple[NovaPort, ...]:
    """Ports of a POST /port body, which is one object or an array; raises BadPort.

    The agent answers 200 to an array with a bad element and adds none of it: so () here.
    """
    body = _decode(text)
    if isinstance(body, list):
        try:
            return tuple(_nova_port(element, text) for element in body)
        except BadPort:
            return ()
    if not isinstance(body, dict):
        raise BadPort(f"Unexpected Json string ==> {text}")
    return (_nova_port(body, text),)


def configured(interface: InterfaceConfig) -> Json:
    """Element of GET /vm-cfg."""
    return {
        "id": interface.uuid,
        "vm-uuid": interface.machine_uuid,
        "vn-id": interface.network_uuid,
        "vn-name": interface.network_name,
        "mac-address": interface.mac,
        "sub-interface": interface.vlan is not None,
        "vlan-id": NO_VLAN if interface.vlan is None else interface.vlan,
        "annotations": [f"{{{key}:{value}}}" for key, value in interface.annotations],
    }


def operational(interface: InterfaceConfig, tap: str, now: str) -> Json | None:
    """Element of GET /vm; None while the interface has no address whose subnet is known."""
    by_family = {a.family: a for a in reversed(interface.assignments)}
    if not by_family:
        return None
    element: dict[str, Json] = {
        "id": interface.uuid,
        "instance-id": interface.machine_uuid,
        "vn-id": interface.network_uuid,
        "vm-project-id": interface.project_uuid,
        "mac-address": interface.mac,
        "system-name": tap,
        "rx-vlan-id": NO_VLAN if interface.vlan is None else interface.vlan,
        "tx-vlan-id": NO_VLAN if interface.vlan is None else interface.vlan,
        "vhostuser-mode": 0,
    }
    if four := by_family.get(4):
        element |= {
            "ip-address": four.address,
            "plen": four.prefix_len,
            "dns-server": four.dns or "0.0.0.0",
            "gateway": four.gateway or "0.0.0.0",
        }
    if six := by_family.get(6):
        element |= {"v6-ip-address": six.address, "v6-dns-server": six.dns or "::", "v6-gateway": six.gateway or "::"}
    return element | {"author": AUTHOR, "time": now}


def _decode(text: str) -> Json:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadPort(f"Invalid Json string ==> {text}") from None


def _nova_port(body: Json, text: str) -> NovaPort:
    if not isinstance(body, dict):
        raise BadPort(f"Json Array has invalid element ==> {text}")
    uuids = [_uuid(body, name) for name in ("id", "instance-id", "vn-id", "vm-project-id")]
    for name in ("display-name", "ip-address", "ip6-address"):
        _text(body, name)
    kind = _number(body, "type")
    if kind == 0 and uuids[2] == NIL:
        raise BadPort("Invalid VN uuid")
    tap, mac = _text(body, "system-name"), _text(body, "mac-address")
    if mac.count(":") != 5 or not mac.replace(":", "").strip("0"):
        raise BadPort("Invalid MAC, Use xx:xx:xx:xx:xx:xx format")
    _number(body, "rx-vlan-id")
    _number(body, "tx-vlan-id")
    return NovaPort(uuids[0], uuids[1], uuids[2], tap, body)


def _text(body: dict[str, Json], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise BadPort(f"Invalid or missing field for <{name}>")
    return value


def _number(body: dict[str, Json], name: str) -> int:
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadPort(f"Invalid or missing field for <{name}>")
    return value


def _uuid(body: dict[str, Json], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise BadPort(f"Invalid or missing data for <{name}>")
    return value.lower() if re.fullmatch(UUID, value.lower()) else NIL


def _optional(body: dict[str, Json], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""
