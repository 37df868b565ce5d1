"""Policies of administrators in the store: whose lists they change, in which order, and what is put aside."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events import ChangeEvent, Op
from schemas.records import (
    AdminNetworkPolicyRecord,
    AdminPeer,
    AdminPods,
    AdminPort,
    AdminRule,
    BaselineAdminNetworkPolicyRecord,
    LabelRequirement,
    LabelSelector,
    NetworkPolicyRecord,
)
from tests.translator.facts import event, namespace, node, pod
from tests.translator.states import History, check, check_leavers

EVERY = LabelSelector()
X, Y = LabelSelector(match_labels={"team": "x"}), LabelSelector(match_labels={"team": "y"})
NOT_WEB = LabelSelector(match_expressions=(LabelRequirement(key="app", operator="NotIn", values=("web",)),))
SHOP, OPS = namespace("shop", labels={"team": "x"}), namespace("ops", labels={"team": "y"})
PODS = (
    pod("web", labels={"app": "web"}, pod_ips=("10.32.0.1",)),
    pod("db", labels={"app": "db"}, pod_ips=("10.32.0.2",)),
    pod("probe", namespace="ops", labels={"app": "probe"}, pod_ips=("10.32.0.3",)),
)


def rule(action: str, *peers: AdminPeer, ports: tuple[AdminPort, ...] = ()) -> AdminRule:
    return AdminRule(action=action, peers=peers, ports=ports)


def of(namespaces: LabelSelector = EVERY, pods: LabelSelector = EVERY) -> AdminPeer:
    return AdminPeer(pods=AdminPods(namespace_selector=namespaces, pod_selector=pods))


def admin(name: str, priority: int, **fields: Any) -> ChangeEvent:
    """Of all pods of team x, unless a subject is given."""
    body = AdminNetworkPolicyRecord(**{"priority": priority, "subject": AdminPods(namespace_selector=X), **fields})
    return event(Op.UPSERT, "AdminNetworkPolicy", "", name, 1, body)


def baseline(**fields: Any) -> ChangeEvent:
    body = BaselineAdminNetworkPolicyRecord(**fields)
    return event(Op.UPSERT, "BaselineAdminNetworkPolicy", "", "default", 1, body)


ALLOWED = admin("allowed", 1, ingress=(rule("Allow", of(Y), ports=(AdminPort(protocol="TCP", port=9100),)),))
PASSED = admin("passed", 2, egress=(rule("Pass", of(X)), rule("Pass", of(Y, NOT_WEB))))
DENIED = admin(
    "denied", 3, egress=(rule("Deny", of(), AdminPeer(nodes=LabelSelector()), AdminPeer(networks=("203.0.113.0/24",))),)
)
NAMED = admin("named", 4, ingress=(rule("Deny", of(pods=NOT_WEB), ports=(AdminPort(port_name="http"),)),))
BEHIND = baseline(ingress=(rule("Deny", of()),), egress=(rule("Deny", AdminPeer(networks=("0.0.0.0/0",))),))
CLOSED = event(
    Op.UPSERT,
    "NetworkPolicy",
    "shop",
    "closed",
    1,
    NetworkPolicyRecord(pod_selector=LabelSelector(match_labels={"app": "db"}), isolates_ingress=True),
)


def lists(history: History) -> set[str]:
    """Names of the lists that there are."""
    rows = history.backend.store.tables.objects.values()
    return {row.fq_name.rpartition("__")[2] for row in rows if row.type == "firewall-policy" and not row.absent}


def test_every_way_to_a_state_of_tiers_gives_its_rows() -> None:
    check(
        (SHOP, OPS, *PODS, node(), ALLOWED, PASSED), (SHOP, OPS, *PODS, DENIED, BEHIND), (SHOP, *PODS, BEHIND, CLOSED)
    )


@pytest.mark.slow
def test_who_leaves_the_tiers_leaves_nothing_behind() -> None:
    check_leavers((SHOP, OPS, PASSED, DENIED, BEHIND))
    check_leavers((SHOP, PODS[0], PODS[1], NAMED), follow=False)


def test_only_namespaces_with_subjects_have_a_list() -> None:
    history = History()
    history.become((SHOP, OPS, *PODS, ALLOWED))
    assert lists(history) == {"shop"}
    history.become((SHOP, OPS, *PODS, ALLOWED, BEHIND))
    assert lists(history) == {"shop", "ops"}
    history.become((SHOP, namespace("ops", labels={"team": "x"}), *PODS, ALLOWED))
    assert lists(history) == {"shop", "ops"}
    history.become((SHOP, OPS, *PODS))
    assert lists(history) == set()


def test_a_policy_of_administrators_is_a_few_writes_per_namespace_whatever_pods_there_are() -> None:
    history = History()
    history.become((SHOP, OPS, *PODS))
    few = history.changes(lambda: history.become((SHOP, OPS, *PODS, ALLOWED)))
    more = tuple(pod(f"more-{number}", labels={"app": "web"}) for number in range(20))
    other = History()
    other.become((SHOP, OPS, *PODS, *more))
    assert other.changes(lambda: other.become((SHOP, OPS, *PODS, *more, ALLOWED))) == few
    assert {type_ for _, type_ in few} <= {"tag", "firewall-rule", "firewall-policy", "application-policy-set"}


@pytest.mark.parametrize("known", [(), (DENIED,)], ids=["new", "known"])
def test_a_policy_with_domain_names_is_put_aside_and_its_last_good_state_stays(known: tuple[ChangeEvent, ...]) -> None:
    history = History()
    history.become((SHOP, *PODS, *known))
    before = history.dump()
    names = rule("Allow", AdminPeer(domain_names=("*.example.org", "example.org")))
    history.become((SHOP, *PODS, admin("denied", 3, egress=(rule("Allow", of()), names))))
    assert history.dump() == before
    assert history.errors() == [
        "AdminNetworkPolicy denied: spec.egress[1].to has domainNames *.example.org, example.org; accepted are "
        "namespaces, pods, nodes and networks, because Contrail's firewall knows addresses only"
    ]
