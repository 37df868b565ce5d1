"""The interface that a pod shall have, made of its rows and checked before the kernel is touched (pure)."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Any
from uuid import UUID

from cni.addresses import PodAddress
from cni.answers import BAD_CONFIG
from cni.limits import UNLIMITED, Limits
from schemas.errors import RequestRefused

Json = Any
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_MACHINE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")
_IPV6_MINIMUM_MTU = 1280
FIRST = "eth0"
"""A pod's first interface: it alone gets default routes, as with Kubernetes' other networks of several interfaces."""
LAST_TAG = 4094


@dataclass(frozen=True, slots=True)
class Address:
    """One address with its prefix, the gateway (None: no default route for its family) and the name server."""

    ip: IPv4Interface | IPv6Interface
    gateway: IPv4Address | IPv6Address | None
    dns: str | None


@dataclass(frozen=True, slots=True)
class Interface:
    """Everything that is needed to make, announce and describe one interface of a pod."""

    namespace: str
    pod: str
    pod_uid: str
    machine_uuid: str
    machine_name: str
    interface_uuid: str
    network_uuid: str
    tap: str
    ifname: str
    mac: str
    mtu: int
    addresses: tuple[Address, ...]
    vlan: int | None = None
    """In nested mode the tag of the sub-interface, which takes the place of a tap; else None."""
    limits: Limits = UNLIMITED

    @property
    def port(self) -> str:
        """By what the vrouter agent knows the port: its tap, or in nested mode its tag."""
        return self.tap if self.vlan is None else f"VLAN {self.vlan}"


def tap_name(pod_uid: str, ifname: str, *, nested: bool = False) -> str:
    """Name of the host's end: the same for every sandbox of the pod, within the 15 characters that the kernel takes."""
    digest = hashlib.sha1((pod_uid + ifname).encode(), usedforsecurity=False).hexdigest()[:11]
    return ("vlan" if nested else "tap") + digest


def interface_of(rows: Sequence[PodAddress], ifname: str, mtu: int, limits: Limits = UNLIMITED) -> Interface:
    """Interface of the rows of one VMI (at least one); raises RequestRefused (code 7) naming the column.

    `limits` are kept by the first interface only: the annotations that they come from mean no other.
    """
    first = rows[0]
    for column in ("interface_uuid", "machine_uuid", "machine_name", "network_uuid", "pod_uid", "mac", "vlan"):
        if any(getattr(row, column) != getattr(first, column) for row in rows):
            raise _malformed(first, column, "differs between the families of one interface")
    for column in ("interface_uuid", "machine_uuid", "network_uuid"):
        if not _is_uuid(getattr(first, column)):
            raise _malformed(first, column, "is no lower-case dashed uuid")
    if not _MACHINE_NAME.fullmatch(first.machine_name):
        raise _malformed(first, "machine_name", "cannot be a file name")
    if not first.pod_uid:
        raise _malformed(first, "pod_uid", "is empty")
    if first.vlan is not None and not 1 <= first.vlan <= LAST_TAG:
        raise _malformed(first, "vlan", f"{first.vlan} is no tag of a sub-interface")
    addresses = tuple(_address(row) for row in sorted(rows, key=lambda row: row.family))
    if mtu < _IPV6_MINIMUM_MTU and any(address.ip.version == 6 for address in addresses):
        raise RequestRefused(BAD_CONFIG, f"mtu: {mtu} is too small for IPv6, which needs {_IPV6_MINIMUM_MTU}")
    return Interface(
        namespace=first.namespace,
        pod=first.pod,
        pod_uid=first.pod_uid,
        machine_uuid=first.machine_uuid,
        machine_name=first.machine_name,
        interface_uuid=first.interface_uuid,
        network_uuid=first.network_uuid,
        tap=tap_name(first.pod_uid, ifname, nested=first.vlan is not None),
        ifname=ifname,
        mac=_mac(first),
        mtu=mtu,
        addresses=addresses,
        vlan=first.vlan,
        limits=limits if ifname == FIRST else UNLIMITED,
    )


def result_of(plugged: Sequence[tuple[Interface, str]], netns: str) -> dict[str, Json]:
    """Result in the form of spec 1.1.0 (see cni/answers.py for older ones), of (interface, MAC of the host's end).

    Each interface is listed behind its host's end; runtimes take the addresses of the pod from the first.
    """
    interfaces: list[dict[str, Json]] = []
    ips: list[dict[str, Json]] = []
    for interface, tap_mac in plugged:
        interfaces += (
            {"name": interface.tap, "mac": tap_mac, "mtu": interface.mtu},
            {"name": interface.ifname, "mac": interface.mac, "mtu": interface.mtu, "sandbox": netns},
        )
        for address in interface.addresses:
            gateway = {} if address.gateway is None else {"gateway": str(address.gateway)}
            ips.append({"interface": len(interfaces) - 1, "address": str(address.ip), **gateway})
    routes = [
        {"dst": "0.0.0.0/0" if address.ip.version == 4 else "::/0", "gw": str(address.gateway)}
        for interface, _ in plugged
        for address in default_gateways(interface)
    ]
    servers = list(dict.fromkeys(a.dns for interface, _ in plugged for a in interface.addresses if a.dns))
    return {
        "cniVersion": "1.1.0",
        "interfaces": interfaces,
        "ips": ips,
        "routes": routes,
        "dns": {"nameservers": servers} if servers else {},
    }


def default_gateways(interface: Interface) -> tuple[Address, ...]:
    """Addresses whose gateway gets a default route: of the first interface, the first of each family that has one."""
    return _with_default_route(interface.addresses) if interface.ifname == FIRST else ()


def _with_default_route(addresses: Sequence[Address]) -> tuple[Address, ...]:
    chosen: dict[int, Address] = {}
    for address in addresses:
        if address.gateway is not None:
            chosen.setdefault(address.ip.version, address)
    return tuple(chosen.values())


def _address(row: PodAddress) -> Address:
    try:
        ip = ipaddress.ip_interface(f"{ipaddress.ip_address(row.address or '')}/{int(row.prefix_len or 0)}")
    except ValueError:
        raise _malformed(row, "address", f"{row.address!r}/{row.prefix_len!r} is no address with a prefix") from None
    if ip.version != row.family:
        raise _malformed(row, "family", f"{row.family} does not fit address {row.address}")
    if ip.network.prefixlen == 0:
        raise _malformed(row, "prefix_len", "must be above 0")
    if ip.is_unspecified or ip.is_multicast or ip.is_loopback or _is_edge(ip):
        raise _malformed(row, "address", f"{ip} is not an address that a pod can have")
    return Address(ip, _gateway(row, ip), _dns(row))


def _is_edge(ip: IPv4Interface | IPv6Interface) -> bool:
    """Network and broadcast address of an IPv4 subnet."""
    return (
        ip.version == 4
        and ip.network.prefixlen < 31
        and ip.ip in (ip.network.network_address, ip.network.broadcast_address)
    )


def _gateway(row: PodAddress, ip: IPv4Interface | IPv6Interface) -> IPv4Address | IPv6Address | None:
    if not row.gateway:
        return None
    try:
        gateway = ipaddress.ip_address(row.gateway)
    except ValueError:
        raise _malformed(row, "gateway", f"{row.gateway!r} is no address") from None
    if gateway.is_unspecified:
        # Contrail's way to say that a subnet has no gateway.
        return None
    if gateway.version != ip.version or gateway == ip.ip or gateway.is_multicast or gateway.is_loopback:
        raise _malformed(row, "gateway", f"{gateway} cannot be the gateway of {ip}")
    return gateway


def _dns(row: PodAddress) -> str | None:
    if not row.dns:
        return None
    try:
        server = ipaddress.ip_address(row.dns)
    except ValueError:
        raise _malformed(row, "dns", f"{row.dns!r} is no address") from None
    return None if server.is_unspecified else str(server)


def _mac(row: PodAddress) -> str:
    mac = (row.mac or "").lower()
    # The lowest bit of the first byte marks a group address, which no interface can have.
    if not _MAC.fullmatch(mac) or int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
        raise _malformed(row, "mac", f"{row.mac!r} is no MAC address of an interface")
    return mac


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _malformed(row: PodAddress, column: str, what: str) -> RequestRefused:
    return RequestRefused(
        BAD_CONFIG, f"pod {row.namespace}/{row.pod}: row of pod_address is malformed: {column} {what}"
    )
