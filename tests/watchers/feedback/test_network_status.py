"""The annotation network-status in the standard's form."""

from __future__ import annotations

import json

from watchers.feedback.network_status import Interface, network_status

ETH0 = Interface(
    "eth0", "", "default-domain:k8s-default:pods", "02:00:00:00:00:01", ("10.32.0.4", "fd00::4"), ("10.32.0.2",)
)
WAN0 = Interface("wan0", "shop/blue", "default-domain:k8s-shop:blue", "02:00:00:00:00:02", ("10.1.0.4",))


def test_the_first_interface_is_the_default_and_named_by_its_network() -> None:
    assert json.loads(network_status((WAN0, ETH0)) or "") == [
        {
            "name": "default-domain:k8s-default:pods",
            "interface": "eth0",
            "ips": ["10.32.0.4", "fd00::4"],
            "mac": "02:00:00:00:00:01",
            "default": True,
            "dns": {"nameservers": ["10.32.0.2"]},
        },
        {"name": "shop/blue", "interface": "wan0", "ips": ["10.1.0.4"], "mac": "02:00:00:00:00:02", "dns": {}},
    ]


def test_interfaces_are_in_one_order_whatever_the_store_gives() -> None:
    nets = [Interface(f"net{n}", f"shop/n{n}", "n", "m", ("10.1.0.4",)) for n in (2, 10, 1)]
    text = network_status([*nets, ETH0])
    assert text == network_status([ETH0, *reversed(nets)])
    assert [each["interface"] for each in json.loads(text or "")] == ["eth0", "net1", "net2", "net10"]


def test_nothing_is_said_before_every_address_is_known() -> None:
    missing = Interface("net1", "shop/blue", "n", "m", ("10.1.0.4", None))
    assert network_status([ETH0, missing]) is None
    assert network_status([Interface("eth0", "", "n", "m", ())]) is None
    assert network_status([]) is None
