"""A pod that Kubernetes shows no address of yet has one already: what closes it then closes it now."""

from __future__ import annotations

import msgspec
import pytest

from schemas.records import AdminNetworkPolicyRecord, AdminPeer, AdminPods, AdminRule, PodRecord
from tests.policy.building import ALL, block, expressed, labelled, pods, policy, rule, shop
from tests.policy.cluster import Cluster, pairs, spots
from tests.policy.cluster import pods as pods_of
from tests.policy.exploring import explore
from tests.policy.holding import store_of
from tests.policy.kubernetes_rules import KubernetesRules
from tests.policy.strategies import clusters
from tests.policy.truth import firewall_of, interesting_addresses, interesting_ports, uids

HALF = AdminPeer(networks=("10.32.0.0/30",))


def is_closed_from_birth(cluster: Cluster, most: int = 5) -> None:
    """Whatever Kubernetes closes is closed for each of these pods, before its address is known."""
    rules, ports = KubernetesRules(cluster), interesting_ports(cluster)
    ends = list(pairs(spots(cluster, interesting_addresses(cluster))))
    for name in sorted(pods_of(cluster))[:most]:
        key = ("Pod", *name.split("/"))
        record = cluster.resources[key]
        assert isinstance(record, PodRecord)
        born = cluster.with_(*key, msgspec.structs.replace(record, pod_ips=()))
        firewall, names = firewall_of(store_of(born).backend.store), uids(born)
        for source, target in ends:
            if name not in (source.pod, target.pod):
                continue
            found = firewall.allows(source, target, ports, names)
            for port, wanted, is_open in zip(ports, rules.allows(source, target, ports), found, strict=True):
                assert wanted or not is_open, (
                    f"{name} without address: {source} to {target} port {port} is open: "
                    f"{firewall.why(source, target, port, names)}"
                )


def test_a_block_opens_nobody_who_is_closed_before_his_address_is_known() -> None:
    out = rule(block("10.32.0.0/30"))
    is_closed_from_birth(policy(shop(), "shop/a", ALL, ingress=(), egress=(out,)))
    both = policy(shop(), "shop/a", labelled(app="web"), egress=(out,))
    is_closed_from_birth(policy(both, "shop/b", expressed(("app", "NotIn", ("web",))), ingress=(out,)))


def test_an_administrators_networks_open_nobody_either_whichever_list_is_shorter() -> None:
    nobody = AdminRule(action="Deny", peers=(AdminPeer(pods=AdminPods(pod_selector=labelled(app="nobody"))),))
    cluster = policy(shop(), "shop/a", ALL, ingress=tuple(rule(pods(labelled(app=f"p{each}"))) for each in range(30)))
    for rules in (
        (AdminRule(action="Allow", peers=(HALF,)), nobody),
        (AdminRule(action="Deny", peers=(HALF,)), nobody),
    ):
        is_closed_from_birth(cluster.with_("AdminNetworkPolicy", "", "half", AdminNetworkPolicyRecord(egress=rules)), 3)


@pytest.mark.slow
def test_random_policies_open_nobody_before_his_address_is_known() -> None:
    explore(lambda cluster: is_closed_from_birth(cluster, 2), clusters(), count=40)
