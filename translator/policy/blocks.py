"""Blocks of addresses: what exceptions leave of them, what two of them share, and what is inside of one (pure).

All of it is done on spans of addresses in their order, never on pairs of prefixes: a block may have thousands of
exceptions, and each leaves some thirty prefixes.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from schemas.records import IpBlock

_ADDRESS: dict[int, type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address]] = {
    4: ipaddress.IPv4Address,
    6: ipaddress.IPv6Address,
}
_EVERY = {4: "0.0.0.0/0", 6: "::/0"}
_Spans = tuple[tuple[int, int], ...]
"""First and last address of each, in order; none touches another."""


def prefixes(blocks: Iterable[IpBlock]) -> tuple[str, ...]:
    """Prefixes that together are the blocks without their exceptions, none inside another, IPv4 first."""
    return _prefixes(tuple((block.cidr, block.excluded) for block in blocks))


def common(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    """The addresses that are in prefixes of both, as prefixes in the same way."""
    return tuple(
        prefix
        for version in _EVERY
        for prefix in _written(_shared(_spans(tuple(one), version), _spans(tuple(other), version)), version)
    )


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
    spans = _spans(tuple(cidrs), found.version)
    place = bisect_right(spans, int(found), key=lambda span: span[0])
    return place > 0 and int(found) <= spans[place - 1][1]


@lru_cache(maxsize=1024)
def _prefixes(blocks: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[str, ...]:
    found: list[str] = []
    for version in _EVERY:
        left = [span for cidr, holes in blocks for span in _left(_spans((cidr,), version), _spans(holes, version))]
        found += _written(_merged(left), version)
    return tuple(found)


@lru_cache(maxsize=1024)
def _spans(cidrs: tuple[str, ...], version: int) -> _Spans:
    networks = (each for each in map(ipaddress.ip_network, cidrs) if each.version == version)
    return _merged((int(each.network_address), int(each.broadcast_address)) for each in networks)


def _merged(spans: Iterable[tuple[int, int]]) -> _Spans:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def _left(spans: _Spans, holes: _Spans) -> Iterator[tuple[int, int]]:
    """What the holes leave of the spans."""
    for start, last in spans:
        first = start
        for low, high in holes:
            if first <= high and low <= last:
                if first < low:
                    yield first, low - 1
                first = high + 1
        if first <= last:
            yield first, last


def _shared(one: _Spans, other: _Spans) -> Iterator[tuple[int, int]]:
    left, right = 0, 0
    while left < len(one) and right < len(other):
        first, last = max(one[left][0], other[right][0]), min(one[left][1], other[right][1])
        if first <= last:
            yield first, last
        if one[left][1] < other[right][1]:
            left += 1
        else:
            right += 1


def _written(spans: Iterable[tuple[int, int]], version: int) -> Iterator[str]:
    """Spans as prefixes, as few as can be."""
    address = _ADDRESS[version]
    for first, last in spans:
        yield from map(str, ipaddress.summarize_address_range(address(first), address(last)))
