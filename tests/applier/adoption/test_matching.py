"""Which object of Contrail serves which desired one, and what is left undecided."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from applier.adoption.matching import By, Matching, match
from applier.adoption.objects import Live, Wanted
from applier.rows import Alias
from schemas.contrail.objects import joined
from tests.applier.adoption.values import (
    DOMAIN,
    There,
    bootstrap,
    cluster_of,
    live,
    of_namespace,
    of_pod,
    refs,
    there,
)


def served(found: Matching) -> dict[str, str]:
    """Contrail's uuid by the store's."""
    return {uuid: pair.live.uuid for uuid, pair in found.pairs.items()}


def test_a_pods_objects_are_found_by_its_machine() -> None:
    contrail = There()
    machine, interface, address = contrail.pod("web-0")
    pod = of_pod("shop", "web-0")
    found = match(cluster_of(*bootstrap(), *of_namespace("shop"), *pod), contrail.objects)
    assert [found.pairs[each.uuid].live for each in pod] == [machine, interface, address]
    assert [found.pairs[each.uuid].by for each in pod] == [By.UUID, By.POD, By.FAMILY]
    assert not found.doubts


def test_a_pod_that_is_not_there_yet_is_in_nobodys_way() -> None:
    found = match(cluster_of(*bootstrap(), *of_pod("shop", "web-0")), There().objects)
    assert not found.doubts
    assert not {each.uuid for each in of_pod("shop", "web-0")} & found.pairs.keys()


def test_two_interfaces_of_one_index_are_not_chosen_among() -> None:
    contrail = There()
    machine, first, _ = contrail.pod("web-0")
    second = contrail.interface("web-0", machine)
    pod = of_pod("shop", "web-0")
    found = match(cluster_of(*bootstrap(), *pod), contrail.objects)
    doubt = found.doubts[pod[1].uuid]
    assert doubt.several
    assert set(doubt.among) == {first, second}
    assert pod[2].uuid not in found.pairs


def test_an_interface_of_ours_beside_one_of_theirs_is_not_chosen_either() -> None:
    contrail = There()
    machine, theirs, _ = contrail.pod("web-0")
    pod = of_pod("shop", "web-0")
    own = live(
        "virtual-machine-interface",
        *pod[1].fq_name.split(":"),
        uuid=pod[1].uuid,
        pairs={"index": "0/1", "network": "default"},
        virtual_machine_refs=refs(machine),
        virtual_network_refs=refs(contrail.network),
    )
    found = match(cluster_of(*bootstrap(), *pod), [*contrail.objects, own])
    assert set(found.doubts[pod[1].uuid].among) == {own, theirs}
    alone = match(cluster_of(*bootstrap(), *pod), [o for o in contrail.objects if o != theirs] + [own])
    assert alone.pairs[pod[1].uuid].by is By.UUID


def test_an_interface_for_another_attachment_is_no_candidate() -> None:
    contrail = There()
    machine, interface, _ = contrail.pod("web-0")
    contrail.interface("web-0", machine, index="1/2", called="net1")
    pod = of_pod("shop", "web-0")
    found = match(cluster_of(*bootstrap(), *pod), contrail.objects)
    assert found.pairs[pod[1].uuid].live == interface


def test_an_interface_without_annotations_is_known_by_its_machine_and_name() -> None:
    contrail = There()
    machine, _, _ = contrail.pod("web-0")
    contrail.objects = [o for o in contrail.objects if o.type != "virtual-machine-interface"]
    uuid = there("unmarked")
    for name, fits in ((f"web-0__{uuid}", True), ("web-0__other", False), (f"web__{uuid}", False)):
        unmarked = live(
            "virtual-machine-interface",
            *contrail.project.fq_name,
            name,
            uuid=uuid,
            mark=None,
            virtual_machine_refs=refs(machine),
            virtual_network_refs=refs(contrail.network),
        )
        pod = of_pod("shop", "web-0")
        found = match(cluster_of(*bootstrap(), *pod), [*contrail.objects, unmarked])
        assert (pod[1].uuid in found.pairs) is fits, name


def test_a_running_pod_is_never_moved_to_another_network() -> None:
    contrail = There()
    isolated = live("virtual-network", *contrail.project.fq_name, "k8s-shop-pod-network")
    machine, _, _ = contrail.pod("web-0")
    contrail.objects = [*(o for o in contrail.objects if o.type != "virtual-machine-interface"), isolated]
    interface = contrail.interface("web-0", machine, network=isolated)
    pod = of_pod("shop", "web-0")
    found = match(cluster_of(*bootstrap(), *pod), contrail.objects)
    assert found.doubts[pod[1].uuid].among == (interface,)
    assert "k8s-shop-pod-network" in found.doubts[pod[1].uuid].reason


@pytest.mark.parametrize(
    ("addresses", "fits"),
    [
        (["10.47.0.1"], True),
        (["10.47.0.1", "10.47.0.2"], False),
        (["10.47.0.1", "fd00::1"], True),
        (["fd00::1"], None),
        ([""], None),
    ],
)
def test_addresses_are_found_by_interface_and_family(addresses: list[str], fits: bool | None) -> None:
    contrail = There()
    _, interface, first = contrail.pod("web-0")
    contrail.objects.remove(first)
    made = [contrail.address("web-0", interface, address=each) for each in addresses]
    pod = of_pod("shop", "web-0")
    found = match(cluster_of(*bootstrap(), *pod), contrail.objects)
    if fits:
        assert found.pairs[pod[2].uuid].live == made[0]
    else:
        assert pod[2].uuid not in found.pairs
        assert (pod[2].uuid in found.doubts) is (fits is False)


def test_shared_and_secondary_addresses_are_no_pods_first() -> None:
    contrail = There()
    _, interface, first = contrail.pod("web-0")
    _, other, _ = contrail.pod("web-1")
    contrail.address("web-0", interface, address="10.47.0.9", instance_ip_secondary=True)
    contrail.address("web-0", interface, other, address="10.47.0.8")
    pod = of_pod("shop", "web-0")
    found = match(cluster_of(*bootstrap(), *pod), contrail.objects)
    assert found.pairs[pod[2].uuid].live == first


def test_two_clusters_whose_names_begin_alike_never_meet() -> None:
    """Cluster k8s with namespace a-default, and cluster k8s-a: one name in Contrail, made by k8s-a."""
    theirs = There(cluster="k8s-a")
    theirs.pod("web-0")
    # Made at the start of k8s-a, so without any mark; and marked ones of its namespaces.
    marked = live("project", DOMAIN, "k8s-a-b", mark=("k8s", "k8s-a"), pairs={"kind": "Namespace"})
    wanted = [*bootstrap(), *of_namespace("a-default"), *of_namespace("a-b"), *of_namespace("a-shop")]
    found = match(cluster_of(*wanted), [*theirs.objects, marked])
    assert not found.pairs
    among = {doubt.among[0] for doubt in found.doubts.values()}
    assert among == {theirs.home, theirs.project, marked}
    mine = match(cluster_of(*bootstrap("k8s-a"), cluster="k8s-a"), theirs.objects)
    assert {pair.live for pair in mine.pairs.values()} == {theirs.home, theirs.network}


def test_an_unmarked_object_is_taken_only_where_the_predecessor_leaves_out_marks() -> None:
    unmarked = live("project", DOMAIN, "k8s-shop", mark=None)
    early = live("project", DOMAIN, "k8s-kube-system", mark=None)
    group = live(
        "security-group", DOMAIN, "k8s-kube-system", "k8s-kube-system-default-sg", mark=None, parent=early.uuid
    )
    wanted = [*of_namespace("shop"), *of_namespace("kube-system")]
    found = match(cluster_of(*wanted), [unmarked, early, group])
    assert set(served(found).values()) == {early.uuid, group.uuid}
    assert [doubt.among for doubt in found.doubts.values()] == [(unmarked,)]


def test_an_unmarked_object_below_a_project_that_is_ours_is_ours() -> None:
    """Kube-manager puts no mark on the policy between an isolated namespace's networks."""
    contrail = There()
    name = (*contrail.project.fq_name, "k8s-shop-pod-service-np")
    for parent, fits in ((contrail.project.uuid, True), (there("another"), False)):
        policy = live("network-policy", *name, mark=None, parent=parent)
        desired = replace(bootstrap()[-1], uuid=there("ours"), type="network-policy", fq_name=joined(name))
        found = match(cluster_of(*bootstrap(), *of_namespace("shop"), desired), [*contrail.objects, policy])
        assert (desired.uuid in found.pairs) is fits


def test_all_of_a_cluster_may_be_in_one_project_that_is_not_its_own() -> None:
    shared = live("project", DOMAIN, "tenants", mark=None)
    network = live("virtual-network", *shared.fq_name, "k8s-default-pod-network", mark=None, parent=shared.uuid)
    other = live("virtual-network", *shared.fq_name, "k8s-a-default-pod-network", mark=None, parent=shared.uuid)
    desired = [
        replace(w, fq_name=w.fq_name.replace("k8s-default:", "tenants:")) for w in bootstrap() if w.type != "project"
    ]
    found = match(cluster_of(*desired), [shared, network, other])
    assert {pair.live for pair in found.pairs.values()} == {network}


def test_the_machine_of_an_earlier_pod_of_the_name_does_not_serve() -> None:
    contrail = There()
    old, _, _ = contrail.pod("web-0", uid=there("an earlier pod"))
    pod = of_pod("shop", "web-0")
    found = match(cluster_of(*bootstrap(), *pod), contrail.objects)
    assert found.doubts[pod[0].uuid].among == (old,)
    assert not {each.uuid for each in pod} & found.pairs.keys()


def test_several_objects_of_one_name_are_not_chosen_among() -> None:
    """The API checks and writes without a lock where uuids are sent: a name may be there twice."""
    twice = [live("project", DOMAIN, "k8s-shop", uuid=there(f"project {n}")) for n in range(2)]
    wanted = of_namespace("shop")
    found = match(cluster_of(*wanted), twice)
    assert found.doubts[wanted[0].uuid].several
    assert not found.pairs


def test_what_was_adopted_before_is_found_again_and_not_where_it_is_gone() -> None:
    contrail = There()
    machine, interface, _ = contrail.pod("web-0")
    pod = of_pod("shop", "web-0")
    name = joined(interface.fq_name)
    adopted = replace(pod[1], alias=Alias(pod[1].uuid, pod[1].type, pod[1].fq_name, interface.uuid, name))
    contrail.interface("web-0", machine)  # a second one does not make the decision undone
    found = match(cluster_of(*bootstrap(), pod[0], adopted, pod[2]), contrail.objects)
    assert found.pairs[pod[1].uuid].by is By.ALIAS
    lost = [o for o in contrail.objects if o != interface]
    assert match(cluster_of(*bootstrap(), pod[0], adopted), lost).pairs[pod[1].uuid].by is By.POD


WANTED = [*bootstrap(), *of_namespace("shop"), *of_pod("shop", "web-0"), *of_pod("shop", "web-1")]


def _everything() -> list[Live]:
    contrail = There()
    pods = [contrail.pod(name) for name in ("web-0", "web-1")]
    machines = [pod[0] for pod in pods]
    contrail.interface("web-0", *machines)
    contrail.interface("web-1", machines[1])
    contrail.address("web-0", pods[0][1], pods[1][1])
    contrail.address("web-1", pods[1][1], address="fd00::5")
    contrail.objects += [
        live("project", DOMAIN, "k8s-shop", uuid=there("another"), mark=mark) for mark in (None, ("x", ""))
    ]
    contrail.objects += [live(w.type, *w.fq_name.split(":"), uuid=w.uuid) for w in WANTED]
    return contrail.objects


@settings(max_examples=150, deadline=None)
@given(
    picked=st.lists(st.sampled_from(_everything()), unique_by=lambda each: each.uuid),
    aliases=st.dictionaries(st.sampled_from([w.uuid for w in WANTED]), st.sampled_from(_everything())),
    absent=st.sets(st.sampled_from([w.uuid for w in WANTED])),
)
def test_no_object_ever_serves_two_and_none_is_served_twice(
    picked: list[Live], aliases: dict[str, Live], absent: set[str]
) -> None:
    def known(each: Wanted) -> Wanted:
        target = aliases.get(each.uuid)
        alias = Alias(each.uuid, each.type, each.fq_name, target.uuid, joined(target.fq_name)) if target else None
        return replace(each, alias=alias, absent=each.uuid in absent)

    wanted = [known(each) for each in WANTED]
    found = match(cluster_of(*wanted), picked)
    lives = [pair.live.uuid for pair in found.pairs.values()]
    assert len(lives) == len(set(lives))
    assert {uuid: wanted for wanted, uuid in served(found).items()}.items() <= found.taken.items()
    assert not found.pairs.keys() & absent
    assert not found.pairs.keys() & found.doubts.keys()
    for uuid, pair in found.pairs.items():
        assert (pair.wanted.uuid, pair.wanted.type) == (uuid, pair.live.type)
        assert pair.live in picked
        assert pair.live.mark in (("k8s", "k8s"), None) or pair.by is By.ALIAS
    assert match(cluster_of(*reversed(wanted)), list(reversed(picked))).pairs.keys() == found.pairs.keys()


def test_a_row_whose_adopted_object_serves_another_is_not_paired_by_its_own_uuid_instead() -> None:
    mine, leaving = (w for w in WANTED if w.type == "network-ipam" and w.fq_name.endswith(("pod-ipam", "service-ipam")))
    objects = [live(w.type, *w.fq_name.split(":"), uuid=w.uuid) for w in (mine, leaving)]
    alias = Alias(mine.uuid, mine.type, mine.fq_name, leaving.uuid, leaving.fq_name)
    found = match(cluster_of(replace(mine, alias=alias), replace(leaving, absent=True)), objects)
    assert mine.uuid in found.doubts
    assert mine.uuid not in found.pairs
