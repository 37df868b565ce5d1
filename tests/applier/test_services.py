"""A service from the store to a simulated Contrail: its floating-ip, its members, and what changes cost."""

from __future__ import annotations

from typing import Any

import pytest

from simulators.contrail.server import ContrailSimulator
from tests.applier.kubernetes import KubernetesInStore, uid_of
from tests.applier.running import applying, until_applied

pytestmark = pytest.mark.postgres
SERVICE = uid_of("shop", "service web")
PODS = ("web-0", "web-1", "web-2")


def floating(contrail: ContrailSimulator) -> dict[str, Any]:
    """The only floating-ip."""
    (found,) = contrail.objects("floating-ip")
    return found


def members(contrail: ContrailSimulator) -> list[str]:
    """Pods behind it."""
    refs = floating(contrail).get("virtual_machine_interface_refs") or ()
    return sorted(ref["to"][-1].partition("__")[0] for ref in refs)


def test_a_service_of_three_pods_follows_them_and_its_ports(store_engine: Any, contrail: ContrailSimulator) -> None:
    kubernetes = KubernetesInStore(store_engine)
    kubernetes.start("default", "shop")
    for name in PODS:
        kubernetes.pod("shop", name)
    kubernetes.service("shop", "web", *PODS, uid=SERVICE, address="10.96.0.7")
    with applying(kubernetes.desired, contrail):
        until_applied(kubernetes.desired)
        assert members(contrail) == list(PODS)
        assert floating(contrail)["floating_ip_address"] == "10.96.0.7"
        before = dict(contrail.counters)
        gone = kubernetes.service("shop", "web", *PODS, uid=SERVICE, address="10.96.0.7")[-1]
        kubernetes.desired.remove(gone)
        until_applied(kubernetes.desired)
        assert len(members(contrail)) == 2
        after = {key: n - before.get(key, 0) for key, n in contrail.counters.items() if n > before.get(key, 0)}
        assert [key for key in after if key[0] != "GET"] == [("POST", "ref-update")]
        kubernetes.service("shop", "web", *PODS, uid=SERVICE, address="10.96.0.7", port=81)
        until_applied(kubernetes.desired)
    assert floating(contrail)["floating_ip_port_mappings"]["port_mappings"][0]["src_port"] == 81
    assert members(contrail) == list(PODS)
