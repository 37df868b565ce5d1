"""Objects and links that Contrail would refuse, drop in part or fall over are named before they are sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schemas.contrail.objects import ContrailObject, Link, Reference
from schemas.contrail.rules import check, check_link
from schemas.errors import ModelError

UUID = "0a0b0c0d-0000-4000-8000-000000000001"
PROJECT = ("default-domain", "k8s-shop")
NETWORK = Reference("virtual-network", (*PROJECT, "pods"), UUID)


def interface(**changes: Any) -> ContrailObject:
    whole = ContrailObject(
        "virtual-machine-interface",
        (*PROJECT, "web__eth0"),
        UUID,
        "project",
        {
            "virtual_machine_interface_mac_addresses": {"mac_address": ["02:0a:0b:0c:0d:00"]},
            "annotations": {"key_value_pair": [{"key": "index", "value": "0/1"}]},
        },
        (NETWORK, Reference("virtual-machine", ("k8s__shop__web",), UUID)),
    )
    return replace(whole, **changes)


def annotated(*pairs: dict[str, Any]) -> ContrailObject:
    return interface(properties={"annotations": {"key_value_pair": list(pairs)}})


def referring(*references: Reference) -> ContrailObject:
    return interface(references=references)


def network(*references: Reference, **properties: Any) -> ContrailObject:
    return ContrailObject("virtual-network", (*PROJECT, "pods"), UUID, "project", properties, references)


def ipam(**properties: Any) -> ContrailObject:
    return ContrailObject("network-ipam", (*PROJECT, "ipam"), UUID, "project", properties)


def subnets(prefix: str, length: Any) -> dict[str, Any]:
    return {"subnets": [{"subnet": {"ip_prefix": prefix, "ip_prefix_len": length}}]}


IPAM = Reference("network-ipam", (*PROJECT, "ipam"), UUID)

REFUSED = {
    "unknown type": (interface(type="virtual-machine-interfaces"), "is 'virtual-machine-interface' meant?"),
    "missing parent type": (interface(parent_type=None), "parent_type None is not possible"),
    "illegal parent type": (interface(parent_type="domain"), "accepted are ['virtual-machine', 'project', 'virtual-r"),
    "name without its parent's": (interface(fq_name=("eth0",)), "has 1 parts, a virtual-machine-interface has 3"),
    "colon in a name": (interface(fq_name=(*PROJECT, "a:b")), "'a:b' holds ':'"),
    "empty name": (interface(fq_name=(*PROJECT, "")), "an empty or non-text part"),
    "upper-case uuid": (interface(uuid=UUID.upper()), "is not a lower-case uuid with dashes"),
    "uuid without dashes": (interface(uuid=UUID.replace("-", "")), "is not a lower-case uuid"),
    "misspelt property": (
        interface(properties={"anotations": {}}),
        "no property 'anotations'; is 'annotations' meant?",
    ),
    "reference as a property": (interface(properties={"tag_refs": []}), "references do not belong among properties"),
    "number as an annotation": (
        annotated({"key": "index", "value": 1}),
        "key_value_pair[0].value: text expected, not 1",
    ),
    "annotation twice": (annotated({"key": "a", "value": "1"}, {"key": "a", "value": "2"}), "key 'a' more than once"),
    "misspelt annotation field": (
        annotated({"key": "a", "valeu": "1"}),
        "KeyValuePair has no field 'valeu'; is 'value'",
    ),
    "annotations as a plain map": (
        interface(properties={"annotations": {"index": "0/1"}}),
        "KeyValuePairs has no field",
    ),
    "no network": (referring(), "virtual_network_refs is missing"),
    "illegal reference": (referring(NETWORK, Reference("domain", ("d",), UUID)), "cannot refer to a 'domain'"),
    "misspelt reference": (referring(Reference("virtual-networks", ("d",), UUID)), "is 'virtual-network' meant?"),
    "same reference twice": (referring(NETWORK, NETWORK), "twice"),
    "attribute where there is none": (referring(replace(NETWORK, attr={"a": 1})), "this kind of reference has none"),
    "malformed uuid of a target": (referring(replace(NETWORK, uuid="pods")), "uuid 'pods' is not"),
    "target named without its parent": (referring(replace(NETWORK, fq_name=("pods",))), "a virtual-network has 3"),
    "no attribute for an IPAM": (network(IPAM), "lacks its attribute, a VnSubnetsType (ipam_subnets, host_routes)"),
    "misspelt attribute": (network(replace(IPAM, attr={"subnets": []})), "attr: VnSubnetsType has no field 'subnets'"),
    "no sequence for a policy": (network(Reference("network-policy", (*PROJECT, "p"), UUID)), "lacks its attribute"),
    "unknown choice": (network(address_allocation_mode="flat"), "'flat' is none of user-defined-subnet-preferred"),
    "nested unknown choice": (
        network(virtual_network_properties={"forwarding_mode": "l9"}),
        "virtual_network_properties.forwarding_mode: 'l9' is none of l2_l3, l2, l3",
    ),
    "text for a flag": (network(fabric_snat="true"), "fabric_snat: true or false expected, not 'true'"),
    "flag for a number": (network(mac_aging_time=True), "mac_aging_time: an integer expected, not True"),
    "number out of range": (network(mac_aging_time=90_000), "mac_aging_time: 90000 is not in 0..86400"),
    "list for a structure": (network(route_target_list=["target:1:1"]), "a RouteTargetList (route_target) expected"),
    "structure for a list": (
        network(route_target_list={"route_target": "target:1:1"}),
        ".route_target: a list expected",
    ),
    "impossible prefix": (
        ipam(ipam_subnet_method="flat-subnet", ipam_subnets=subnets("10.300.0.0", 16)),
        "ipam_subnets.subnets[0].subnet: '10.300.0.0/16' is no subnet",
    ),
    "prefix length as text": (
        ipam(ipam_subnet_method="flat-subnet", ipam_subnets=subnets("10.32.0.0", "12")),
        "ip_prefix_len: an integer expected, not '12'",
    ),
    "subnets of an IPAM that is not flat": (ipam(ipam_subnets=subnets("10.32.0.0", 12)), "needs ipam_subnet_method"),
    "address of no network": (ContrailObject("instance-ip", ("ip",), UUID), "takes its address from a network"),
    "monitor without properties": (
        ContrailObject("loadbalancer-healthmonitor", (*PROJECT, "m"), UUID, "project"),
        "property 'loadbalancer_healthmonitor_properties' is missing",
    ),
    "tag of another name": (
        ContrailObject("tag", ("app=web",), UUID, None, {"tag_type_name": "label", "tag_value": "web"}),
        "a tag's name is <tag_type_name>=<tag_value>, here 'label=web'",
    ),
    "interface type of no kind": (
        interface(properties={"virtual_machine_interface_properties": {"service_interface_type": "up"}}),
        "'up' is none of management, left, right, other<n>",
    ),
}


@pytest.mark.parametrize(("wanted", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses_and_says_why(wanted: ContrailObject, said: str) -> None:
    with pytest.raises(ModelError) as raised:
        check(wanted)
    assert said in str(raised.value)


def test_refusal_names_the_object() -> None:
    with pytest.raises(ModelError, match="virtual-network default-domain:k8s-shop:pods: fabric_snat"):
        check(network(fabric_snat="yes"))


@pytest.mark.parametrize(
    "wanted",
    [
        interface(),
        interface(properties={"virtual_machine_interface_properties": {"service_interface_type": "other3"}}),
        network(replace(IPAM, attr={"ipam_subnets": []}), fabric_snat=None),
        ipam(ipam_subnet_method="flat-subnet", ipam_subnets=subnets("fd00::", 64)),
        ContrailObject("virtual-machine", ("k8s__shop__web",), UUID),
        ContrailObject("tag", ("label=web",), UUID, None, {"tag_type_name": "label", "tag_value": "web"}),
        ContrailObject("instance-ip", ("ip",), UUID, None, {}, (NETWORK,)),
    ],
    ids=lambda wanted: wanted.type,
)
def test_takes_what_contrail_takes(wanted: ContrailObject) -> None:
    check(wanted)


LINK = Link("virtual-router", ("default-global-system-config", "node-1"), "virtual-machine", ("k8s__shop__web",), UUID)


def test_takes_a_link_of_a_node_to_a_machine() -> None:
    check_link(LINK)


@pytest.mark.parametrize(
    ("link", "said"),
    [
        (replace(LINK, owner_type="virtual-ruoter"), "is 'virtual-router' meant?"),
        (replace(LINK, target_type="project", target_fq_name=PROJECT), "a virtual-router cannot refer to a 'project'"),
        (replace(LINK, target_uuid="x"), "uuid 'x' is not"),
        (replace(LINK, owner_uuid="x"), "owner_uuid 'x' is not"),
        (replace(LINK, owner_fq_name=("node-1",)), "owner_fq_name ['node-1'] has 1 parts, a virtual-router has 2"),
        (replace(LINK, attr={"a": 1}), "has an attribute, but this kind of reference has none"),
        (
            Link("virtual-network", (*PROJECT, "pods"), "network-policy", (*PROJECT, "np"), UUID),
            "lacks its attribute, a VirtualNetworkPolicyType",
        ),
    ],
)
def test_refuses_links_that_ref_update_would_take_unseen(link: Link, said: str) -> None:
    with pytest.raises(ModelError) as raised:
        check_link(link)
    assert said in str(raised.value)
