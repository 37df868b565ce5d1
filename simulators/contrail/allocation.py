"""Addresses of one subnet: which are free, and which is next (pure, but it changes).

As the original: from the highest free address downward, or from the lowest upward with `addr_from_start`;
the network's and the broadcast address, the gateway and the DNS address are never given out by themselves.
"""

from __future__ import annotations

import heapq
import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Subnet:
    """One subnet with its allocations; `pools` limit what is given out by itself, as pairs of first and last."""

    def __init__(
        self,
        cidr: Network,
        *,
        uuid: str,
        gateway: str = "",
        dns: str = "",
        from_start: bool = False,
        pools: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.cidr = cidr
        self.uuid = uuid
        self.from_start = from_start
        first, last = int(cidr.network_address), int(cidr.broadcast_address)
        self._make = ipaddress.IPv4Address if cidr.version == 4 else ipaddress.IPv6Address
        self.gateway = gateway or str(self._make(first + 1 if from_start else last - 1))
        self.dns = dns or str(self._make(first + 2 if from_start else last - 2))
        self._reserved = {first, last, *(int(ipaddress.ip_address(a)) for a in (self.gateway, self.dns) if _is_set(a))}
        pairs = [(int(ipaddress.ip_address(a)), int(ipaddress.ip_address(b))) for a, b in pools]
        self._ranges = sorted(pairs, reverse=not from_start) or [(first + 1, last - 1)]
        self._range = 0
        self._cursor = self._begin(0)
        self._freed: list[int] = []
        self._owners: dict[int, str] = {}

    @property
    def count(self) -> int:
        """Addresses given out."""
        return len(self._owners)

    def holds(self, address: Address) -> bool:
        """Whether the address is in this subnet."""
        return address.version == self.cidr.version and address in self.cidr

    def is_taken(self, address: str) -> bool:
        """Whether it was given out, or is reserved."""
        number = int(ipaddress.ip_address(address))
        return number in self._owners or number in self._reserved

    def owned(self) -> Iterable[str]:
        """Addresses given out."""
        return [str(self._make(number)) for number in self._owners]

    def take(self, address: Address, owner: str) -> None:
        """Give out this very address; the caller knows that it may be."""
        self._owners[int(address)] = owner

    def allocate(self, owner: str) -> str | None:
        """Give out the next address; None when there is none."""
        number = self._next()
        if number is None:
            return None
        self._owners[number] = owner
        return str(self._make(number))

    def free(self, address: str, owner: str) -> None:
        """Take an address back, if it was given to this owner; anything else changes nothing.

        An object whose address was changed after creation thus leaves its first one taken, as the original does.
        """
        number = int(ipaddress.ip_address(address))
        if self._owners.get(number) != owner:
            return
        del self._owners[number]
        heapq.heappush(self._freed, number if self.from_start else -number)

    def _next(self) -> int | None:
        while self._freed:  # all of them lie before the cursor, so they come first
            number = abs(self._freed[0])
            if number not in self._owners and number not in self._reserved and self._is_passed(number):
                return abs(heapq.heappop(self._freed))
            heapq.heappop(self._freed)
        while self._range < len(self._ranges):
            low, high = self._ranges[self._range]
            step = 1 if self.from_start else -1
            while low <= self._cursor <= high:
                number, self._cursor = self._cursor, self._cursor + step
                if number not in self._owners and number not in self._reserved:
                    return number
            self._range += 1
            self._cursor = self._begin(self._range)
        return None

    def _begin(self, index: int) -> int:
        if index >= len(self._ranges):
            return 0
        low, high = self._ranges[index]
        return low if self.from_start else high

    def _is_passed(self, number: int) -> bool:
        """Whether the cursor has gone by: what lies ahead is found by the cursor, what is in no pool never."""
        for index, (low, high) in enumerate(self._ranges):
            if low <= number <= high:
                ahead = number >= self._cursor if self.from_start else number <= self._cursor
                return index < self._range or (index == self._range and not ahead)
        return False


def _is_set(address: str) -> bool:
    return not ipaddress.ip_address(address).is_unspecified


def is_too_small(cidr: Network) -> bool:
    """Whether a subnet has no room beside its reserved addresses, so that the original refuses it."""
    return cidr.num_addresses <= 2


def overlapping(cidrs: Iterable[Network]) -> list[Network]:
    """The first overlapping group in a list of subnets; empty if all are apart."""
    known: list[Network] = []
    for cidr in cidrs:
        for other in known:
            if other.version == cidr.version and other.overlaps(cidr):
                return [other, cidr]
        known.append(cidr)
    return []
