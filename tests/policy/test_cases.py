"""Each construct of NetworkPolicy, and each fault of the original controller, as a table and in cells written down.

`shop` has the pods web (app=web, tier=front, port http=80), db (app=db, port sql=5432) and tool (no labels); `other`
has web (app=web, http=8080) and db (app=db, team=x). Their namespaces have team=x and team=y; m1 is a node.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from schemas.records import (
    ContainerPort,
    LabelSelector,
    NetworkAttachmentDefinitionRecord,
    PolicyPeer,
    PolicyPort,
)
from tests.policy.building import (
    ALL,
    DB,
    OUT,
    WEB,
    block,
    expressed,
    into_db,
    labelled,
    namespace,
    node,
    out_of_web,
    pod,
    pods,
    policy,
    port,
    rule,
    shop,
)
from tests.policy.cluster import Spot, pairs, spots
from tests.policy.contrail_firewall import Sessions
from tests.policy.holding import means, store_of
from tests.policy.kubernetes_rules import KubernetesRules
from tests.policy.truth import firewall_of, uids
from tests.translator.facts import OURS, SETTINGS


def test_without_policies_everything_passes() -> None:
    means(shop(), yes=["shop/web > shop/db:80", f"{OUT} > shop/db:80", "shop/db >6 other/web:53/UDP"])


def test_default_deny_both_ways() -> None:
    cluster = policy(shop(), "shop/deny", ALL, ingress=(), egress=())
    no = ["shop/web > shop/db:80", "other/web > shop/db:80", "shop/db > other/web:80", f"shop/db > {OUT}:80"]
    means(cluster, yes=["other/web > other/db:80", "m1 > shop/db:10250", "shop/db > m1:53/UDP"], no=no)


def test_both_directions_must_allow_within_a_namespace_and_across() -> None:
    cluster = out_of_web(pods(DB), cluster=into_db(pods(WEB)))
    means(cluster, yes=["shop/web > shop/db:80"], no=["shop/web > shop/tool:80", "shop/tool > shop/db:80"])
    cluster = out_of_web(pods(of=ALL), cluster=into_db(pods(labelled(app="nobody"))))
    means(cluster, yes=["shop/web > shop/tool:80", "shop/web > other/db:80"], no=["shop/web > shop/db:80"])
    cluster = policy(
        out_of_web(pods(of=labelled(team="y"))), "other/in", DB, ingress=(rule(pods(of=labelled(team="x"))),)
    )
    means(cluster, yes=["shop/web > other/db:80", "shop/tool > other/db:1"], no=["other/web > other/db:80"])


def test_an_egress_rule_of_the_source_does_not_open_the_target() -> None:
    """The original's list is of the flow: its first match let an egress rule override the target's isolation."""
    cluster = policy(out_of_web(pods(DB)), "shop/closed", DB, ingress=())
    means(cluster, no=["shop/web > shop/db:80"])


def test_policies_are_additive() -> None:
    cluster = policy(
        into_db(pods(WEB)), "shop/too", ALL, ingress=(rule(pods(of=labelled(team="y")), ports=(port(1),)),)
    )
    means(
        cluster,
        yes=["shop/web > shop/db:9", "other/db > shop/db:1"],
        no=["other/db > shop/db:2", "shop/db > shop/web:1"],
    )


def test_several_rules_of_a_direction_add_up() -> None:
    """The original gave egress rules one name, and the last replaced the others."""
    rules = (rule(pods(DB), ports=(port(5432),)), rule(block("203.0.113.0/24"), ports=(port(443),)))
    cluster = policy(shop(), "shop/out", WEB, egress=rules)
    yes = ["shop/web > shop/db:5432", f"shop/web > {OUT}:443"]
    means(cluster, yes=yes, no=["shop/web > shop/db:443", f"shop/web > {OUT}:5432", "shop/web > shop/tool:443"])


def test_peers_of_a_rule_are_alternatives_and_selectors_of_a_peer_are_not() -> None:
    either = into_db(pods(labelled(tier="front")), pods(of=labelled(team="y")))
    means(either, yes=["shop/web > shop/db:1", "other/db > shop/db:1"], no=["shop/tool > shop/db:1"])
    both = into_db(pods(WEB, labelled(team="y")))
    means(both, yes=["other/web > shop/db:1"], no=["shop/web > shop/db:1", "other/db > shop/db:1"])


def test_a_namespaces_label_is_not_a_pods_nor_the_other_way_round() -> None:
    """The original had one space of tags: pod other/db has the label that selects namespaces."""
    means(into_db(pods(of=labelled(team="x"))), yes=["shop/web > shop/db:1"], no=["other/db > shop/db:1"])
    means(into_db(pods(labelled(team="y"), ALL)), no=["other/web > shop/db:1", "other/db > shop/db:1"])


def test_labels_with_slashes_capitals_and_empty_values() -> None:
    """The original replaced '/' in peers and not in what a policy selects, and could not match keys with capitals."""
    cluster = pod(shop(), "shop/odd", app__kubernetes_io="x", Team="A")
    cluster = cluster.with_("Pod", "shop", "even", pod(cluster, "shop/e", empty="").resources["Pod", "shop", "e"])
    selected = labelled(app__kubernetes_io="x")
    cluster = policy(
        cluster, "shop/in", selected, ingress=(rule(pods(labelled(empty=""))), rule(pods(labelled(Team="B"))))
    )
    means(cluster, yes=["shop/even > shop/odd:1"], no=["shop/web > shop/odd:1", "shop/tool > shop/odd:1"])
    means(
        into_db(pods(labelled(Team="A")), cluster=cluster), yes=["shop/odd > shop/db:1"], no=["shop/even > shop/db:1"]
    )


@pytest.mark.parametrize(
    ("wanted", "yes", "no"),
    [
        (expressed(("app", "In", ("db", "web"))), ["shop/web", "other/web", "other/db"], ["shop/tool"]),
        (expressed(("app", "NotIn", ("web",))), ["shop/tool", "other/db"], ["shop/web", "other/web"]),
        (expressed(("tier", "Exists", ())), ["shop/web"], ["shop/tool", "other/web"]),
        (expressed(("tier", "DoesNotExist", ())), ["shop/tool", "other/web"], ["shop/web"]),
        (expressed(("tier", "DoesNotExist", ()), app="web"), ["other/web"], ["shop/web", "shop/tool"]),
        (expressed(("app", "In", ("web",)), ("app", "NotIn", ("web",))), [], ["shop/web", "shop/tool", "other/web"]),
        (expressed(("app", "Exists", ()), ("team", "DoesNotExist", ())), ["shop/web", "other/web"], ["other/db"]),
    ],
)
def test_operators_of_peers(wanted: object, yes: list[str], no: list[str]) -> None:
    """The original used the last value of In, took NotIn for In or for anybody, and ignored the others."""
    cluster = into_db(pods(wanted, ALL))  # type: ignore[arg-type]
    means(cluster, yes=[f"{each} > shop/db:1" for each in yes], no=[f"{each} > shop/db:1" for each in no])


@pytest.mark.parametrize(
    ("wanted", "isolated", "free"),
    [
        (expressed(("app", "In", ("web", "nobody"))), ["web"], ["db", "tool"]),
        (expressed(("app", "NotIn", ("web",))), ["db", "tool"], ["web"]),
        (expressed(("app", "Exists", ())), ["web", "db"], ["tool"]),
        (expressed(("app", "DoesNotExist", ())), ["tool"], ["web", "db"]),
        (expressed(("tier", "Exists", ()), app="db"), [], ["web", "db", "tool"]),
    ],
)
def test_operators_of_what_a_policy_selects(wanted: object, isolated: list[str], free: list[str]) -> None:
    """The original ignored expressions at the top: the policy then selected the whole namespace."""
    cluster = policy(shop(), "shop/in", wanted, ingress=())  # type: ignore[arg-type]
    means(cluster, yes=[f"other/web > shop/{e}:1" for e in free], no=[f"other/web > shop/{e}:1" for e in isolated])


def test_operators_of_namespaces() -> None:
    cluster = pod(namespace(shop(), "bare"), "bare/web", app="web")
    for wanted, yes, no in (
        (expressed(("team", "In", ("x", "y"))), ["shop/web", "other/db"], ["bare/web"]),
        (expressed(("team", "NotIn", ("x",))), ["other/db", "bare/web"], ["shop/web"]),
        (expressed(("team", "Exists", ())), ["shop/web", "other/web"], ["bare/web"]),
        (expressed(("team", "DoesNotExist", ())), ["bare/web"], ["shop/web", "other/web"]),
        (labelled(kubernetes_io__metadata_name="bare"), [], []),
    ):
        asked = into_db(pods(of=wanted), cluster=cluster)
        means(asked, yes=[f"{e} > shop/db:1" for e in yes], no=[f"{e} > shop/db:1" for e in no])


def test_every_namespace_is_every_pod_and_nobody_outside() -> None:
    """`namespaceSelector: {}` alone became allow-all in the original, and beside others nothing."""
    means(into_db(pods(of=ALL)), yes=["shop/web > shop/db:1", "other/db > shop/db:1"], no=[f"{OUT} > shop/db:1"])
    means(into_db(pods(of=ALL), block("203.0.113.0/24")), yes=["other/db > shop/db:1", f"{OUT} > shop/db:1"])


def test_all_pods_of_other_namespaces() -> None:
    """`namespaceSelector: X` with `podSelector: {}` was restricted to the policy's own namespace in the original."""
    means(into_db(pods(ALL, labelled(team="y"))), yes=["other/db > shop/db:1"], no=["shop/web > shop/db:1"])


def test_more_values_than_rules_are_written_for() -> None:
    values = ("web", *(f"v{number}" for number in range(60)))
    wanted = expressed(("app", "In", values))
    cluster = policy(shop(), "shop/in", wanted, ingress=(rule(pods(wanted, ALL)),))
    means(cluster, yes=["other/web > shop/web:1"], no=["shop/db > shop/web:1"])


def test_labels_as_long_as_they_can_be() -> None:
    key, value = f"{'a' * 240}.example.com/{'k' * 63}", "v" * 63
    cluster = shop()
    record = cluster.resources["Pod", "shop", "tool"]
    cluster = cluster.with_("Pod", "shop", "tool", msgspec.structs.replace(record, labels={key: value}))
    wanted = LabelSelector(match_labels={key: value})
    means(into_db(pods(wanted), cluster=cluster), yes=["shop/tool > shop/db:1"], no=["shop/web > shop/db:1"])
    means(policy(cluster, "shop/in", wanted, ingress=()), yes=["shop/tool > shop/db:1"], no=["shop/web > shop/tool:1"])


def test_ranges_of_ports() -> None:
    """`endPort` was ignored in the original."""
    cluster = into_db(ports=(port(8000, 8010), port(9)))
    yes = [f"other/web > shop/db:{each}" for each in (8000, 8010, 9)]
    means(cluster, yes=yes, no=[f"other/web > shop/db:{each}" for each in (7999, 8011, 8, 10)])
    cut = out_of_web(ports=(port(8005, 65535),), cluster=cluster)
    means(cut, yes=["shop/web > shop/db:8005"], no=["shop/web > shop/db:8004", "shop/web > shop/db:9"])


def test_protocols() -> None:
    for protocol in ("TCP", "UDP", "SCTP"):
        cluster = into_db(ports=(port(53, protocol=protocol),))
        others = {"TCP", "UDP", "SCTP"} - {protocol}
        no = [f"other/web > shop/db:53/{each}" for each in others]
        means(cluster, yes=[f"other/web > shop/db:53/{protocol}"], no=[*no, "other/web > shop/db:0/ICMP"])
    means(into_db(pods(ALL)), yes=["shop/web > shop/db:0/ICMP"], no=["other/web > shop/db:0/ICMP"])
    every = into_db(ports=(port(0, protocol="UDP"),))
    means(every, yes=["other/web > shop/db:1/UDP"], no=["other/web > shop/db:1/TCP", "other/web > shop/db:0/ICMP"])


def test_named_ports_are_each_pods_own() -> None:
    """A name was sent to the API as a number in the original, which refused it again and again."""
    cluster = pod(shop(), "shop/too", ContainerPort(port=81, name="http"), app="web")
    cluster = pod(cluster, "shop/udp", ContainerPort(port=80, name="http", protocol="UDP"), app="web")
    closed = policy(cluster, "shop/in", WEB, ingress=(rule(ports=(port("http"),)),))
    yes = ["shop/db > shop/web:80", "other/db > shop/too:81"]
    no = ["shop/db > shop/too:80", "other/db > shop/web:81", "shop/db > shop/udp:80", "shop/db > shop/udp:80/UDP"]
    means(closed, yes=yes, no=no)
    out = policy(closed, "shop/out", DB, egress=(rule(pods(WEB, ALL), ports=(port("http"),)),))
    means(
        out,
        yes=["shop/db > shop/too:81", "shop/db > other/web:8080"],
        no=["shop/db > other/web:80", "shop/db > shop/udp:80"],
    )


def test_enforcement_holds_in_networks_of_a_namespace_and_of_an_app() -> None:
    cluster = namespace(shop(), "own", isolated=True, team="z")
    cluster = pod(pod(cluster, "own/web", app="web"), "own/db", app="db", opencontrail_org__name="store")
    cluster = policy(cluster, "own/in", DB, ingress=(rule(pods(WEB)), rule(pods(of=labelled(team="x")))))
    means(cluster, yes=["own/web > own/db:1", "shop/tool > own/db:1"], no=["other/web > own/db:1", f"{OUT} > own/db:1"])
    means(
        into_db(pods(of=labelled(team="z")), cluster=cluster), yes=["own/web > shop/db:1"], no=["other/web > shop/db:1"]
    )


def test_replies_pass_where_only_the_way_out_is_open() -> None:
    cluster = policy(shop(SETTINGS), "shop/out", WEB, ingress=(), egress=(rule(pods(DB), ports=(port(5432),)),))
    asked = Sessions(firewall_of(store_of(cluster).backend.store), uids(cluster))
    web, db = Spot("10.32.0.1", pod="shop/web"), Spot("10.32.0.2", pod="shop/db")
    assert not asked.packet(db, web, "TCP", 5432, 50000), "nobody asked"
    assert asked.packet(web, db, "TCP", 50000, 5432) and asked.packet(db, web, "TCP", 5432, 50000)
    assert not asked.packet(db, web, "TCP", 5432, 50001)


def test_traffic_to_a_service_is_judged_by_the_pod_that_it_reaches() -> None:
    """At the source its tags are there with the service's address, and behind the service its own address."""
    cluster = out_of_web(
        pods(DB), cluster=into_db(pods(WEB), pods(expressed(("app", "DoesNotExist", ()))), cluster=shop(SETTINGS))
    )
    cluster = policy(cluster, "other/out", WEB, egress=(rule(pods(of=labelled(team="x"))),))
    firewall, rules = firewall_of(store_of(cluster).backend.store), KubernetesRules(cluster)
    ends = [each for each in spots(cluster) if each.pod and ":" not in each.address]
    answers = set()
    for source, target in pairs(ends):
        through = replace(target, address="10.96.0.10")
        wanted = rules.allows(source, target, [("TCP", 80)])
        assert firewall.allows(source, through, [("TCP", 80)], uids(cluster)) == wanted, f"{source} to {target}"
        answers.add(wanted)
    assert len(answers) == 2


@pytest.mark.parametrize("project", ["", "all"])
def test_every_interface_of_a_pod_carries_what_the_first_one_does(project: str) -> None:
    settings = msgspec.structs.replace(SETTINGS, project=project)
    wanted = expressed(("app", "NotIn", ("db",)), ("tier", "Exists", ()))
    cluster = policy(shop(settings), "shop/in", wanted, ingress=(rule(pods(of=expressed(("team", "Exists", ())))),))
    definition = NetworkAttachmentDefinitionRecord(annotations={"opencontrail.org/cidr": "10.1.0.0/24"}, config=OURS)
    cluster = cluster.with_("NetworkAttachmentDefinition", "shop", "blue", definition)
    record = cluster.resources["Pod", "shop", "web"]
    asked = msgspec.structs.replace(record, annotations={"k8s.v1.cni.cncf.io/networks": "blue, blue"})
    cluster = cluster.with_("Pod", "shop", "web", asked)
    first, *others = firewall_of(store_of(cluster).backend.store).all_tags_of(cluster.uid(("Pod", "shop", "web")))
    assert others == [first, first] and any(".sel." in tag for tag in first)
    assert {"application=k8s.shop", "label=k8s.pod.app=web", "label=k8s.ns.team=x"} <= first


def test_nodes_and_pods_of_the_host_are_never_cut_off() -> None:
    cluster = node(policy(shop(), "shop/deny", ALL, ingress=(), egress=()), "m2", "192.168.7.2")
    cluster = pod(cluster, "shop/host", host=True)
    means(cluster, yes=["m1 > shop/db:1", "m2 > shop/web:10250", "shop/web > m2:443"], no=["192.168.7.3 > shop/web:1"])


def test_a_policy_for_a_namespace_that_is_unknown_is_nothing_yet() -> None:
    means(policy(shop(), "nowhere/deny", ALL, ingress=(), egress=()), yes=["shop/web > other/db:1"])


def test_one_project_for_all_namespaces() -> None:
    cluster = out_of_web(pods(of=labelled(team="y")), cluster=into_db(pods(WEB)))
    one = replace(cluster, settings=msgspec.structs.replace(cluster.settings, project="all"))
    means(one, yes=["shop/web > other/db:1"], no=["shop/web > shop/db:1", "shop/tool > shop/db:1"])


# Case 60, clause by clause: selector edge cases.


def test_case_60_empty_null_and_absent_selectors() -> None:
    means(policy(shop(), "shop/in", ALL, ingress=()), no=["other/web > shop/tool:1"])
    means(into_db(PolicyPeer(pod_selector=ALL)), yes=["shop/tool > shop/db:1"], no=["other/web > shop/db:1"])
    means(into_db(PolicyPeer(namespace_selector=ALL)), yes=["other/web > shop/db:1"], no=[f"{OUT} > shop/db:1"])
    means(into_db(PolicyPeer(pod_selector=ALL, namespace_selector=ALL)), yes=["other/web > shop/db:1"])


@pytest.mark.parametrize("operator", ["In", "NotIn", "Exists", "DoesNotExist"])
def test_case_60_every_operator_on_both_sides_at_once(operator: str) -> None:
    values = ("web",) if operator in ("In", "NotIn") else ()
    wanted = expressed(("app", operator, values))
    cluster = policy(shop(), "shop/both", wanted, ingress=(rule(pods(wanted)),), egress=(rule(pods(wanted, ALL)),))
    inside = {"In": ["web"], "NotIn": ["db", "tool"], "Exists": ["web", "db"], "DoesNotExist": ["tool"]}[operator]
    outside = [each for each in ("web", "db", "tool") if each not in inside]
    no = [f"shop/{one} > shop/{two}:1" for one in inside for two in outside]
    means(cluster, no=no, yes=[f"shop/{one} > shop/{two}:1" for one in inside for two in inside if one != two])


def test_case_60_no_rules_and_one_empty_rule() -> None:
    means(policy(shop(), "shop/in", DB, ingress=()), no=["shop/web > shop/db:1", f"{OUT} > shop/db:1"])
    means(policy(shop(), "shop/in", DB, ingress=(rule(),)), yes=["shop/web > shop/db:1", f"{OUT} > shop/db:1"])


def test_case_60_types_that_are_left_out() -> None:
    """A policy with egress rules alone isolates for ingress, too, where it does not say otherwise."""
    cluster = policy(shop(), "shop/types", DB, ingress=(), egress=(rule(pods(WEB)),))
    means(cluster, yes=["shop/db > shop/web:1"], no=["shop/web > shop/db:1", "shop/db > shop/tool:1"])


def test_case_60_overlapping_blocks_and_exceptions() -> None:
    one = block("203.0.113.0/24", "203.0.113.0/25", "203.0.113.64/26")
    cluster = into_db(one, block("203.0.113.64/26", "203.0.113.64/32"))
    yes = ["203.0.113.128 > shop/db:1", "203.0.113.65 > shop/db:1"]
    means(cluster, yes=yes, no=["203.0.113.64 > shop/db:1", f"{OUT} > shop/db:1", "203.0.114.1 > shop/db:1"])
    means(into_db(block("203.0.113.6/31", "203.0.113.6/32", "203.0.113.7/32")), no=[f"{OUT} > shop/db:1"])


def test_case_60_a_named_port_that_some_pods_do_not_have() -> None:
    cluster = policy(shop(), "shop/in", ALL, ingress=(rule(ports=(port("sql"),)),))
    means(cluster, yes=["shop/web > shop/db:5432"], no=["shop/db > shop/web:5432", "shop/db > shop/tool:5432"])


def test_case_60_a_range_that_ends_where_it_begins_and_the_last_port() -> None:
    cluster = into_db(ports=(port(65535), port(1, 1)))
    means(cluster, yes=["shop/web > shop/db:65535", "shop/web > shop/db:1"], no=["shop/web > shop/db:65534"])


def test_case_60_sctp_and_a_protocol_that_is_left_out() -> None:
    cluster = into_db(ports=(PolicyPort(protocol="SCTP", port=9), PolicyPort(port=9)))
    means(cluster, yes=["shop/web > shop/db:9/SCTP", "shop/web > shop/db:9/TCP"], no=["shop/web > shop/db:9/UDP"])


def test_case_60_a_policy_that_selects_nothing() -> None:
    cluster = policy(shop(SETTINGS), "shop/none", labelled(app="nobody"), ingress=(), egress=())
    means(cluster, yes=["shop/web > shop/db:1", f"{OUT} > shop/db:1"])
    means(pod(cluster, "shop/late", app="nobody"), no=["shop/web > shop/late:1", "shop/late > shop/web:1"])
