"""Blocks of addresses: what an exception leaves, and how much of some subnets they cover (pure)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

from schemas.records import IpBlock

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_EVERY = {4: "0.0.0.0/0", 6: "::/0"}


def prefixes(blocks: Iterable[IpBlock]) -> tuple[str, ...]:
    """Prefixes that together are the blocks without their exceptions, none inside another, IPv4 first."""
    left = [each for block in blocks for each in _remaining(block.cidr, block.excluded)]
    return tuple(str(each) for version in (4, 6) for each in _collapsed(left, version))


@lru_cache(maxsize=4096)
def _remaining(cidr: str, excluded: tuple[str, ...]) -> tuple[Network, ...]:
    left: list[Network] = [ipaddress.ip_network(cidr)]
    for text in excluded:
        hole = ipaddress.ip_network(text)
        left = [part for each in left for part in _without(each, hole)]
    return tuple(left)


def _without(network: Network, hole: Network) -> Iterable[Network]:
    if network.version != hole.version or not network.overlaps(hole):
        return (network,)
    if _is_inside(network, hole):
        return ()
    return network.address_exclude(hole)  # type: ignore[arg-type]


def _collapsed(networks: Iterable[Network], version: int) -> Iterable[Network]:
    return ipaddress.collapse_addresses(each for each in networks if each.version == version)  # type: ignore[type-var]


def hold_every_address(cidrs: Sequence[str], families: Iterable[int]) -> bool:
    """Whether the prefixes, of which none is inside another, hold all addresses of these families (4, 6)."""
    return {_EVERY[family] for family in families} <= set(cidrs)


def inside(addresses: Iterable[str], cidrs: Sequence[str]) -> tuple[str, ...]:
    """Those of the addresses that are in the prefixes, as prefixes themselves."""
    found = {ipaddress.ip_address(each) for each in addresses if covers_address(cidrs, each)}
    ordered = sorted(found, key=lambda each: (each.version, int(each)))
    return tuple(f"{each}/{each.max_prefixlen}" for each in ordered)


def covers_address(cidrs: Sequence[str], address: str) -> bool:
    """Whether the address is in one of the prefixes."""
    found = ipaddress.ip_address(address)
    return any(found in _parsed(each) for each in cidrs)


@lru_cache(maxsize=4096)
def _parsed(cidr: str) -> Network:
    return ipaddress.ip_network(cidr)


def _is_inside(network: Network, other: Network) -> bool:
    return network.version == other.version and network.subnet_of(other)  # type: ignore[arg-type]
