"""Load-balancer objects from the store to a simulated Contrail: their order, and what svc-monitor holds back."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from msgspec.structs import replace

from simulators.contrail.server import ContrailSimulator
from tests.applier.kubernetes import KubernetesInStore, uid_of
from tests.applier.running import applying, until, until_applied

pytestmark = pytest.mark.postgres
SERVICE = uid_of("shop", "service web")
KINDS = ("loadbalancer", "loadbalancer-listener", "loadbalancer-pool", "loadbalancer-member")


def counts(contrail: ContrailSimulator) -> list[int]:
    """How many there are of each kind."""
    return [len(contrail.objects(kind)) for kind in KINDS]


def test_an_ingress_comes_with_its_address_and_goes_again(store_engine: Any, contrail: ContrailSimulator) -> None:
    kubernetes = KubernetesInStore(store_engine)
    kubernetes.start("default", "shop")
    kubernetes.service("shop", "web", uid=SERVICE, address="10.96.0.7")
    with applying(kubernetes.desired, contrail):
        made = kubernetes.ingress("shop", "front", "web")
        until_applied(kubernetes.desired)
        assert counts(contrail) == [1, 1, 1, 1]
        (address,) = [each for each in made if each.type == "instance-ip"]
        observed = kubernetes.desired.observed()[address.uuid]
        (live,) = [each for each in contrail.objects("instance-ip") if each["uuid"] == address.uuid]
        assert observed["address"] == live["instance_ip_address"]
        (balancer,) = contrail.objects("loadbalancer")
        on = [ref["uuid"] for ref in live["virtual_machine_interface_refs"]]
        assert on == [ref["uuid"] for ref in balancer["virtual_machine_interface_refs"]]
        kubernetes.desired.remove(*made)
        until_applied(kubernetes.desired)
    assert counts(contrail) == [0, 0, 0, 0]
    assert not [each for each in contrail.objects("virtual-machine-interface") if "Ingress" in each["fq_name"][-1]]


def test_a_service_away_from_balancers_waits_until_svc_monitor_has_let_go(
    store_engine: Any, contrail: ContrailSimulator
) -> None:
    kubernetes = KubernetesInStore(store_engine)
    kubernetes.settings = replace(kubernetes.settings, service_load_balancer="loadbalancer")
    kubernetes.start("default", "shop")
    kubernetes.pod("shop", "web-0")
    old = kubernetes.service("shop", "web", "web-0", uid=SERVICE, address="10.96.0.7")
    with applying(kubernetes.desired, contrail):
        until_applied(kubernetes.desired)
        assert counts(contrail) == [1, 1, 1, 1] and contrail.objects("floating-ip") == []
        (address,) = [each for each in old if each.type == "instance-ip"]
        theirs = {"fq_name": [*address.fq_name, "theirs"], "parent_type": "instance-ip"}
        body = {"floating-ip": {**theirs, "floating_ip_address": "10.96.0.7"}}
        made = requests.post(f"{contrail.url}/floating-ips", json=body, timeout=5).json()["floating-ip"]
        kubernetes.settings = replace(kubernetes.settings, service_load_balancer="floating-ip")
        kubernetes.desired.remove(*old)
        kubernetes.service("shop", "web", "web-0", uid=SERVICE, address="10.96.0.7")
        until(lambda: counts(contrail) == [0, 0, 0, 0])
        waits = f"instance-ip {':'.join(address.fq_name)}: blocked"
        until(lambda: any(each.startswith(waits) and made["uuid"] in each for each in kubernetes.desired.unfinished()))
        requests.delete(f"{contrail.url}/floating-ip/{made['uuid']}", timeout=5).raise_for_status()
        until_applied(kubernetes.desired)
    (ours,) = contrail.objects("floating-ip")
    assert ours["floating_ip_address"] == "10.96.0.7" and len(ours["virtual_machine_interface_refs"]) == 1
