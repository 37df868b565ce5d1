"""Interfaces in real namespaces: made whole, compared, removed, and never half-left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pyroute2 import IPRoute

from cni.interface import Interface, interface_of
from cni.netlink import Label, Netlink
from cni.requests import Attachment
from schemas.errors import PlugError, RequestRefused
from tests.cni.rows import UID, row, six, uid_of
from tests.rigs.netns import inside, links, namespace

pytestmark = pytest.mark.netns

INTERFACE = interface_of((row(), six(row())), "eth0", 1400)
LABEL = Label("contrail-k8s-cni", Attachment("c1", "eth0"))
KERNEL = Netlink()


@pytest.fixture
def host(netns_suite: None) -> Iterator[str]:
    with namespace("host") as path:
        yield path


@pytest.fixture
def pod(netns_suite: None) -> Iterator[str]:
    with namespace("pod") as path:
        yield path


def _plug(host: str, pod: str, interface: Interface = INTERFACE) -> str:
    return inside(host, lambda: KERNEL.plug(interface, pod, LABEL))


def _faults(host: str, pod: str, interface: Interface = INTERFACE) -> tuple[str, ...]:
    return inside(host, lambda: KERNEL.faults(interface, pod))


def _in(path: str, change: object) -> None:
    def work() -> None:
        with IPRoute() as route:
            assert callable(change)
            change(route)

    inside(path, work)


def _index(route: IPRoute, name: str) -> int:
    return int(route.link_lookup(ifname=name)[0])


def test_both_ends_are_as_the_row_says(host: str, pod: str) -> None:
    tap_mac = _plug(host, pod)
    assert links(host) == {"lo", INTERFACE.tap} and links(pod) == {"lo", "eth0"}
    assert _faults(host, pod) == ()
    assert inside(host, KERNEL.taps) == {INTERFACE.tap: LABEL}

    def look(route: IPRoute) -> None:
        (link,) = route.link("get", ifname="eth0")
        assert link.get_attr("IFLA_ADDRESS") == row().mac and link.get_attr("IFLA_MTU") == 1400
        assert link.get_attr("IFLA_OPERSTATE") == "UP"
        (lo,) = route.link("get", ifname="lo")
        assert lo["flags"] & 1

    _in(pod, look)
    _in(host, lambda route: _same(route.link("get", ifname=INTERFACE.tap)[0].get_attr("IFLA_ADDRESS"), tap_mac))
    accept = inside(host, lambda: Path(f"/proc/sys/net/ipv6/conf/{INTERFACE.tap}/accept_ra").read_text())
    assert accept.strip() == "0"


def _same(one: object, other: object) -> None:
    assert one == other


def test_unplug_removes_both_ends_and_is_content_without_any(host: str, pod: str) -> None:
    _plug(host, pod)
    assert inside(host, lambda: KERNEL.unplug(INTERFACE.tap)) is True
    assert inside(host, lambda: KERNEL.unplug(INTERFACE.tap)) is False
    assert links(host) == {"lo"} and links(pod) == {"lo"}
    assert _faults(host, pod) == (f"{INTERFACE.tap} is missing on the node",)


def test_case_88_every_tampering_is_seen(host: str, pod: str) -> None:
    _plug(host, pod)
    other = "02:00:00:00:00:01"
    _in(pod, lambda route: route.link("set", index=_index(route, "eth0"), address=other, mtu=1300))
    faults = _faults(host, pod)
    assert f"eth0 has MAC {other} instead of {row().mac}" in faults
    assert "eth0 has MTU 1300 instead of 1400" in faults
    _in(pod, lambda route: route.flush_addr(index=_index(route, "eth0")))
    faults = _faults(host, pod)
    assert "eth0 lacks address 10.47.255.250/12" in faults
    assert "eth0 lacks the default route over 10.47.255.254" in faults
    _in(pod, lambda route: route.link("set", index=_index(route, "eth0"), state="down"))
    _in(host, lambda route: route.link("set", index=_index(route, INTERFACE.tap), state="down"))
    faults = _faults(host, pod)
    assert "eth0 is down" in faults and f"{INTERFACE.tap} is down" in faults


def test_an_interface_of_the_same_name_in_the_pod_is_not_touched(host: str, pod: str) -> None:
    _in(pod, lambda route: route.link("add", ifname="eth0", kind="veth", peer="other"))
    with pytest.raises(PlugError, match="already there"):
        _plug(host, pod)
    assert links(host) == {"lo"} and links(pod) == {"lo", "eth0", "other"}


def test_a_step_that_fails_late_leaves_nothing(host: str, pod: str) -> None:
    # The pair is made by then, and the kernel takes no address twice.
    with pytest.raises(PlugError):
        _plug(host, pod, replace(INTERFACE, addresses=INTERFACE.addresses * 2))
    assert links(host) == {"lo"} and links(pod) == {"lo"}


@pytest.mark.parametrize(
    ("address", "prefix_len", "gateway"),
    [
        ("10.47.255.250", 32, "10.47.255.254"),
        ("10.47.255.250", 24, "192.0.2.1"),
        ("169.254.7.7", 32, "169.254.1.1"),
    ],
)
def test_a_gateway_outside_of_the_subnet_is_reached_on_link(
    host: str, pod: str, address: str, prefix_len: int, gateway: str
) -> None:
    interface = interface_of((row(address=address, prefix_len=prefix_len, gateway=gateway),), "eth0", 1500)
    _plug(host, pod, interface)
    assert _faults(host, pod, interface) == ()


def test_a_link_local_ipv6_gateway_is_taken(host: str, pod: str) -> None:
    interface = interface_of((replace(six(row()), gateway="fe80::1"),), "eth0", 1500)
    _plug(host, pod, interface)
    assert _faults(host, pod, interface) == ()


def test_two_pods_of_one_node_do_not_meet(host: str, pod: str) -> None:
    with namespace("pod") as second:
        other = interface_of((row("web-1", uid_of(2), "10.47.255.249"),), "eth0", 1500)
        _plug(host, pod)
        _plug(host, second, other)
        assert links(host) == {"lo", INTERFACE.tap, other.tap}


@pytest.mark.parametrize("path", ["/run/netns/no-such", "/etc/hostname", "/proc/self/ns/uts", "/"])
def test_case_80_what_is_no_network_namespace_is_refused(host: str, path: str) -> None:
    with pytest.raises(RequestRefused, match="CNI_NETNS") as refused:
        _plug(host, path)
    assert refused.value.code == 4 and links(host) == {"lo"}


def test_the_nodes_own_namespace_is_refused(host: str) -> None:
    with pytest.raises(RequestRefused, match="the node's own"):
        _plug(host, host)
    assert links(host) == {"lo"}


def test_a_namespace_that_goes_takes_the_tap_along(host: str) -> None:
    with namespace("pod") as gone:
        _plug(host, gone)
    assert inside(host, lambda: KERNEL.unplug(INTERFACE.tap)) in (True, False)
    assert links(host) == {"lo"}


def test_labels_fit_the_kernels_255_bytes_and_read_back(host: str, pod: str) -> None:
    longest = Label("n" * 20, Attachment("c" * 200, "sixteen-letters"))
    inside(host, lambda: KERNEL.plug(INTERFACE, pod, longest))
    assert inside(host, KERNEL.taps) == {INTERFACE.tap: longest}


def test_a_foreign_alias_is_no_label() -> None:
    for alias in (None, "", "uplink", "contrail-kube/a/b", "other/a/b/c"):
        assert Label.parse(alias) is None
    assert Label.parse(str(LABEL)) == LABEL
    assert INTERFACE.pod_uid == UID
