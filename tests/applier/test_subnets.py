"""Which subnet an address belongs to, and what is told of it."""

from __future__ import annotations

from typing import Any

from applier.observe import observation
from applier.rows import label
from applier.subnets import choose, subnets_of


def entry(prefix: str, length: int, **more: Any) -> dict[str, Any]:
    return {"subnet": {"ip_prefix": prefix, "ip_prefix_len": length}, **more}


PODS = entry("10.32.0.0", 12, default_gateway="10.47.255.254", dns_server_address="10.47.255.253")
SIX = entry("fd00::", 64, subnet_uuid="six", default_gateway="fd00::1")


def test_subnets_of_a_flat_ipam_have_the_uuid_that_the_network_gives_them() -> None:
    (found,) = subnets_of([PODS], "flat")
    assert (found.uuid, str(found.cidr), found.gateway, found.dns) == (
        "flat",
        "10.32.0.0/12",
        "10.47.255.254",
        "10.47.255.253",
    )


def test_entries_without_a_subnet_are_only_names() -> None:
    assert subnets_of([{"subnet_uuid": "flat"}]) == []


def test_the_address_decides_and_the_uuid_where_two_fit() -> None:
    wide, narrow = subnets_of([entry("10.0.0.0", 8, subnet_uuid="a"), entry("10.32.0.0", 12, subnet_uuid="b")])
    assert choose([wide, narrow], "10.32.0.1", "b") is narrow
    assert choose([wide, narrow], "10.99.0.1", "b") is wide
    assert choose([wide, narrow], "192.0.2.1", "a") is None


def test_families_do_not_mix() -> None:
    found = subnets_of([PODS, SIX])
    six = choose(found, "fd00::5", None)
    assert six is not None and six.uuid == "six"


def test_observation_says_all_that_an_interface_needs() -> None:
    (pods,) = subnets_of([PODS], "flat")
    assert observation("10.47.255.252", pods) == {
        "address": "10.47.255.252",
        "prefix_len": 12,
        "gateway": "10.47.255.254",
        "dns": "10.47.255.253",
        "subnet_uuid": "flat",
        "family": 4,
    }
    (six,) = subnets_of([SIX])
    found = observation("fd00::5", six)
    assert (found["family"], found["prefix_len"], found["dns"]) == (6, 64, None)


def test_labels_are_for_people() -> None:
    assert label("virtual-network", "default-domain:p:vn") == "virtual-network default-domain:p:vn"
    name = "virtual-router:default-global-system-config:node-1:virtual-machine:0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0001"
    assert label("link", name) == (
        "link from virtual-router default-global-system-config:node-1 "
        "to virtual-machine 0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0001"
    )
