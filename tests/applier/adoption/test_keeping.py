"""Which fields of an adopted object are written, and which stay as they are."""

from __future__ import annotations

from typing import Any

from applier.adoption.keeping import Takeover, take_over
from applier.adoption.matching import match
from applier.adoption.objects import Live, Wanted
from applier.aliases import body_as_known
from tests.applier.adoption.values import DOMAIN, There, bootstrap, cluster_of, live, of_namespace, of_pod, refs, uid_of


def takeovers(contrail: There, *wanted: Wanted) -> dict[str, Takeover]:
    """By type."""
    found = match(cluster_of(*bootstrap(), *wanted), contrail.objects)
    by_uuid = take_over(found.pairs.values())
    return {t.pair.live.type: t for uuid, t in by_uuid.items() if uuid in {w.uuid for w in (*bootstrap(), *wanted)}}


def changed(found: Live, **fields: Any) -> Live:
    return Live.of(found.type, {**found.fields, **fields})


def test_a_running_pod_keeps_its_mac_its_tags_and_what_a_person_set() -> None:
    contrail = There()
    _, interface, _ = contrail.pod("web-0")
    contrail.objects.remove(interface)
    tags = [{"to": ["app=web"], "uuid": uid_of("", "t"), "attr": None}]
    contrail.objects.append(changed(interface, tag_refs=tags, virtual_machine_interface_disable_policy=True))
    found = takeovers(contrail, *of_pod("shop", "web-0"))["virtual-machine-interface"]
    assert found.alias is not None
    assert found.alias.kept == {
        "tag_refs": tags,
        "virtual_machine_interface_disable_policy": None,
        "virtual_machine_interface_mac_addresses": {"mac_address": ["02:11:22:33:44:55"]},
    }
    assert found.stays == tuple(sorted(found.alias.kept))
    assert "tag_refs" in found.changes  # ours come beside


def test_of_two_tags_by_which_an_interface_chooses_its_rules_ours_stays() -> None:
    contrail = There()
    _, interface, _ = contrail.pod("web-0")
    contrail.objects.remove(interface)
    tags = [
        {"to": ["application=k8s"], "uuid": uid_of("", "t"), "attr": None},
        {"to": ["app=web"], "uuid": uid_of("", "u"), "attr": None},
    ]
    contrail.objects.append(changed(interface, tag_refs=tags))
    found = takeovers(contrail, *of_pod("shop", "web-0"))["virtual-machine-interface"]
    assert found.alias is not None and found.alias.kept["tag_refs"] == tags[1:]


def test_tags_of_a_pod_that_was_taken_over_follow_its_labels_beside_those_that_stay() -> None:
    contrail = There()
    _, interface, _ = contrail.pod("web-0")
    contrail.objects.remove(interface)
    contrail.objects.append(changed(interface, tag_refs=[{"to": ["app=web"], "uuid": uid_of("", "t"), "attr": None}]))
    alias = takeovers(contrail, *of_pod("shop", "web-0"))["virtual-machine-interface"].alias
    assert alias is not None
    later = next(w for w in of_pod("shop", "web-0", app="db") if w.type == "virtual-machine-interface")
    body = body_as_known(later.type, later.body, alias, {alias.uuid: alias})
    worn = {reference["to"][0] for reference in body["references"] if reference["type"] == "tag"}
    every = {"application=k8s.shop", "label=k8s.namespace=shop", "label=k8s.pod"}
    assert worn == {*every, "label=k8s.pod.app=db", "app=web"}


def test_a_network_keeps_what_its_pods_live_by() -> None:
    contrail = There()
    ipam = live("network-ipam", *contrail.home.fq_name, "k8s-ip-fabric-ipam", mark=None, parent=contrail.home.uuid)
    contrail.objects.append(ipam)
    contrail.objects[1] = changed(
        contrail.network,
        fabric_snat=True,
        address_allocation_mode="flat-subnet-only",
        virtual_network_properties={"forwarding_mode": "l3", "rpf": "enable"},
        network_ipam_refs=[{**refs(ipam)[0], "attr": {"ipam_subnets": [{"subnet_uuid": "s"}]}}],
        route_target_list={"route_target": ["target:64512:1"]},
    )
    found = takeovers(contrail)["virtual-network"]
    assert found.alias is not None
    assert not found.fault
    assert found.alias.kept.keys() == {"fabric_snat", "network_ipam_refs", "route_target_list"}
    assert found.alias.kept["fabric_snat"] is True
    assert found.alias.kept["route_target_list"] is None
    assert found.changes == ("annotations", "network_policy_refs")


def test_references_that_somebody_added_stay_beside_those_that_are_desired() -> None:
    contrail = There()
    _, interface, _ = contrail.pod("web-0")
    contrail.objects.remove(interface)
    theirs = live("security-group", DOMAIN, "k8s-shop", "opened-by-hand", mark=None)
    contrail.objects.append(changed(interface, security_group_refs=refs(theirs)))
    nested = live("network-policy", *contrail.home.fq_name, "k8s-nested-underlay-np", mark=None)
    attr = {"sequence": {"major": 1, "minor": 0}}
    contrail.objects[1] = changed(contrail.network, network_policy_refs=[{**refs(nested)[0], "attr": attr}])
    found = takeovers(contrail, *of_namespace("shop"), *of_pod("shop", "web-0"))
    for type_, field, added in (
        ("virtual-machine-interface", "security_group_refs", theirs),
        ("virtual-network", "network_policy_refs", nested),
    ):
        alias = found[type_].alias
        assert alias is not None
        assert not found[type_].fault
        names = [tuple(ref["to"]) for ref in alias.kept[field]]
        assert added.fq_name in names
        assert len(names) > 1  # and what is desired
        assert field in found[type_].changes  # because that is not there yet


def test_what_cannot_change_is_told_and_not_fought_over() -> None:
    contrail = There()
    name = (*contrail.home.fq_name, "k8s-pod-ipam")
    subnets = {"subnets": [{"subnet": {"ip_prefix": "10.99.0.0", "ip_prefix_len": 16}}]}
    ipam = live("network-ipam", *name, mark=None, ipam_subnet_method="flat-subnet", ipam_subnets=subnets)
    contrail.objects.append(ipam)
    found = takeovers(contrail)["network-ipam"]
    assert found.stays == ("ipam_subnets",)
    assert found.changes == ("annotations",)


def test_a_pod_with_several_interfaces_keeps_how_they_are_counted() -> None:
    contrail = There()
    machine, interface, _ = contrail.pod("web-0")
    contrail.objects.remove(interface)
    contrail.interface("web-0", machine, index="0/2")
    found = takeovers(contrail, *of_pod("shop", "web-0"))["virtual-machine-interface"]
    assert found.alias is not None
    assert found.alias.kept["annotations"] == found.pair.live.fields["annotations"]
    assert "annotations" not in found.changes


def test_references_to_what_is_adopted_as_well_are_no_change() -> None:
    contrail = There()
    contrail.pod("web-0")
    found = takeovers(contrail, *of_namespace("shop"), *of_pod("shop", "web-0"))["instance-ip"]
    assert found.changes == ("annotations",)  # the predecessor wrote another set of them


def test_what_would_break_the_model_is_said_and_not_kept() -> None:
    contrail = There()
    contrail.objects[1] = changed(contrail.network, virtual_network_properties={"unheard_of": 1})
    found = takeovers(contrail)["virtual-network"]
    assert "unheard_of" in found.fault
