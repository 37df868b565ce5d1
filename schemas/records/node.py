"""Node (v1) as networking sees it (pure)."""

from __future__ import annotations

import ipaddress
from contextlib import suppress

import msgspec


class NodeAddress(msgspec.Struct, frozen=True):
    """One entry of `status.addresses`: type is InternalIP, ExternalIP, Hostname, InternalDNS or ExternalDNS."""

    type: str
    address: str


class NodeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Labels and addresses; conditions and heartbeats stay behind."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    addresses: tuple[NodeAddress, ...] = ()
    pod_cidrs: tuple[str, ...] = ()
    deleting: bool = False

    def ip_addresses(self) -> tuple[str, ...]:
        """All addresses that are none of its names, in one spelling and order, each once."""
        found = set()
        for each in self.addresses:
            with suppress(ValueError):
                found.add(str(ipaddress.ip_address(each.address)))
        return tuple(sorted(found))

    def internal_address(self) -> str:
        """First InternalIP, or ''."""
        return next((a.address for a in self.addresses if a.type == "InternalIP"), "")
