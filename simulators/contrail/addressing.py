"""Which subnets a network has, and addresses out of them (pure, but it changes).

A flat IPAM has one set of subnets, shared by all networks that refer to it; a network that uses a flat IPAM
has one subnet uuid for the pair. User-defined subnets belong to the network.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from simulators.contrail.allocation import Address, Subnet
from simulators.contrail.answers import Refusal, failed

USER_FIRST = "user-defined-subnet-preferred"
_ORDER = {
    USER_FIRST: ("user", "flat"),
    "user-defined-subnet-only": ("user",),
    "flat-subnet-preferred": ("flat", "user"),
    "flat-subnet-only": ("flat",),
}
_FLAT_FIRST = ("flat", "user")
_FAMILIES = {"v4": 4, "v6": 6}


@dataclass(frozen=True, slots=True)
class Request:
    """An address that is asked for; empty texts mean 'any'.

    `name` is the network's fq_name as error texts have it; `status` is what an exhausted subnet is answered with.
    """

    owner: str
    name: Sequence[str]
    address: str = ""
    family: str = ""
    subnet_uuid: str = ""
    mode: str = USER_FIRST
    status: int = 400


@dataclass(slots=True)
class Plan:
    """Subnets that one network can use: its own by CIDR, and those of flat IPAMs under the pair's subnet uuid."""

    own: dict[str, Subnet] = field(default_factory=dict)
    flat: dict[str, str] = field(default_factory=dict)
    """IPAM uuid -> subnet uuid of the pair."""


class Addressing:
    """Subnets by network and by flat IPAM."""

    def __init__(self) -> None:
        self._plans: dict[str, Plan] = {}
        self.ipams: dict[str, dict[str, Subnet]] = {}
        """Subnets of flat IPAMs: IPAM uuid -> CIDR -> subnet."""

    def plan(self, network: str) -> Plan:
        """What the network has; changed in place by who changes the network."""
        return self._plans.setdefault(network, Plan())

    def drop(self, network: str) -> None:
        """Forget a network."""
        self._plans.pop(network, None)

    def subnets(self, network: str) -> Iterator[tuple[str, Subnet]]:
        """(subnet uuid, subnet) of a network, flat ones first."""
        plan = self.plan(network)
        for ipam, pair in plan.flat.items():
            for subnet in self.ipams.get(ipam, {}).values():
                yield pair, subnet
        for subnet in plan.own.values():
            yield subnet.uuid, subnet

    def find(self, network: str, address: str) -> Subnet | None:
        """The subnet that an address of the network is in."""
        wanted = _parse(address)
        return next((subnet for _, subnet in self.subnets(network) if subnet.holds(wanted)), None)

    def allocate(self, network: str, asked: Request) -> tuple[str, str]:
        """(address, subnet uuid) for an object of this network; Refusal if there is none."""
        candidates = list(self._candidates(network, asked))
        if asked.subnet_uuid:
            candidates = [(uuid, subnet) for uuid, subnet in candidates if uuid == asked.subnet_uuid]
            if not candidates:
                raise Refusal(400, f"{_network(asked)} has invalid subnet({asked.subnet_uuid})")
        return self._take(candidates, asked)

    def allocate_from(self, ipam: str, asked: Request) -> tuple[str, str]:
        """(address, '') straight from a flat IPAM, without a network; Refusal if there is none."""
        return self._take([("", subnet) for subnet in self.ipams.get(ipam, {}).values()], asked)

    def free(self, network: str | None, ipam: str | None, address: str, owner: str) -> None:
        """Take an address back from its owner; nothing happens if it is not the owner's."""
        if not address:
            return
        found = [subnet for _, subnet in self.subnets(network)] if network else []
        found += self.ipams.get(ipam, {}).values() if ipam else ()
        for subnet in found:
            if subnet.holds(_parse(address)):
                subnet.free(address, owner)

    def _candidates(self, network: str, asked: Request) -> Iterator[tuple[str, Subnet]]:
        plan = self.plan(network)
        for kind in _FLAT_FIRST if asked.subnet_uuid or asked.address else _ORDER[asked.mode]:
            if kind == "user":
                yield from ((subnet.uuid, subnet) for subnet in plan.own.values())
                continue
            for ipam, pair in plan.flat.items():
                yield from ((pair, subnet) for subnet in self.ipams.get(ipam, {}).values())

    def _take(self, candidates: Sequence[tuple[str, Subnet]], asked: Request) -> tuple[str, str]:
        wanted = _parse(asked.address) if asked.address else None
        version = _FAMILIES.get(asked.family)
        for uuid, subnet in candidates:
            if wanted is not None:
                if subnet.holds(wanted):
                    subnet.take(wanted, asked.owner)
                    return asked.address, uuid
            elif version in (None, subnet.cidr.version) and (address := subnet.allocate(asked.owner)):
                return address, uuid
        raise Refusal(asked.status, f"{_network(asked)} has exhausted subnet([])")


def _parse(address: str) -> Address:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        raise failed("</pre>") from None  # the original's traceback, as a page of HTML, ends so


def _network(asked: Request) -> str:
    return f"Virtual-Network({list(asked.name)})"
