"""Addresses come from the end of a subnet that the original begins at, and come back when they are freed."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.contrail.allocation import Subnet, is_too_small, overlapping


def subnet(cidr: str, **options: object) -> Subnet:
    return Subnet(ipaddress.ip_network(cidr), uuid="u", **options)  # type: ignore[arg-type]


def take(subnet: Subnet, count: int) -> list[str | None]:
    return [subnet.allocate(f"o{number}") for number in range(count)]


def test_first_address_lies_below_gateway_and_dns() -> None:
    pods = subnet("10.32.0.0/12")
    assert (pods.gateway, pods.dns) == ("10.47.255.254", "10.47.255.253")
    assert take(pods, 2) == ["10.47.255.252", "10.47.255.251"]


def test_ipv6_goes_downward_too() -> None:
    assert take(subnet("fd00:10:32::/64"), 1) == ["fd00:10:32:0:ffff:ffff:ffff:fffc"]


def test_from_start_goes_upward() -> None:
    pods = subnet("10.95.0.0/29", from_start=True)
    assert (pods.gateway, pods.dns) == ("10.95.0.1", "10.95.0.2")
    assert take(pods, 5) == ["10.95.0.3", "10.95.0.4", "10.95.0.5", "10.95.0.6", None]


def test_pools_limit_what_is_given_out() -> None:
    pods = subnet("10.97.0.0/24", from_start=True, pools=[("10.97.0.10", "10.97.0.11"), ("10.97.0.20", "10.97.0.20")])
    assert take(pods, 4) == ["10.97.0.10", "10.97.0.11", "10.97.0.20", None]
    pods.free("10.97.0.11", "o1")
    assert pods.allocate("again") == "10.97.0.11"


def test_highest_free_address_comes_first() -> None:
    pods = subnet("10.96.0.0/29")
    take(pods, 4)
    pods.free("10.96.0.2", "o2")
    pods.free("10.96.0.4", "o0")
    assert [pods.allocate("a"), pods.allocate("b"), pods.allocate("c")] == ["10.96.0.4", "10.96.0.2", None]


def test_only_the_owner_frees() -> None:
    pods = subnet("10.96.0.0/29")
    take(pods, 1)
    pods.free("10.96.0.4", "somebody else")
    assert pods.is_taken("10.96.0.4")


@pytest.mark.parametrize("address", ["10.96.0.0", "10.96.0.5", "10.96.0.6", "10.96.0.7"])
def test_reserved_addresses_are_taken(address: str) -> None:
    assert subnet("10.96.0.0/29").is_taken(address)


def test_two_addresses_are_too_few() -> None:
    assert is_too_small(ipaddress.ip_network("10.94.0.0/31"))
    assert not is_too_small(ipaddress.ip_network("10.94.0.0/30"))


def test_overlapping_names_both() -> None:
    first, inside, apart = (ipaddress.ip_network(c) for c in ("10.32.0.0/12", "10.33.0.0/16", "10.64.0.0/12"))
    assert overlapping([apart, first, inside]) == [first, inside]
    assert overlapping([apart, first, ipaddress.ip_network("fd00::/64")]) == []


@given(st.lists(st.one_of(st.none(), st.integers(0, 12), st.integers(1, 13).map(str)), max_size=60), st.booleans())
def test_gives_the_next_free_address_whatever_came_before(steps: list[int | str | None], from_start: bool) -> None:
    """None allocates, a number frees that allocation, a text takes that very address."""
    pods = subnet("10.0.0.0/28", from_start=from_start)
    free = {str(host) for host in pods.cidr.hosts()} - {pods.gateway, pods.dns}
    held: dict[str, str] = {}
    for number, step in enumerate(steps):
        owner = f"o{number}"
        if isinstance(step, int):
            if step < len(held):
                address = sorted(held)[step]
                pods.free(address, held.pop(address))
                free.add(address)
            continue
        if isinstance(step, str):
            address = f"10.0.0.{step}"
            if not pods.is_taken(address):
                pods.take(ipaddress.ip_address(address), owner)
                held[address] = owner
                free.discard(address)
            continue
        got = pods.allocate(owner)
        best = (min if from_start else max)(free, key=lambda a: int(ipaddress.ip_address(a)), default=None)
        assert got == best
        if got is not None:
            free.discard(got)
            held[got] = owner
    assert pods.count == len(held)
