"""Rows become an interface, or are refused by column."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni.interface import interface_of, result_of, tap_name
from schemas.errors import RequestRefused
from tests.cni.rows import UID, row, six


def test_a_row_becomes_an_interface() -> None:
    interface = interface_of((row(),), "eth0", 1500)
    assert interface.tap == tap_name(UID, "eth0") and len(interface.tap) == 14
    (address,) = interface.addresses
    assert (str(address.ip), str(address.gateway), address.dns) == (
        "10.47.255.250/12",
        "10.47.255.254",
        "10.47.255.253",
    )


def test_a_nested_interface_has_a_tag_and_another_name_on_the_node() -> None:
    interface = interface_of((row(vlan=4094),), "eth0", 1500)
    assert interface.vlan == 4094 and interface.tap == tap_name(UID, "eth0", nested=True)
    assert interface.tap.startswith("vlan") and len(interface.tap) == 15
    assert interface.port == "VLAN 4094"


@pytest.mark.parametrize("vlan", [0, 4095, -1])
def test_a_tag_that_no_sub_interface_can_have_is_refused(vlan: int) -> None:
    with pytest.raises(RequestRefused, match=f"vlan {vlan} is no tag of a sub-interface"):
        interface_of((row(vlan=vlan),), "eth0", 1500)


def test_families_of_one_interface_with_two_tags_are_refused() -> None:
    with pytest.raises(RequestRefused, match="vlan differs between the families"):
        interface_of((row(vlan=7), six(row(vlan=8))), "eth0", 1500)


@given(st.uuids(), st.uuids(), st.sampled_from(["eth0", "net1", "a-long-ifname-x"]))
def test_tap_names_fit_the_kernel_and_differ(one: Any, other: Any, ifname: str) -> None:
    assert len(tap_name(str(one), ifname)) <= 15
    assert (tap_name(str(one), ifname) == tap_name(str(other), ifname)) == (one == other)
    assert tap_name(str(one), "eth0") != tap_name(str(one), "eth1")


def test_families_are_in_order_and_each_has_its_default_route() -> None:
    interface = interface_of((six(row()), row()), "eth0", 1500)
    result = result_of([(interface, "fe:00:00:00:00:01")], "/run/netns/x")
    assert [ip["address"] for ip in result["ips"]] == ["10.47.255.250/12", "fd00:10:32::fffc/64"]
    assert [route["dst"] for route in result["routes"]] == ["0.0.0.0/0", "::/0"]
    assert result["dns"] == {"nameservers": ["10.47.255.253", "fd00:10:32::ffff:fffd"]}


@pytest.mark.parametrize("none", [None, "", "0.0.0.0"])
def test_a_subnet_without_gateway_gives_no_route(none: str | None) -> None:
    result = result_of([(interface_of((row(gateway=none, dns=none),), "eth0", 1500), "fe:00:00:00:00:01")], "/x")
    assert result["routes"] == [] and result["dns"] == {} and "gateway" not in result["ips"][0]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("address", "10.47.255"),
        ("address", None),
        ("address", "10.32.0.0"),
        ("address", "10.47.255.255"),
        ("address", "224.0.0.1"),
        ("address", "127.0.0.1"),
        ("address", "fd00::1"),
        ("prefix_len", None),
        ("prefix_len", 0),
        ("prefix_len", 33),
        ("gateway", "nonsense"),
        ("gateway", "fd00::1"),
        ("gateway", "10.47.255.250"),
        ("gateway", "224.0.0.1"),
        ("dns", "ns.example.org"),
        ("mac", ""),
        ("mac", "02:7a:3f:11:22"),
        ("mac", "03:7a:3f:11:22:33"),
        ("mac", "00:00:00:00:00:00"),
        ("interface_uuid", "../../etc/passwd"),
        ("machine_uuid", "0C2B5D0E-5A3B-4A25-8F61-2F6A1C1A0001"),
        ("machine_name", ".."),
        ("machine_name", "a/b"),
        ("network_uuid", ""),
        ("pod_uid", ""),
    ],
)
def test_case_91_a_malformed_column_is_refused_by_name(column: str, value: Any) -> None:
    changes: dict[str, Any] = {column: value}
    with pytest.raises(RequestRefused) as refused:
        interface_of((row(**changes),), "eth0", 1500)
    assert refused.value.code == 7
    named = "address" if column == "prefix_len" and value != 0 else column
    assert (named in str(refused.value)) or (value == "fd00::1" and "family" in str(refused.value))


def test_case_91_an_mtu_too_small_for_ipv6_is_refused() -> None:
    with pytest.raises(RequestRefused, match="mtu"):
        interface_of((row(), six(row())), "eth0", 1279)


def test_rows_of_two_interfaces_are_not_mixed() -> None:
    with pytest.raises(RequestRefused, match="mac differs"):
        interface_of((row(), six(row(mac="02:00:00:00:00:09"))), "eth0", 1500)


def test_a_point_to_point_prefix_has_no_edges() -> None:
    assert interface_of((row(address="10.47.255.250", prefix_len=31),), "eth0", 1500)
    assert interface_of((row(address="10.47.255.250", prefix_len=32),), "eth0", 1500)
