"""Policies on every way to them: in any order of events, alone, and after others were there."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.events import ChangeEvent, Op
from schemas.records import (
    ContainerPort,
    IpBlock,
    LabelRequirement,
    LabelSelector,
    NetworkPolicyRecord,
    PolicyPeer,
    PolicyPort,
    PolicyRule,
)
from tests.translator.contrail import foreign_project
from tests.translator.facts import SETTINGS, event, namespace, node, pod
from tests.translator.states import History, check, check_leavers

ALL = LabelSelector()
HTTP = ContainerPort(port=80, name="http")
WEB = pod("web", labels={"app": "web"}, ports=(HTTP,), pod_ips=("10.32.0.2",))
DB = pod("db", labels={"app": "db"}, ports=(ContainerPort(port=81, name="http"),), pod_ips=("10.32.0.3",))
SHOP = namespace(labels={"team": "retail"})


def labelled(**labels: str) -> LabelSelector:
    return LabelSelector(match_labels=labels)


def policy(name: str, selector: LabelSelector = ALL, **fields: Any) -> ChangeEvent:
    return event(Op.UPSERT, "NetworkPolicy", "shop", name, 1, NetworkPolicyRecord(pod_selector=selector, **fields))


def peers(*wanted: PolicyPeer, ports: tuple[PolicyPort, ...] = ()) -> tuple[PolicyRule, ...]:
    return (PolicyRule(peers=wanted, ports=ports),)


DENY = policy("deny", isolates_ingress=True, isolates_egress=True)
INTO = policy(
    "into",
    labelled(app="db"),
    isolates_ingress=True,
    ingress=peers(
        PolicyPeer(pod_selector=labelled(app="web")),
        PolicyPeer(namespace_selector=labelled(team="tools")),
        PolicyPeer(ip_block=IpBlock(cidr="10.0.0.0/8", excluded=("10.1.0.0/16",))),
        ports=(PolicyPort(port_name="http"),),
    ),
)
OUT = policy(
    "out",
    LabelSelector(match_expressions=(LabelRequirement(key="app", operator="NotIn", values=("db",)),)),
    isolates_egress=True,
    egress=peers(PolicyPeer(ip_block=IpBlock(cidr="10.32.0.0/30"))),
)
WHOLE = (node(), SHOP, namespace("tools", labels={"team": "tools"}), WEB, DB, DENY, INTO, OUT)


def test_policies_come_and_go_on_every_way() -> None:
    check(WHOLE[:5], WHOLE, (*WHOLE[:5], DENY))


def test_whatever_leaves_takes_nothing_with_it_that_others_need() -> None:
    check_leavers((SHOP, DB, INTO, OUT), follow=False)  # the simulated API follows in the test before


def test_policies_where_all_namespaces_share_a_project() -> None:
    one = msgspec.structs.replace(SETTINGS, project="tenant")
    check(WHOLE[:5], WHOLE, settings=one, there=[foreign_project("tenant")])


def test_policies_hold_in_isolated_namespaces_networks_of_apps_and_of_others() -> None:
    blue = '{"domain": "default-domain", "project": "k8s-shop", "name": "blue"}'
    home = namespace(isolation="true", labels={"team": "retail"})
    app = pod("app", labels={"app": "web", "opencontrail.org/name": "cart"})
    far = pod("far", labels={"app": "web"}, annotations={"opencontrail.org/network": blue})
    history = History()
    history.become((node(), home, app, far, OUT))
    worn = {
        row.fq_name.split(":")[-1].split("__")[0]: {ref["to"][0] for ref in body["references"] if ref["type"] == "tag"}
        for row in history.backend.store.tables.objects.values()
        if row.type == "virtual-machine-interface"
        for body in [msgspec.json.decode(row.body)]
    }
    every = {"application=k8s.shop", "label=k8s.namespace=shop", "label=k8s.pod", "label=k8s.pod.app=web"}
    assert worn == {"app": {*every, "label=k8s.pod.opencontrail.org~name=cart"}, "far": every}
    links = [row.fq_name for row in history.backend.store.tables.objects.values() if row.type == "link"]
    assert sum(name.startswith("virtual-machine-interface:") for name in links) == 2  # members of NotIn


# What it costs.


def cost(count: int) -> list[tuple[str, str]]:
    """Writes of one policy that selects so many pods."""
    pods = [pod(f"web-{number}", labels={"app": "web"}) for number in range(count)]
    wanted = policy("web", labelled(app="web"), isolates_ingress=True, ingress=peers(PolicyPeer(pod_selector=ALL)))
    history = History()
    history.become((node(), SHOP, *pods))
    changes = history.changes(lambda: history.become((node(), SHOP, *pods, wanted)))
    assert not [read for read in history.dump()["reads"]["Namespace//shop"] if str(read).startswith("Pod/")]
    return sorted(changes)


def test_a_policy_of_labels_costs_the_same_writes_for_any_number_of_pods() -> None:
    assert cost(2) == cost(40)
    assert len(cost(2)) < 10


def test_a_pod_more_or_another_label_costs_no_rule() -> None:
    history = History()
    before = (node(), SHOP, WEB, DB, DENY)
    history.become(before)
    more = pod("web-1", labels={"app": "web"})
    changes = history.changes(lambda: history.become((*before, more)))
    assert sorted({type_ for _, type_ in changes}) == [
        "instance-ip",
        "link",
        "virtual-machine",
        "virtual-machine-interface",
    ]
    moved = pod("web-1", labels={"app": "db"})
    assert history.changes(lambda: history.become((*before, moved))) == [("update", "virtual-machine-interface")]


def test_a_label_of_a_namespace_is_one_write_of_its_project() -> None:
    history = History()
    pods = [pod(f"web-{number}") for number in range(10)]
    history.become((node(), SHOP, *pods, DENY))
    moved = namespace(labels={"team": "tools"})
    changes = history.changes(lambda: history.become((node(), moved, *pods, DENY)))
    assert sorted(changes) == [("create", "tag"), ("delete", "tag"), ("update", "project")]
