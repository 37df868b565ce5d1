"""The reference of NetworkPolicy: cells written down from the API documentation, so that it is not only consistent."""

from __future__ import annotations

import pytest

from schemas.records import ContainerPort, NetworkPolicyRecord
from schemas.records.admin_network_policy import (
    AdminNetworkPolicyRecord,
    AdminPeer,
    AdminPods,
    AdminPort,
    AdminRule,
    BaselineAdminNetworkPolicyRecord,
)
from tests.policy.building import (
    ALL,
    TCP80,
    block,
    expressed,
    labelled,
    pod,
    pods,
    policy,
    port,
    rule,
    shop,
)
from tests.policy.cluster import OUTSIDE, Cluster, Port, spots
from tests.policy.kubernetes_rules import KubernetesRules, selects

OUT = OUTSIDE[0]


def allowed(cluster: Cluster, source: str, target: str, wanted: Port = TCP80) -> bool:
    """Whether the connection is allowed; ends are namespace/name, a node's name or an address; IPv4."""
    found = {s.pod or s.node or s.address: s for s in spots(cluster) if ":" not in s.address}
    return KubernetesRules(cluster).allows(found[source], found[target], [wanted])[0]


def test_without_policies_everything_is_allowed() -> None:
    assert (
        allowed(shop(), "shop/web", "other/db")
        and allowed(shop(), OUT, "shop/web")
        and allowed(shop(), "m1", "shop/db")
    )


def test_a_selected_pod_is_isolated_for_its_types_only() -> None:
    cluster = policy(shop(), "shop/deny", labelled(app="db"), ingress=())
    assert not allowed(cluster, "shop/web", "shop/db") and not allowed(cluster, OUT, "shop/db")
    assert allowed(cluster, "shop/db", "shop/web") and allowed(cluster, "shop/web", "shop/tool")
    assert allowed(cluster, "shop/web", "other/db"), "a policy selects in its own namespace"


def test_both_ends_must_allow() -> None:
    closed = policy(shop(), "shop/out", labelled(app="web"), egress=(rule(pods(labelled(app="db"))),))
    assert allowed(closed, "shop/web", "shop/db") and not allowed(closed, "shop/web", "shop/tool")
    both = policy(closed, "shop/in", labelled(app="db"), ingress=(rule(pods(labelled(app="nobody"))),))
    assert not allowed(both, "shop/web", "shop/db")


def test_policies_add_up() -> None:
    one = policy(shop(), "shop/one", labelled(app="db"), ingress=(rule(pods(labelled(app="web"))),))
    two = policy(one, "shop/two", ALL, ingress=(rule(pods(of=labelled(team="y"))),))
    assert allowed(two, "shop/web", "shop/db") and allowed(two, "other/db", "shop/db")
    assert not allowed(two, "shop/tool", "shop/db")


@pytest.mark.parametrize(
    ("peer", "who"),
    [
        (pods(labelled(app="web")), {"shop/web"}),
        (pods(ALL), {"shop/web", "shop/tool"}),
        (pods(of=ALL), {"shop/web", "shop/tool", "other/web", "other/db"}),
        (pods(of=labelled(team="y")), {"other/web", "other/db"}),
        (pods(labelled(app="web"), labelled(team="y")), {"other/web"}),
        (pods(ALL, labelled(team="x")), {"shop/web", "shop/tool"}),
        (pods(expressed(("tier", "Exists", ()))), {"shop/web"}),
        (pods(expressed(("app", "DoesNotExist", ()))), {"shop/tool"}),
        (pods(expressed(("app", "NotIn", ("web",)))), {"shop/tool"}),
        (pods(expressed(("app", "In", ("db", "web"))), ALL), {"shop/web", "other/web", "other/db"}),
        (block("0.0.0.0/0"), {"shop/web", "shop/tool", "other/web", "other/db", OUT}),
        (block("0.0.0.0/0", "10.32.0.0/12"), {OUT}),
        (block("10.32.0.0/30", "10.32.0.1/32"), {"shop/tool"}),
        (block("::/0"), set()),
    ],
)
def test_peers_are_who_the_documentation_says(peer: object, who: set[str]) -> None:
    cluster = policy(shop(), "shop/in", labelled(app="db"), ingress=(rule(peer),))  # type: ignore[arg-type]
    others = {"shop/web", "shop/tool", "other/web", "other/db", OUT}
    assert {each for each in others if allowed(cluster, each, "shop/db")} == who


@pytest.mark.parametrize(
    ("wanted", "yes", "no"),
    [
        (port(80), [("TCP", 80)], [("UDP", 80), ("TCP", 81), ("SCTP", 80), ("ICMP", 0)]),
        (port(80, 90), [("TCP", 80), ("TCP", 90)], [("TCP", 79), ("TCP", 91)]),
        (port(0, protocol="UDP"), [("UDP", 1), ("UDP", 65535)], [("TCP", 1), ("ICMP", 0)]),
        (port("sql"), [("TCP", 5432)], [("TCP", 80), ("UDP", 5432)]),
        (port("http"), [], [("TCP", 80), ("TCP", 8080)]),
    ],
)
def test_ports_are_of_their_protocol_and_named_ones_of_the_target(
    wanted: object, yes: list[Port], no: list[Port]
) -> None:
    cluster = policy(shop(), "shop/in", labelled(app="db"), ingress=(rule(ports=(wanted,)),))  # type: ignore[arg-type]
    assert [allowed(cluster, "shop/web", "shop/db", each) for each in yes] == [True] * len(yes)
    assert [allowed(cluster, "shop/web", "shop/db", each) for each in no] == [False] * len(no)


def test_a_named_port_of_an_egress_rule_is_the_peers_own() -> None:
    cluster = policy(shop(), "shop/out", labelled(app="db"), egress=(rule(ports=(port("http"),)),))
    assert allowed(cluster, "shop/db", "shop/web", ("TCP", 80)) and allowed(
        cluster, "shop/db", "other/web", ("TCP", 8080)
    )
    assert not allowed(cluster, "shop/db", "other/web", ("TCP", 80)) and not allowed(cluster, "shop/db", OUT)


def test_of_two_ports_with_one_name_the_first_counts() -> None:
    two = (ContainerPort(port=8080, name="http"), ContainerPort(port=80, name="http"))
    cluster = policy(pod(shop(), "shop/two", *two), "shop/in", ALL, ingress=(rule(ports=(port("http"),)),))
    assert allowed(cluster, "shop/db", "shop/two", ("TCP", 8080)) and not allowed(cluster, "shop/db", "shop/two")


def test_nodes_and_what_runs_in_their_network_always_reach_pods_and_are_reached() -> None:
    cluster = policy(shop(), "shop/none", ALL, ingress=(), egress=())
    assert allowed(cluster, "m1", "shop/db") and allowed(cluster, "shop/db", "m1")
    assert "shop/host" not in {s.pod for s in spots(pod(cluster, "shop/host", host=True))}


def _admin(priority: int, *ingress: AdminRule, egress: tuple[AdminRule, ...] = ()) -> AdminNetworkPolicyRecord:
    subject = AdminPods(namespace_selector=labelled(team="x"))
    return AdminNetworkPolicyRecord(priority=priority, subject=subject, ingress=ingress, egress=egress)


def _rule(action: str, *ports: AdminPort, **labels: str) -> AdminRule:
    return AdminRule(action=action, peers=(AdminPeer(pods=AdminPods(pod_selector=labelled(**labels))),), ports=ports)


def test_administrators_come_first_by_priority_and_then_by_order() -> None:
    cluster = policy(shop(), "shop/none", ALL, ingress=())
    cluster = cluster.with_("AdminNetworkPolicy", "", "b", _admin(2, _rule("Allow", app="web")))
    assert allowed(cluster, "other/web", "shop/db") and not allowed(cluster, "other/db", "shop/db")
    denied = cluster.with_("AdminNetworkPolicy", "", "z", _admin(1, _rule("Deny", app="web"), _rule("Allow")))
    assert not allowed(denied, "other/web", "shop/db") and allowed(denied, "other/db", "shop/db")
    passed = denied.with_("AdminNetworkPolicy", "", "y", _admin(0, _rule("Pass", app="web")))
    assert not allowed(passed, "other/web", "shop/db"), "NetworkPolicies decide, not the other administrators"
    assert allowed(passed.without(("NetworkPolicy", "shop", "none")), "other/web", "shop/db")


def test_the_baseline_is_for_pods_that_no_network_policy_isolates() -> None:
    subject = AdminPods(namespace_selector=labelled(team="x"))
    baseline = BaselineAdminNetworkPolicyRecord(subject=subject, ingress=(_rule("Allow", app="web"), _rule("Deny")))
    cluster = shop().with_("BaselineAdminNetworkPolicy", "", "default", baseline)
    assert allowed(cluster, "other/web", "shop/db") and not allowed(cluster, "other/db", "shop/db")
    assert allowed(cluster, OUT, "shop/db"), "its peers are pods"
    open_ = policy(cluster, "shop/open", labelled(app="db"), ingress=(rule(),))
    assert allowed(open_, "other/db", "shop/db") and not allowed(open_, "other/db", "shop/web")


def test_an_administrator_may_keep_pods_from_nodes_and_networks() -> None:
    deny = AdminRule(
        action="Deny", peers=(AdminPeer(nodes=ALL), AdminPeer(networks=("203.0.113.0/24", "10.32.0.1/32")))
    )
    cluster = shop().with_("AdminNetworkPolicy", "", "out", _admin(1, egress=(deny,)))
    assert [allowed(cluster, "shop/db", each) for each in ("m1", OUT, "shop/web", "shop/tool")] == [False] * 3 + [True]
    assert allowed(cluster, "m1", "shop/db"), "nodes reach their pods"


def test_rules_of_administrators_with_ports_are_of_protocols_that_have_some() -> None:
    ports = (AdminPort(port_name="sql"), AdminPort(protocol="UDP", port=53, end_port=54))
    cluster = shop().with_("AdminNetworkPolicy", "", "in", _admin(1, _rule("Deny", *ports)))
    found = {each: allowed(cluster, "shop/web", "shop/db", each) for each in [("TCP", 5432), ("UDP", 54), ("UDP", 55)]}
    assert list(found.values()) == [False, False, True] and allowed(cluster, "shop/web", "shop/db", ("ICMP", 0))
    closed = shop().with_("AdminNetworkPolicy", "", "in", _admin(1, _rule("Deny")))
    assert not allowed(closed, "shop/web", "shop/db", ("ICMP", 0))


def test_what_decided_is_told() -> None:
    cluster = policy(shop(), "shop/in", labelled(app="db"), ingress=(rule(pods(labelled(app="web"))),))
    ends = {s.pod: s for s in spots(cluster) if ":" not in s.address}
    rules = KubernetesRules(cluster)
    why = rules.why(ends["shop/web"], ends["shop/db"], TCP80)
    assert why == "egress allowed by nobody: not isolated; ingress allowed by shop/in ingress[0]"
    assert "denied by isolation by shop/in" in rules.why(ends["shop/tool"], ends["shop/db"], TCP80)


def test_a_selector_needs_all_that_it_says() -> None:
    both = expressed(("tier", "Exists", ()), ("app", "NotIn", ("db",)), app="web")
    assert selects(both, {"app": "web", "tier": ""}) and not selects(both, {"app": "web"})
    assert selects(ALL, {}) and not selects(labelled(app=""), {}) and selects(labelled(app=""), {"app": ""})
    assert NetworkPolicyRecord().pod_selector == ALL
