"""Blocks of addresses in policies: outside, and where they cover pods, in both directions and both families."""

from __future__ import annotations

import msgspec
import pytest

from schemas.records import PodRecord, PolicyPeer
from tests.policy.building import DB, OUT, OUT6, WEB, block, into_db, out_of_web, pods, policy, rule, shop
from tests.policy.cluster import Cluster
from tests.policy.holding import means
from tests.translator.facts import SETTINGS


def test_ip_blocks_and_what_they_leave_out() -> None:
    """`except` was a deny rule in the original, before everything else that a policy allowed."""
    cluster = into_db(block("203.0.0.0/16", "203.0.113.0/29", "203.0.113.128/25"))
    yes = ["203.0.1.1 > shop/db:1", "203.0.113.8 > shop/db:1"]
    means(cluster, yes=yes, no=[f"{OUT} > shop/db:1", "203.0.113.200 > shop/db:1", "shop/web > shop/db:1"])
    both = policy(cluster, "shop/more", DB, ingress=(rule(block("203.0.113.7/32")),))
    means(both, yes=[f"{OUT} > shop/db:1"], no=["203.0.113.6 > shop/db:1"])


def test_ip_blocks_of_both_families() -> None:
    """An address group's name held the colons of an IPv6 prefix in the original, and was refused."""
    cluster = into_db(block("2001:db8::/32", "2001:db8:1::/48"))
    means(cluster, yes=[f"{OUT6} >6 shop/db:1"], no=[f"{OUT} > shop/db:1", "2001:db8:1::1 >6 shop/db:1"])
    means(into_db(block("0.0.0.0/0")), yes=[f"{OUT} > shop/db:1"], no=[f"{OUT6} >6 shop/db:1"])
    means(into_db(block("::/0")), no=[f"{OUT} > shop/db:1", "shop/web > shop/db:1"], yes=["shop/web >6 shop/db:1"])


def test_ip_blocks_that_cover_pods() -> None:
    everyone = into_db(block("0.0.0.0/0"))
    means(everyone, yes=["shop/web > shop/db:1", "other/web > shop/db:1"], no=["shop/web >6 shop/db:1"])


def some_of_the_pods(cluster: Cluster) -> Cluster:
    """Blocks in both directions that cover some of the pods of one namespace."""
    return out_of_web(block("10.32.0.2/31"), cluster=into_db(block("10.32.0.0/30", "10.32.0.3/32"), cluster=cluster))


def test_ip_blocks_in_both_directions_that_cover_some_of_the_pods() -> None:
    no = ["shop/tool > shop/db:1", "shop/web > other/db:1"]
    means(some_of_the_pods(shop(SETTINGS)), yes=["shop/web > shop/db:1", "shop/web > shop/tool:1"], no=no)


def test_ip_blocks_of_one_family_between_pods_of_two() -> None:
    no = ["shop/tool > shop/db:1", "shop/web > other/db:1", "shop/web >6 shop/db:1"]
    means(some_of_the_pods(shop()), yes=["shop/web > shop/db:1", "shop/web > shop/tool:1"], no=no)


def elsewhere(cluster: Cluster, place: str, address: str) -> Cluster:
    """The pod is in a network of somebody else's, and has an address of it."""
    space, name = place.split("/")
    record = cluster.resources["Pod", space, name]
    assert isinstance(record, PodRecord)
    network = '{"domain": "default-domain", "project": "tenants", "name": "blue"}'
    held = msgspec.structs.replace(record, pod_ips=(address,), annotations={"opencontrail.org/network": network})
    return cluster.with_("Pod", space, name, held)


@pytest.mark.parametrize("there", [("shop/web",), ("shop/web", "shop/db")], ids=["one", "both"])
@pytest.mark.parametrize(
    "wanted",
    [
        block("172.16.0.0/16"),
        block("172.16.0.2/32"),
        block("0.0.0.0/0", "172.16.0.2/32"),
        block("0.0.0.0/0"),
        block("203.0.113.0/24"),
    ],
    ids=["its network", "its address", "but its address", "everybody", "outside"],
)
def test_ip_blocks_and_pods_in_a_network_that_they_name(wanted: PolicyPeer, there: tuple[str, ...]) -> None:
    """A pod may name a network of its own (annotation): its address is in none of the cluster's subnets."""
    cluster = shop(SETTINGS)
    for number, place in enumerate(there, 2):
        cluster = elsewhere(cluster, place, f"172.16.0.{number}")
    means(out_of_web(cluster=into_db(wanted, cluster=cluster)))
    means(out_of_web(wanted, cluster=into_db(pods(WEB), cluster=cluster)))


def at(cluster: Cluster, prefix: str) -> Cluster:
    """All pods of the shop at addresses that begin so, in the order in which they came."""
    for number, ((space, name), record) in enumerate(cluster.of("Pod").items(), 1):
        assert isinstance(record, PodRecord)
        if space == "shop":
            there = msgspec.structs.replace(record, pod_ips=(f"{prefix}{number}",))
            cluster = cluster.with_("Pod", space, name, there)
    return cluster


@pytest.mark.parametrize("kind", ["underlay", "network of the namespace"])
def test_ip_blocks_and_pods_in_another_network_of_their_namespace(kind: str) -> None:
    network = '{"domain": "default-domain", "project": "tenants", "name": "blue"}'
    if kind == "underlay":
        start, cluster = "10.64.0.", shop(msgspec.structs.replace(SETTINGS, ip_fabric_forwarding=True))
    else:
        start, cluster = "172.16.0.", shop(SETTINGS)
        space = cluster.resources["Namespace", "", "shop"]
        there = msgspec.structs.replace(space, annotations={"opencontrail.org/network": network})
        cluster = cluster.with_("Namespace", "", "shop", there)
    cluster = at(cluster, start)
    blocks = (block(f"{start}0/30"), block("10.32.0.0/12"), block("0.0.0.0/0", f"{start}1/32"), block(f"{start}0/24"))
    for wanted in blocks:
        means(out_of_web(cluster=into_db(wanted, cluster=cluster)))
        means(out_of_web(wanted, cluster=into_db(wanted, cluster=cluster)))
