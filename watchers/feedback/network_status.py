"""A pod's interfaces in the standard's form of the annotation `k8s.v1.cni.cncf.io/network-status` (pure).

One object per interface, the pod's first one ahead and marked as the default: name of the network, interface, ips,
mac, default, dns. An attached network has the name of its NetworkAttachmentDefinition, `namespace/name`, as every tool
of the Network Plumbing Working Group writes it; the first one has Contrail's name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

DEFAULT_INTERFACE = "eth0"


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface; `attachment` is '' for the first; `addresses` are of all families, None where one is missing."""

    name: str
    attachment: str
    network: str
    mac: str
    addresses: tuple[str | None, ...]
    dns: tuple[str, ...] = ()


def network_status(interfaces: Iterable[Interface]) -> str | None:
    """Text of the annotation; None while an address is missing, or without interfaces."""
    ordered = sorted(interfaces, key=lambda each: (bool(each.attachment), len(each.name), each.name))
    if not ordered or any(None in each.addresses or not each.addresses for each in ordered):
        return None
    return json.dumps([_entry(each) for each in ordered], separators=(",", ":"))


def _entry(interface: Interface) -> dict[str, object]:
    entry: dict[str, object] = {
        "name": interface.attachment or interface.network,
        "interface": interface.name,
        "ips": list(interface.addresses),
        "mac": interface.mac,
    }
    if not interface.attachment:
        entry["default"] = True
    entry["dns"] = {"nameservers": list(interface.dns)} if interface.dns else {}
    return entry
