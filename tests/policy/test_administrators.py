"""Tiers of administrators: before NetworkPolicies and behind them, in cells written down, and at random."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import strategies as st

from schemas.records import (
    AdminNetworkPolicyRecord,
    AdminPeer,
    AdminPods,
    AdminPort,
    AdminRule,
    BaselineAdminNetworkPolicyRecord,
    LabelSelector,
    SettingsRecord,
)
from tests.policy.building import ALL, block, expressed, labelled, namespace, node, pods, policy, rule, shop
from tests.policy.cluster import Cluster
from tests.policy.exploring import explore
from tests.policy.holding import holds, means
from tests.policy.strategies import SHARED, clusters, steps
from tests.policy.test_random import stays
from tests.translator.facts import SETTINGS

DB, WEB = labelled(app="db"), labelled(app="web")
SHOP, OTHER = labelled(team="x"), labelled(team="y")
OUT = "203.0.113.7"
EVERY = AdminPods()


def chosen(namespaces: LabelSelector = ALL, selector: LabelSelector = ALL) -> AdminPods:
    """Pods by the labels of their namespace and their own."""
    return AdminPods(namespace_selector=namespaces, pod_selector=selector)


def of(namespaces: LabelSelector = ALL, selector: LabelSelector = ALL) -> AdminPeer:
    """Pods as a peer."""
    return AdminPeer(pods=chosen(namespaces, selector))


def says(action: str, *peers: AdminPeer, ports: tuple[AdminPort, ...] = ()) -> AdminRule:
    """A rule."""
    return AdminRule(action=action, peers=peers, ports=ports)


def admin(
    cluster: Cluster,
    priority: int,
    *,
    name: str = "",
    subject: AdminPods = EVERY,
    ingress: Iterable[AdminRule] = (),
    egress: Iterable[AdminRule] = (),
) -> Cluster:
    """With this AdminNetworkPolicy."""
    record = AdminNetworkPolicyRecord(priority=priority, subject=subject, ingress=tuple(ingress), egress=tuple(egress))
    return cluster.with_("AdminNetworkPolicy", "", name or f"admin-{priority}", record)


def baseline(
    cluster: Cluster, subject: AdminPods = EVERY, *, ingress: Iterable[AdminRule] = (), egress: Iterable[AdminRule] = ()
) -> Cluster:
    """With the baseline."""
    record = BaselineAdminNetworkPolicyRecord(subject=subject, ingress=tuple(ingress), egress=tuple(egress))
    return cluster.with_("BaselineAdminNetworkPolicy", "", "default", record)


def plain() -> Cluster:
    """The shop, of one address family."""
    return shop(SETTINGS)


def closed(cluster: Cluster) -> Cluster:
    """With the shop's db closed by a NetworkPolicy."""
    return policy(cluster, "shop/closed", DB, ingress=())


def test_allow_opens_what_a_network_policy_closes_and_nothing_else() -> None:
    cluster = admin(closed(plain()), 5, ingress=[says("Allow", of(OTHER), ports=(AdminPort(protocol="TCP", port=80),))])
    no = ["shop/web > shop/db:80", "other/web > shop/db:81", f"{OUT} > shop/db:80"]
    means(cluster, yes=["other/web > shop/db:80", "shop/web > shop/tool:80"], no=no)


def test_deny_closes_what_a_network_policy_opens() -> None:
    cluster = policy(plain(), "shop/open", DB, ingress=(rule(),))
    cluster = admin(cluster, 5, subject=chosen(selector=DB), ingress=[says("Deny", of(selector=WEB))])
    no = ["shop/web > shop/db:80", "other/web > shop/db:80", "shop/web > other/db:80"]
    means(cluster, yes=["shop/tool > shop/db:80", f"{OUT} > shop/db:80", "m1 > shop/db:80"], no=no)


def test_pass_leaves_to_network_policies_what_the_rest_of_the_tier_would_decide() -> None:
    cluster = admin(closed(plain()), 1, ingress=[says("Pass", of(SHOP))])
    cluster = admin(cluster, 2, ingress=[says("Allow", of(SHOP)), says("Deny", of(OTHER))])
    yes = ["shop/web > shop/tool:80", "shop/web > other/db:80"]
    means(cluster, yes=yes, no=["shop/web > shop/db:80", "other/web > shop/tool:80", "other/web > shop/db:80"])


def test_pass_on_some_ports_passes_those_only() -> None:
    ports = (AdminPort(protocol="TCP", port=80, end_port=90),)
    cluster = admin(plain(), 1, ingress=[says("Pass", of(), ports=ports), says("Deny", of())])
    means(
        cluster,
        yes=["shop/web > shop/db:85", "m1 > shop/db:22"],
        no=["shop/web > shop/db:91", "shop/web > shop/db:0/ICMP"],
    )


@pytest.mark.parametrize(("first", "second", "allowed"), [(1, 2, True), (2, 1, False)])
def test_the_lower_priority_is_asked_first(first: int, second: int, allowed: bool) -> None:
    cluster = admin(plain(), first, name="z", egress=[says("Allow", of())])
    cluster = admin(cluster, second, name="a", egress=[says("Deny", of())])
    cells = ["shop/web > shop/db:80", "other/web > shop/db:80"]
    means(cluster, yes=cells if allowed else (), no=() if allowed else cells)


def test_of_equal_priorities_the_name_decides() -> None:
    cluster = admin(plain(), 7, name="b", egress=[says("Allow", of())])
    means(admin(cluster, 7, name="a", egress=[says("Deny", of())]), no=["shop/web > shop/db:80"])
    means(admin(cluster, 7, name="c", egress=[says("Deny", of())]), yes=["shop/web > shop/db:80"])


def test_the_first_rule_in_the_order_written_decides() -> None:
    rules = [says("Deny", of(selector=DB)), says("Allow", of())]
    means(admin(plain(), 1, egress=rules), no=["shop/web > shop/db:80"], yes=["shop/web > shop/tool:80"])
    means(admin(plain(), 1, egress=rules[::-1]), yes=["shop/web > shop/db:80", "shop/web > shop/tool:80"])


def test_both_directions_must_allow_whatever_tier_says_so() -> None:
    cluster = admin(plain(), 1, subject=chosen(SHOP), egress=[says("Allow", of())])
    cluster = admin(cluster, 2, subject=chosen(OTHER, DB), ingress=[says("Deny", of(SHOP))])
    cluster = admin(cluster, 3, subject=chosen(SHOP, DB), ingress=[says("Deny", of(SHOP))])
    means(cluster, yes=["shop/web > shop/tool:80"], no=["shop/web > other/db:80", "shop/web > shop/db:80"])


def test_the_baseline_counts_only_where_no_network_policy_isolates() -> None:
    cluster = policy(plain(), "shop/some", DB, ingress=(rule(pods(WEB)),))
    cluster = baseline(cluster, ingress=[says("Allow", of(OTHER, DB)), says("Deny", of())])
    yes = ["shop/web > shop/db:80", "other/db > shop/tool:80", f"{OUT} > shop/tool:80", "m1 > shop/tool:80"]
    means(cluster, yes=yes, no=["shop/tool > shop/db:80", "other/db > shop/db:80", "shop/web > shop/tool:80"])


def test_a_policy_of_one_direction_leaves_the_other_to_the_baseline() -> None:
    cluster = policy(plain(), "shop/in", ALL, ingress=(rule(),))
    cluster = baseline(cluster, chosen(SHOP), ingress=[says("Deny", of())], egress=[says("Deny", of(OTHER))])
    means(cluster, yes=["other/web > shop/db:80", "shop/web > shop/db:80"], no=["shop/web > other/db:80"])


def test_networks_of_egress_count_pods_like_any_address() -> None:
    rules = [says("Pass", of()), says("Deny", AdminPeer(networks=("0.0.0.0/0",)))]
    means(
        admin(plain(), 1, egress=rules), yes=["shop/web > other/db:80"], no=[f"shop/web > {OUT}:80", "shop/web > m1:80"]
    )
    means(admin(plain(), 1, egress=rules[1:]), no=["shop/web > other/db:80", f"shop/web > {OUT}:80"])


def test_pods_reach_nodes_unless_an_administrator_says_otherwise() -> None:
    two = node(policy(plain(), "shop/none", ALL, egress=()), "m2", "192.168.0.2", zone="1")
    means(two, yes=["shop/web > m1:80", "shop/web > m2:80"], no=[f"shop/web > {OUT}:80"])
    apart = admin(two, 1, egress=[says("Deny", AdminPeer(nodes=labelled(zone="1")))])
    means(apart, yes=["shop/web > m1:80", "m2 > shop/web:80"], no=["shop/web > m2:80"])
    means(admin(two, 1, egress=[says("Deny", AdminPeer(nodes=ALL))]), no=["shop/web > m1:80", "other/web > m2:80"])
    behind = baseline(two, egress=[says("Deny", AdminPeer(nodes=ALL))])
    means(behind, yes=["shop/web > m1:80", "m1 > other/web:80"], no=["other/web > m1:80"])


def test_a_named_port_is_that_of_the_pod_that_receives_in_any_protocol() -> None:
    ports = (AdminPort(port_name="http"),)
    inward = admin(plain(), 1, subject=chosen(selector=WEB), ingress=[says("Deny", of(), ports=ports)])
    no = ["shop/tool > shop/web:80", "shop/tool > other/web:8080"]
    yes = ["shop/tool > shop/web:8080", "shop/tool > other/web:80", "shop/tool > shop/web:80/UDP"]
    means(inward, yes=yes, no=no)
    means(admin(plain(), 1, egress=[says("Deny", of(), ports=ports)]), yes=yes, no=no)


def test_subjects_and_peers_by_all_operators() -> None:
    none = expressed(("app", "DoesNotExist", ()))
    cluster = admin(plain(), 1, subject=chosen(selector=none), ingress=[says("Deny", of(selector=WEB))])
    means(cluster, yes=["shop/db > shop/tool:80", "shop/web > shop/db:80"], no=["other/web > shop/tool:80"])
    apart = expressed(("team", "NotIn", ("x",)))
    cluster = admin(plain(), 1, subject=chosen(apart), ingress=[says("Deny", of(expressed(("team", "NotIn", ("y",)))))])
    means(cluster, yes=["other/web > other/db:80", "other/db > shop/db:80"], no=["shop/web > other/db:80"])


@pytest.mark.parametrize("text", ["a:b", "a b", "x" * 64, "-a", "a\n", "a/b/c", "\u00e4"])
def test_a_selector_that_no_label_can_meet_selects_nobody_and_stops_nothing(text: str) -> None:
    """The CRD takes any text for keys and values; a ':' in a tag stopped the lists of all namespaces."""
    for odd in (expressed(("app", "In", (text, "web"))), LabelSelector(match_labels={text: "web"})):
        never = LabelSelector(match_labels={**odd.match_labels, "app": text})
        rules = [says("Deny", of(selector=odd)), says("Deny", of(never)), says("Deny", of(selector=never))]
        cluster = admin(closed(plain()), 1, ingress=rules)
        web = ["shop/web > shop/tool:80"]
        is_web = bool(odd.match_expressions)
        means(
            cluster, yes=["shop/db > shop/tool:80", *web * (not is_web)], no=["shop/tool > shop/db:80", *web * is_web]
        )


def test_passed_pods_meet_blocks_of_network_policies_by_their_addresses() -> None:
    """Endpoints hold tags or addresses: who is passed by labels and allowed by address carries a membership tag."""
    cluster = policy(plain(), "shop/out", WEB, egress=(rule(block("10.32.0.0/30")),))
    cluster = admin(cluster, 1, subject=chosen(SHOP), egress=[says("Pass", of()), says("Allow", of())])
    means(cluster, yes=["shop/web > shop/db:80", "shop/tool > other/db:80"], no=["shop/web > other/web:80"])


@pytest.mark.parametrize(
    ("subject", "isolated"),
    [
        (labelled(app="web"), labelled(tier="back")),
        (expressed(("app", "NotIn", ("db",))), expressed(("tier", "DoesNotExist", ()))),
    ],
    ids=["labels", "memberships"],
)
def test_networks_that_some_pods_may_reach_close_nothing_to_them(
    subject: LabelSelector, isolated: LabelSelector
) -> None:
    """Behind them others are isolated: that denial is not for these pods, and does not stand for theirs."""
    cluster = policy(plain(), "shop/out", isolated, egress=())
    cluster = policy(cluster, "shop/in", DB, ingress=(rule(pods(WEB)),))
    networks = AdminPeer(networks=("10.32.0.0/31",))
    cluster = admin(cluster, 1, subject=chosen(SHOP, subject), egress=[says("Allow", networks)])
    means(cluster, yes=["shop/web > shop/db:80"], no=["shop/tool > shop/db:80"])


@pytest.mark.parametrize("settings", [SETTINGS, SHARED], ids=["projects", "one project"])
def test_passed_pods_of_a_membership_meet_blocks_as_well(settings: SettingsRecord) -> None:
    """No label says who they are: tags of interfaces do, and of projects where namespaces are meant."""
    start = policy(shop(settings), "shop/out", WEB, egress=(rule(block("10.32.0.0/30"), block("10.32.0.4/31")),))
    by_pods = says("Pass", of(ALL, expressed(("app", "NotIn", ("web",)))))
    cluster = admin(start, 1, subject=chosen(SHOP), egress=[by_pods, says("Deny", of())])
    means(cluster, yes=["shop/web > shop/db:80", "shop/web > other/db:80"], no=["shop/web > other/web:80"])
    by_spaces = says("Pass", of(expressed(("team", "NotIn", ("x",)))))
    cluster = admin(start, 1, subject=chosen(SHOP), egress=[by_spaces, says("Deny", of())])
    means(cluster, yes=["shop/web > other/web:80"], no=["shop/web > shop/db:80"])
    beyond = policy(shop(settings), "shop/out", WEB, egress=(rule(block("10.32.0.0/30")),))
    cluster = admin(beyond, 1, subject=chosen(SHOP), egress=[by_spaces, says("Allow", of())])
    means(cluster, yes=["shop/web > shop/db:80"], no=["shop/web > other/web:80"])


@pytest.mark.parametrize("first", ["own", "others"])
def test_one_pod_selector_in_several_sets_of_namespaces_means_the_pods_of_all_of_them(first: str) -> None:
    """One membership for both peers: the one asked last had taken the own pods out of what blocks meet."""
    cluster = namespace(plain(), "more", team="z")
    spaces = {"own": expressed(("team", "In", ("x", "y"))), "others": expressed(("team", "In", ("y", "z")))}
    peers = [pods(expressed(("app", "NotIn", ("web",))), spaces[each]) for each in sorted(spaces, key=first.__ne__)]
    cluster = policy(cluster, "shop/out", ALL, egress=(rule(*peers),))
    cluster = policy(cluster, "shop/in", DB, ingress=(rule(pods(WEB)),))
    networks = [AdminPeer(networks=(each,)) for each in ("10.32.0.0/29", "0.0.0.0/0")]
    cluster = admin(cluster, 1, subject=chosen(SHOP), egress=[says("Pass", networks[0]), says("Deny", networks[1])])
    means(cluster, yes=["shop/web > shop/db:80", "shop/web > shop/tool:80"], no=["shop/tool > shop/db:80"])


def test_tiers_hold_where_all_namespaces_share_one_project() -> None:
    cluster = admin(closed(shop(SHARED)), 1, ingress=[says("Allow", of(OTHER)), says("Deny", of(SHOP))])
    means(cluster, yes=["other/web > shop/db:80"], no=["shop/web > shop/db:80", "shop/web > shop/tool:80"])


def test_of_several_namespaces_that_a_rule_names_only_the_own_one_is_the_own_one() -> None:
    """Found at random: what stood for `shop` was taken for `other` as well, before what denied it there."""
    either = expressed(("kubernetes.io/metadata.name", "In", ("other", "shop")))
    cluster = policy(plain(), "shop/none", ALL, ingress=(), egress=())
    cluster = admin(
        cluster,
        1,
        ingress=[says("Allow", of(), ports=(AdminPort(protocol="UDP", port=53),))],
        egress=[
            says("Pass", of(either, expressed(("app", "In", ("db", "web"))))),
            says("Allow", AdminPeer(networks=(f"{OUT}/32",))),
        ],
    )
    means(cluster, yes=[f"shop/web > {OUT}:53/UDP"], no=["shop/web > shop/db:53/UDP", "shop/tool > other/db:53/UDP"])


@pytest.mark.slow
def test_administrators_mean_what_they_say() -> None:
    explore(holds, clusters(admin=True), count=300)


@pytest.mark.slow
def test_administrators_still_do_after_every_step_of_a_history() -> None:
    explore(stays, st.tuples(clusters(admin=True), st.lists(steps(admin=True), min_size=1, max_size=6)), count=30)
