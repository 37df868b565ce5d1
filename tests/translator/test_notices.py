"""What users are told of services and pods that do not get all that they ask for."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.translator.facts import SETTINGS, attachment, namespace, pod, service
from tests.translator.states import History, check, check_leavers

DUAL = msgspec.structs.replace(SETTINGS, service_subnets=("10.96.0.0/12", "fd00:96::/112"))
PUBLIC = msgspec.structs.replace(SETTINGS, public_pool="default-domain:admin:public:pool")
NETWORKS = "k8s.v1.cni.cncf.io/networks"


def told(*events: Any, settings: Any = SETTINGS) -> dict[str, str]:
    """Messages by reason, of the last of these events."""
    history = History(settings)
    history.become((namespace(), *events))
    assert history.errors() == []
    about = str(events[-1].key)
    return {reason: message for (whose, reason), message in history.notices().items() if whose == about}


def balancer(**fields: Any) -> Any:
    return service("web", **{"type": "LoadBalancer", "cluster_ips": ("10.96.0.9",), **fields})


def test_a_load_balancer_without_a_pool_says_what_is_lacking() -> None:
    assert "opencontrail.org/fip-pool" in told(balancer())["NoPublicPool"]
    assert (
        "10.0.0.7, 10.0.0.8"
        in told(service("web", cluster_ips=("10.96.0.9",), external_ips=("10.0.0.7", "10.0.0.8")))["NoPublicPool"]
    )
    assert told(balancer(), settings=PUBLIC) == {}
    assert told(service("web", cluster_ips=("10.96.0.9",))) == {}


def test_a_load_balancer_of_another_class_is_left_to_that_one() -> None:
    assert "'metallb'" in told(balancer(load_balancer_class="metallb"), settings=PUBLIC)["OtherLoadBalancerClass"]
    assert told(balancer(load_balancer_class="opencontrail.org/floating-ip-pool"), settings=PUBLIC) == {}


def test_a_load_balancer_that_is_not_open_to_all_says_that_it_gets_nothing() -> None:
    limited = {"load_balancer_source_ranges": ("192.0.2.0/24",)}
    ranges = told(balancer(**limited, external_ips=("203.0.113.9",)), settings=PUBLIC)
    assert "192.0.2.0/24" in ranges["SourceRangesNotServed"]
    assert told(balancer(**limited), settings=PUBLIC) == {}
    assert told(balancer(load_balancer_source_ranges=("0.0.0.0/0",)), settings=PUBLIC) == {}


def test_addresses_of_a_family_that_the_cluster_does_not_serve_are_named() -> None:
    both = balancer(cluster_ips=("10.96.0.9", "fd00:96::9"))
    assert "fd00:96::9" in told(both, settings=PUBLIC)["AddressNotServed"]
    assert told(both, settings=msgspec.structs.replace(DUAL, public_pool=PUBLIC.public_pool)) == {}
    only = balancer(cluster_ips=("fd00:96::9",))
    assert "IPv4 only" in told(only, settings=DUAL)["FamilyNotServed"]


def test_a_public_address_of_a_family_that_the_service_lacks_is_named_and_not_given() -> None:
    mixed = balancer(load_balancer_ip="2001:db8::7", external_ips=("203.0.113.9",))
    assert "2001:db8::7" in told(mixed, settings=PUBLIC)["FamilyNotServed"]
    assert told(balancer(external_ips=("203.0.113.9",)), settings=PUBLIC) == {}
    only = balancer(cluster_ips=("fd00:96::9",), load_balancer_ip="203.0.113.9")
    assert "203.0.113.9" in told(only, settings=DUAL)["FamilyNotServed"]


def test_a_pod_is_told_of_attachments_that_are_not_there() -> None:
    web = pod("web-0", annotations={NETWORKS: "blue, infra/red@wan0"})
    blue = attachment("blue", cidr="10.1.0.0/24")
    missing = told(web)["AttachmentMissing"]
    assert "shop/blue" in missing and "interface net1" in missing and "infra/red" in missing and "wan0" in missing
    assert "shop/blue" not in told(blue, web)["AttachmentMissing"]
    check((namespace(), web), (namespace(), blue, web), follow=False)
    check_leavers((namespace(), blue, web), follow=False)


def test_a_pod_that_asks_for_no_attachment_is_told_nothing() -> None:
    assert told(pod("web-0", annotations={"kubernetes.io/egress-bandwidth": "1M"})) == {}
    assert told(pod("web-0")) == {}


@pytest.mark.parametrize("ended", [{"phase": "Succeeded"}, {"host_network": True}])
def test_a_pod_without_an_interface_of_ours_is_told_nothing(ended: dict[str, Any]) -> None:
    assert told(pod("web-0", annotations={NETWORKS: "blue"}, **ended)) == {}
