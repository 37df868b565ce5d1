"""One verdict for every object of the cluster, and none for those of others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from applier.adoption.judging import Judgement, Verdict, judge
from applier.adoption.objects import Cluster, Live, Survey
from tests.applier.adoption.values import DOMAIN, There, bootstrap, cluster_of, live, of_namespace, of_pod, refs, there
from tests.applier.kubernetes import uid_of

UID = uid_of("shop", "web-0")


def verdicts(cluster: Cluster, objects: list[Live]) -> dict[Live, Verdict]:
    return {judged.live: judged.verdict for judged in judge(cluster, Survey(objects)).judged}


def reason(judgement: Judgement, of: Live) -> str:
    (found,) = [judged.reason for judged in judgement.judged if judged.live == of]
    return found


@pytest.mark.parametrize(
    ("known", "verdict"),
    [
        ({}, Verdict.REMOVED),
        ({"pods": frozenset({UID})}, Verdict.LEFT),
        ({"unread": frozenset({("shop", "web-0")})}, Verdict.LEFT),
        ({"listed": {}}, Verdict.LEFT),
        ({"listed": {"Pod": 0.0}}, Verdict.LEFT),
        ({"named": frozenset({("shop", "web-0")})}, Verdict.REMOVED),
    ],
)
def test_a_pods_objects_are_removed_only_when_it_is_known_to_be_gone(known: dict[str, Any], verdict: Verdict) -> None:
    contrail = There()
    pod = contrail.pod("web-0")
    found = verdicts(cluster_of(*bootstrap(), namespaces=frozenset({"shop"}), **known), contrail.objects)
    assert [found[each] for each in pod] == [verdict] * 3


def test_an_interface_whose_machine_is_unknown_is_judged_by_its_pods_name() -> None:
    contrail = There()
    lone = contrail.interface("web-0")
    there_still = cluster_of(*bootstrap(), named=frozenset({("shop", "web-0")}))
    assert verdicts(there_still, contrail.objects)[lone] is Verdict.LEFT
    assert verdicts(cluster_of(*bootstrap()), contrail.objects)[lone] is Verdict.REMOVED


def test_what_came_before_a_pod_of_the_same_name_makes_room_for_it() -> None:
    contrail = There()
    machine, interface, address = contrail.pod("web-0", uid=there("an earlier pod"))
    now = cluster_of(
        *bootstrap(), *of_pod("shop", "web-0"), pods=frozenset({UID}), named=frozenset({("shop", "web-0")})
    )
    found = verdicts(now, contrail.objects)
    assert found[machine] is Verdict.REPLACED
    assert found[interface] is found[address] is Verdict.REMOVED
    running = replace(now, pods=frozenset({there("an earlier pod")}))
    assert verdicts(running, contrail.objects)[machine] is Verdict.LEFT


def test_what_somebody_needs_that_stays_is_not_removed() -> None:
    contrail = There()
    machine, interface, address = contrail.pod("web-0")
    floating = live("floating-ip", "a", "b", mark=None, virtual_machine_interface_refs=refs(interface))
    judgement = judge(cluster_of(*bootstrap()), Survey([*contrail.objects, floating]))
    found = {judged.live: judged.verdict for judged in judgement.judged}
    assert found[floating] is found[interface] is found[machine] is Verdict.LEFT
    assert found[address] is Verdict.REMOVED
    assert reason(judgement, interface).endswith(f"but {floating.label} needs it")


def test_a_namespace_that_is_gone_takes_its_project_and_group_and_not_more() -> None:
    contrail = There()
    marks = {"kind": "Namespace", "namespace": "shop"}
    group = live("security-group", *contrail.project.fq_name, "sg", parent=contrail.project.uuid, pairs=marks)
    servers = live(
        "application-policy-set",
        *contrail.project.fq_name,
        "default-application-policy-set",
        parent=contrail.project.uuid,
        mark=None,
    )
    gone, still = cluster_of(*bootstrap()), cluster_of(*bootstrap(), namespaces=frozenset({"shop"}))
    everything = [*contrail.objects, group, servers]
    found = verdicts(gone, everything)
    assert found[contrail.project] is found[group] is Verdict.REMOVED
    assert servers not in found
    assert verdicts(still, everything)[contrail.project] is Verdict.LEFT
    network = live("virtual-network", *contrail.project.fq_name, "n", parent=contrail.project.uuid, pairs=marks)
    isolated = verdicts(gone, [*everything, network])
    assert isolated[network] is isolated[contrail.project] is Verdict.LEFT
    assert isolated[group] is Verdict.REMOVED


def test_what_nobody_translates_yet_is_left_alone_with_everything_that_hangs_on_it() -> None:
    contrail = There()
    marks = {"kind": "Service", "namespace": "shop", "name": "web"}
    at = contrail.project.fq_name
    interface = live("virtual-machine-interface", *at, "k8s__Service__web__u", parent=contrail.project.uuid, mark=None)
    address = live("instance-ip", "web__u", mark=None, virtual_machine_interface_refs=refs(interface))
    balancer = live("loadbalancer", *at, "web__u", pairs=marks, virtual_machine_interface_refs=refs(interface))
    listener = live("loadbalancer-listener", *at, "l", mark=None, loadbalancer_refs=refs(balancer))
    pool = live("loadbalancer-pool", *at, "l", uuid=there("pool"), mark=None, loadbalancer_listener_refs=refs(listener))
    member = live("loadbalancer-member", *at, "l", "m", mark=None, parent=pool.uuid)
    rule = live("firewall-rule", "default-policy-management", "r", mark=None)
    policy = live("firewall-policy", "default-policy-management", "p", firewall_rule_refs=refs(rule))
    sets = live("application-policy-set", "default-policy-management", "k8s", mark=None)
    hanging = [interface, address, balancer, listener, pool, member, rule, policy, sets]
    found = verdicts(cluster_of(*bootstrap()), [*contrail.objects, *hanging])
    assert {found[each] for each in hanging} == {Verdict.LEFT}


def test_objects_of_others_get_no_verdict_at_all() -> None:
    theirs = There(cluster="k8s-a")
    theirs.pod("web-0")
    tenant = live("project", DOMAIN, "accounting", mark=None)
    machine = live("virtual-machine", "vm-1", mark=None)
    interface = live(
        "virtual-machine-interface",
        *tenant.fq_name,
        "p",
        parent=tenant.uuid,
        mark=None,
        virtual_machine_refs=refs(machine),
    )
    sets = live("application-policy-set", "default-policy-management", "k8s-a", mark=None)
    groups = live("address-group", "default-policy-management", "192.0.2.0/24", mark=None)
    assert verdicts(cluster_of(*bootstrap()), [*theirs.objects, tenant, machine, interface, sets, groups]) == {}


def test_what_is_ambiguous_is_touched_by_nobody_and_held_back() -> None:
    contrail = There()
    machine, first, address = contrail.pod("web-0")
    second = contrail.interface("web-0", machine)
    pod = of_pod("shop", "web-0")
    judgement = judge(cluster_of(*bootstrap(), *pod, pods=frozenset({UID})), Survey(contrail.objects))
    found = {judged.live: judged.verdict for judged in judgement.judged}
    assert found[first] is found[second] is Verdict.AMBIGUOUS
    assert found[machine] is Verdict.KEPT
    assert found[address] is Verdict.LEFT
    assert judgement.held.keys() == {pod[1].uuid}


def test_what_the_applier_is_deleting_is_left_to_it() -> None:
    contrail = There()
    pod = contrail.pod("web-0")
    leaving = [replace(each, absent=True) for each in of_pod("shop", "web-0")]
    found = verdicts(cluster_of(*bootstrap(), *leaving), contrail.objects)
    assert found[pod[0]] is Verdict.LEFT  # its uuid is the row's


def test_every_object_of_the_cluster_has_one_verdict() -> None:
    contrail = There()
    for n in range(5):
        contrail.pod(f"web-{n}")
    wanted = [*bootstrap(), *of_namespace("shop"), *of_pod("shop", "web-0")]
    judgement = judge(cluster_of(*wanted, pods=frozenset({UID})), Survey(contrail.objects))
    assert sorted(j.live.uuid for j in judgement.judged) == sorted(o.uuid for o in contrail.objects)
    assert sum(len(judgement.of(verdict)) for verdict in Verdict) == len(judgement.judged)
