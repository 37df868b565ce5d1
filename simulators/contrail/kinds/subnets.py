"""Subnet entries of networks and IPAMs: checked, completed, and made into subnets (pure)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from simulators.contrail.allocation import Network, Subnet, is_too_small, overlapping
from simulators.contrail.answers import Json, Refusal, failed


@dataclass(frozen=True, slots=True)
class Entry:
    """One element of an `ipam_subnets` list with its subnet; `fields` are as asked."""

    cidr: Network
    fields: Mapping[str, Json]

    def completed(self, subnet: Subnet, **more: Json) -> dict[str, Json]:
        """The element as it is kept: host bits masked, gateway and DNS address filled in."""
        masked = {**self.fields["subnet"], "ip_prefix": str(self.cidr.network_address)}
        filled = {"default_gateway": subnet.gateway, "dns_server_address": subnet.dns, **more}
        return {**self.fields, "subnet": masked, **filled}


def entries_of(elements: Iterable[Mapping[str, Json]]) -> list[Entry]:
    """Elements that name a subnet; the original falls over one that does not."""
    found = []
    for element in elements:
        if "subnet" not in element:
            raise failed("KeyError: 'subnet'")
        subnet = element["subnet"]
        cidr = ipaddress.ip_network(f"{subnet['ip_prefix']}/{subnet['ip_prefix_len']}", strict=False)
        found.append(Entry(cidr, element))
    return found


def check_apart(cidrs: Iterable[Network]) -> None:
    """Refusal 400 for subnets that overlap."""
    if together := overlapping(cidrs):
        named = ", ".join(f"IPNetwork('{cidr}')" for cidr in together)
        raise Refusal(400, f"Overlapping addresses: [{named}]")


def make_subnet(entry: Entry, uuid: str, label: str) -> Subnet:
    """A new subnet; Refusal for a gateway or pool that is not in it, or if it is too small."""
    fields, cidr = entry.fields, entry.cidr
    gateway = _inside("gateway", fields.get("default_gateway"), cidr)
    dns = _address("Dns Server", fields.get("dns_server_address"))
    pools = [(pool["start"], pool["end"]) for pool in fields.get("allocation_pools") or ()]
    for start, end in pools:
        if not all(_parsed(a) in cidr for a in (start, end)):
            raise Refusal(409, f"allocation pool start:{start}, end:{end} out of cidr:{cidr}")
    if is_too_small(cidr):
        raise failed(
            f"{label[:-1]}:{cidr}) has invalid alloc_unit(1) in subnet({cidr}) reason: Pool range<=block_alloc_unit"
        )
    return Subnet(
        cidr, uuid=uuid, gateway=gateway, dns=dns, from_start=bool(fields.get("addr_from_start")), pools=pools
    )


def _inside(what: str, address: Json, cidr: Network) -> str:
    text = _address(what, address)
    if text and _parsed(text) not in cidr:
        raise Refusal(409, f"{what} Ip {text} out of cidr: {cidr}")
    return text


def _address(what: str, address: Json) -> str:
    if not address:
        return ""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        raise Refusal(409, f"Invalid {what} Ip address:{address}") from None


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        raise Refusal(409, f"Invalid Ip address:{address}") from None
