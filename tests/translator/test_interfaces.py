"""Interfaces by attachment, and addresses and MACs that a pod asks for: every state by every way.

Cases 26, 27, 34, 37, 38 and 39 of the fault list, as far as interfaces go.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import msgspec
import pytest

from schemas.errors import TranslationError
from schemas.events import ChangeEvent
from tests.translator.contrail import FollowingContrail, Refused, foreign_network, foreign_project
from tests.translator.facts import SETTINGS, attachment, gone, namespace, node, pod, uid
from tests.translator.golden import resource
from tests.translator.states import History, State, check, check_leavers, rows
from translator.notice import Notice, objects_of
from translator.translate.registry import translate
from translator.view import View

NETWORKS = "k8s.v1.cni.cncf.io/networks"
IPS, MAC = "opencontrail.org/ips", "opencontrail.org/mac"
RED = '{"domain": "default-domain", "project": "tenants", "name": "red"}'
TENANTS = (foreign_project("tenants"), foreign_network("default-domain", "tenants", "red"))
NODE, SHOP, INFRA = node(), namespace(), namespace("infra")
BLUE = attachment(cidr="10.200.1.0/24")
TENANT = attachment("tenant", namespace="infra", network=RED)
DUAL = msgspec.structs.replace(SETTINGS, pod_subnets=("10.32.0.0/12", "fd00:10::/64"))
POD_NETWORK = "default-domain:k8s-default:k8s-default-pod-network"
BLUE_NETWORK = "default-domain:k8s-shop:k8s-blue-pod-network"
RED_NETWORK = "default-domain:tenants:red"


def web(networks: object = None, **more: Any) -> ChangeEvent:
    """A pod with this annotation, as text or as objects; `ips` and `mac` are those of its first interface."""
    held = {key: more.pop(name) for name, key in (("ips", IPS), ("mac", MAC)) if name in more}
    if networks is not None:
        held[NETWORKS] = networks if isinstance(networks, str) else json.dumps(networks)
    return pod(more.pop("name", "web"), annotations=held, **more)


def found(state: State, type_: str, **more: Any) -> list[dict[str, Any]]:
    """Bodies of all objects of a type, with `marks` (annotations as a dict) and `network`, by index."""
    result = []
    for row_type, _, _, _, body, _ in rows(state, **more)["objects"].values():
        if row_type != type_:
            continue
        marks = {each["key"]: each["value"] for each in body["properties"]["annotations"]["key_value_pair"]}
        network = [":".join(ref["to"]) for ref in body["references"] if ref["type"] == "virtual-network"]
        result.append({**body["properties"], "marks": marks, "network": "".join(network)})
    return sorted(result, key=lambda each: (each["marks"].get("index", ""), each["network"]))


def interfaces(state: State, **more: Any) -> list[tuple[str, str, str]]:
    """(index, name, network) of every interface."""
    every = found(state, "virtual-machine-interface", **more)
    return [(each["marks"]["index"], each["marks"].get("interface", ""), each["network"]) for each in every]


def following(state: State, *there: Any, **more: Any) -> FollowingContrail:
    """A Contrail that has followed the state."""
    history, contrail = History(**more), FollowingContrail(*there)
    history.become(state)
    assert history.errors() == []
    contrail.follow(history.backend.store)
    return contrail


# Several interfaces.


def test_attachments_come_and_go_by_every_way() -> None:
    both, one = web("blue, infra/tenant@wan0"), web("infra/tenant@wan0")
    check(
        (NODE, SHOP, INFRA, BLUE, TENANT, both),
        (NODE, SHOP, INFRA, TENANT, both),
        (NODE, SHOP, INFRA, BLUE, TENANT, one),
        (NODE, SHOP, INFRA, BLUE, TENANT, web()),
        there=TENANTS,
    )


def test_who_leaves_takes_only_its_own_with_it() -> None:
    check_leavers((NODE, SHOP, BLUE, web("blue"), web("blue", name="db"), attachment("green", cidr="10.200.2.0/24")))


def test_an_attachment_of_another_namespace_belongs_to_that_ones_project() -> None:
    elsewhere = attachment("lan", namespace="infra", cidr="10.200.3.0/24")
    check((NODE, SHOP, INFRA, elsewhere, web("infra/lan")), (NODE, SHOP, elsewhere, web("infra/lan")))
    assert interfaces((NODE, SHOP, INFRA, elsewhere, web("infra/lan")))[1] == (
        "1/2",
        "net1",
        "default-domain:k8s-infra:k8s-lan-pod-network",
    )
    assert interfaces((NODE, SHOP, elsewhere, web("infra/lan"))) == [("0/1", "", POD_NETWORK)]


@pytest.mark.parametrize(
    "networks",
    [
        "shop/blue@data0, infra/tenant",
        [{"name": "blue", "interface": "data0"}, {"name": "tenant", "namespace": "infra"}],
        "[{'name': 'blue', 'interface': 'data0'}, {'name': 'tenant', 'namespace': 'infra', 'portMappings': []}]",
    ],
)
def test_lists_and_objects_say_the_same(networks: object) -> None:
    assert interfaces((NODE, SHOP, INFRA, BLUE, TENANT, web(networks))) == [
        ("0/3", "", POD_NETWORK),
        ("1/3", "data0", BLUE_NETWORK),
        ("2/3", "net2", RED_NETWORK),
    ]


def test_other_plugins_and_absent_attachments_keep_their_places_in_the_list() -> None:
    other = attachment("sriov", config='{"type": "sriov"}')
    state = (NODE, SHOP, BLUE, other, web("sriov,missing,blue,blue"))
    assert interfaces(state) == [
        ("0/3", "", POD_NETWORK),
        ("1/3", "net3", BLUE_NETWORK),
        ("2/3", "net4", BLUE_NETWORK),
    ]
    assert interfaces((NODE, SHOP, web(" "))) == interfaces((NODE, SHOP, web("[]"))) == [("0/1", "", POD_NETWORK)]


def test_a_chain_of_plugins_with_ours_is_ours() -> None:
    chained = attachment(cidr="10.200.1.0/24", config='{"plugins": [{"type": "contrail-k8s-cni"}, {"type": "tuning"}]}')
    assert len(interfaces((NODE, SHOP, chained, web("blue")))) == 2


def test_one_pod_with_an_attachment_costs_two_writes_more() -> None:
    """Machine, interface, address and the router's link; two more for the second interface."""
    history, contrail = History(), FollowingContrail()
    state = [NODE, SHOP, BLUE]
    history.become(tuple(state))
    contrail.follow(history.backend.store)
    for told, calls in ((web(name="plain"), 4), (web("blue"), 6)):
        before = len(contrail.writes)
        state.append(told)
        history.become(tuple(state))
        contrail.follow(history.backend.store)
        assert len(contrail.writes) - before == calls


def test_an_attachment_that_is_added_later_leaves_the_first_interface_as_it_is() -> None:
    """But for the total in its index, which is one write."""
    history, contrail = History(), FollowingContrail()
    history.become((NODE, SHOP, BLUE, web()))
    contrail.follow(history.backend.store)
    before = len(contrail.writes)
    history.become((NODE, SHOP, BLUE, web("blue")))
    contrail.follow(history.backend.store)
    assert sorted(verb for verb, _ in contrail.writes[before:]) == ["create", "create", "update"]


def test_pods_without_attachments_do_not_read_them() -> None:
    history = History()
    history.become((NODE, SHOP, BLUE, web(name="plain"), web("blue")))
    reads = history.dump()["reads"]
    assert reads["Pod/shop/plain"] == ["Namespace//shop", "Node//n1"]
    assert "NetworkAttachmentDefinition/shop/blue" in reads["Pod/shop/web"]


def test_an_attachment_that_an_older_version_took_in_and_nobody_can_read_is_as_if_absent() -> None:
    bad = resource("NetworkAttachmentDefinition", "shop", "blue", body=msgspec.to_builtins(attachment(cidr="?").body))
    web_0 = resource("Pod", "shop", "web", uid=uid("web"), body={"annotations": {NETWORKS: "blue"}})
    home = resource("Namespace", "", "shop")
    view = View(SETTINGS, {bad.key: bad, home.key: home}, {})
    outcome = translate(web_0, view)
    assert [each.reason for each in outcome if isinstance(each, Notice)] == ["AttachmentUnreadable"]
    assert [each.type for each in objects_of(outcome)] == [
        "virtual-machine",
        "virtual-machine-interface",
        "instance-ip",
    ]
    with pytest.raises(TranslationError, match=r"shop/blue: annotation opencontrail\.org/cidr is '\?'"):
        translate(bad, view)


# Networks of attachments.


@pytest.mark.parametrize(
    "cidr", ["10.200.1.0/24,fd01::/64", '["10.200.1.0/24", "fd01::/64"]', "['10.200.1.0/24', 'fd01::/64']"]
)
def test_a_list_of_subnets_gives_an_address_of_each_family(cidr: str) -> None:
    state = (NODE, SHOP, attachment(cidr=cidr), web("blue"))
    families = [(each["network"], each["instance_ip_family"]) for each in found(state, "instance-ip")]
    assert sorted(families) == [(POD_NETWORK, "v4"), (BLUE_NETWORK, "v4"), (BLUE_NETWORK, "v6")]
    given = {each["instance_ip_address"] for each in following(state).everything("instance-ip")}
    assert "10.200.1.252" in given and any(each.startswith("fd01::") for each in given)


def test_subnets_change_by_every_way() -> None:
    wide, moved = attachment(cidr="10.200.1.0/24, 10.200.2.0/24"), attachment(cidr="fd01::/64", ip_fabric_snat="true")
    check((NODE, SHOP, BLUE, web()), (NODE, SHOP, wide, web()), (NODE, SHOP, moved, web()))


def test_a_subnet_that_is_added_leaves_the_others_as_they_are() -> None:
    history, contrail = History(), FollowingContrail()
    history.become((NODE, SHOP, BLUE, web("blue")))
    contrail.follow(history.backend.store)
    before = contrail.everything("instance-ip")
    history.become((NODE, SHOP, attachment(cidr="10.200.1.0/24, 10.200.2.0/24"), web("blue")))
    contrail.follow(history.backend.store)
    assert contrail.everything("instance-ip") == before
    (network,) = (
        each for each in contrail.everything("virtual-network") if each["fq_name"][-1] == "k8s-blue-pod-network"
    )
    subnets = [each["subnet"]["ip_prefix"] for each in network["network_ipam_refs"][0]["attr"]["ipam_subnets"]]
    assert subnets == ["10.200.1.0", "10.200.2.0"]


def test_network_and_ipam_go_with_the_attachment() -> None:
    history, contrail = History(), FollowingContrail()
    history.become((NODE, SHOP, BLUE, web("blue")))
    contrail.follow(history.backend.store)
    assert BLUE_NETWORK in contrail.names("virtual-network")
    history.become((NODE, SHOP, web("blue")))
    contrail.follow(history.backend.store)
    assert BLUE_NETWORK not in contrail.names("virtual-network")
    assert not any("blue" in name for name in contrail.names("network-ipam"))


@pytest.mark.parametrize("settings", [SETTINGS, msgspec.structs.replace(SETTINGS, project="everything")])
def test_no_attachment_takes_the_name_of_another_network(settings: Any) -> None:
    """Attachments named as their namespace, as another one, and as the namespace of the cluster's own networks."""
    isolated = [namespace(name, isolation="true") for name in ("shop", "other")]
    state = [NODE, *isolated, namespace("default")]
    for number, (space, name) in enumerate(
        [("shop", "shop"), ("shop", "other"), ("other", "shop"), ("default", "default"), ("default", "shop")]
    ):
        state.append(attachment(name, namespace=space, cidr=f"10.200.{number}.0/24"))
    there = [foreign_project("everything")] if settings.project else []
    contrail = following(tuple(state), *there, settings=settings)
    ours = [name for name in contrail.names("virtual-network") if ":k8s-" in name]
    assert len(ours) == 2 + 2 * 2 + 5  # the cluster's, those of two isolated namespaces, and the attachments'


# Requested addresses and MACs.


def test_addresses_and_macs_are_asked_for_and_given_up_by_every_way() -> None:
    asked = [{"name": "blue", "ips": ["10.200.1.7/24"], "mac": "02:aa:00:00:00:01"}]
    check(
        (NODE, SHOP, BLUE, web(asked, ips="10.32.0.7", mac="02:00:00:00:00:07")),
        (NODE, SHOP, BLUE, web("blue", ips="10.32.0.8")),
        (NODE, SHOP, BLUE, web("blue")),
    )


def test_an_interface_gets_what_it_asks_for() -> None:
    asked = [{"name": "blue", "ips": ["10.200.1.7/24"], "mac": "02:AA:00:00:00:01"}]
    contrail = following(
        (NODE, SHOP, BLUE, web(asked, ips="10.32.0.7, FD00:10::7", mac="0A:00:00:00:00:07")), settings=DUAL
    )
    given = {each["instance_ip_address"] for each in contrail.everything("instance-ip")}
    assert given == {"10.32.0.7", "fd00:10::7", "10.200.1.7"}
    macs = {
        each["virtual_machine_interface_mac_addresses"]["mac_address"][0]
        for each in contrail.everything("virtual-machine-interface")
    }
    assert macs == {"02:aa:00:00:00:01", "0a:00:00:00:00:07"}


def test_in_a_network_that_is_not_ours_contrail_alone_knows_the_subnets() -> None:
    asked = [{"name": "tenant", "namespace": "infra", "ips": ["172.16.0.9"]}]
    contrail = following((NODE, SHOP, INFRA, TENANT, web(asked)), *TENANTS)
    assert "172.16.0.9" in {each["instance_ip_address"] for each in contrail.everything("instance-ip")}


@pytest.mark.parametrize(
    ("address", "culprit"),
    [
        ("10.200.9.7", "accepted is one of 10.32.0.0/12"),
        ("fd00::7", "accepted is one of 10.32.0.0/12"),
        ("10.32.0.0", "Contrail keeps the first"),
        ("10.47.255.253", "Contrail keeps the first"),
        ("10.47.255.254", "Contrail keeps the first"),
        ("10.47.255.255", "Contrail keeps the first"),
    ],
)
def test_case_39_an_address_that_the_network_cannot_give_is_named_and_nothing_made(address: str, culprit: str) -> None:
    history = History()
    history.become((NODE, SHOP, web(ips=address)))
    (error,) = history.errors()
    asks = f"Pod shop/web: annotation opencontrail.org/ips asks for address {address}; accepted is "
    assert error.startswith(asks) and culprit in error
    assert history.dump()["objects"] == rows((NODE, SHOP))["objects"]
    history.become((NODE, SHOP, web(ips="10.32.0.7")))
    assert history.errors() == []
    assert history.dump() == rows((NODE, SHOP, web(ips="10.32.0.7")))


def test_case_39_an_attachment_whose_subnet_lacks_the_address_is_named_with_the_interface() -> None:
    history = History()
    history.become((NODE, SHOP, BLUE, web([{"name": "blue", "ips": ["10.32.0.7"]}])))
    assert history.errors() == [
        "Pod shop/web: annotation k8s.v1.cni.cncf.io/networks: interface net1 in shop/blue asks for address 10.32.0.7; "
        "accepted is one of 10.200.1.0/24"
    ]


def test_case_39_an_address_that_is_taken_is_refused_by_contrail_alone() -> None:
    history, contrail = History(), FollowingContrail()
    history.become((NODE, SHOP, web(ips="10.32.0.7"), web(name="late", ips="10.32.0.7")))
    assert history.errors() == []
    with pytest.raises(Refused, match="409 IP address already in use"):
        contrail.follow(history.backend.store)
    assert [each["instance_ip_address"] for each in contrail.everything("instance-ip")] == ["10.32.0.7"]


def test_case_39_a_bad_list_leaves_the_interfaces_that_were_there() -> None:
    history = History()
    history.become((NODE, SHOP, BLUE, web("blue")))
    before = history.dump()
    history.become((NODE, SHOP, BLUE, web("[{]")))
    assert history.dump() == before
    assert [error.split(";")[0] for error in history.errors()] == [f"Pod shop/web: annotation {NETWORKS} is '[{{]'"]


# Lives of pods.


def test_case_26_and_27_a_successor_has_interfaces_and_addresses_of_its_own() -> None:
    first, second = web("blue", of="one"), web("blue", of="two", node="n2")
    check((NODE, SHOP, BLUE, first), (NODE, SHOP, BLUE, second))
    uuids = [set(rows((NODE, SHOP, BLUE, each))["objects"]) for each in (first, second)]
    own = set(rows((NODE, SHOP, BLUE))["objects"])
    assert uuids[0] & uuids[1] == own


def test_case_37_a_pod_that_comes_and_goes_at_once_is_nothing() -> None:
    history = History()
    history.become((NODE, SHOP, BLUE))
    before = history.dump()
    history.become((NODE, SHOP, BLUE, web("blue")), squashed=True)
    history.become((NODE, SHOP, BLUE))
    assert history.dump() == before


def test_case_38_new_sandboxes_of_a_pod_change_nothing() -> None:
    history = History()
    history.become((NODE, SHOP, BLUE, web("blue")))
    for ready, address in ((True, "10.32.0.7"), (False, ""), (True, "10.32.0.8")):
        told = web("blue", ready=ready, phase="Running", pod_ips=(address,) if address else ())
        assert history.changes(partial(history.become, (NODE, SHOP, BLUE, told))) == []


def test_a_pod_that_ended_gives_all_of_its_addresses_back() -> None:
    history, contrail = History(), FollowingContrail()
    history.become((NODE, SHOP, BLUE, web("blue", ips="10.32.0.7")))
    contrail.follow(history.backend.store)
    history.become(
        (NODE, SHOP, BLUE, web("blue", ips="10.32.0.7", phase="Succeeded"), web("blue", name="b", ips="10.32.0.7"))
    )
    contrail.follow(history.backend.store)
    assert {each["instance_ip_address"] for each in contrail.everything("instance-ip")} == {"10.32.0.7", "10.200.1.252"}


def test_case_34_attachments_and_pods_with_the_longest_names() -> None:
    long = "a" * 253
    contrail = following((NODE, SHOP, attachment(long, cidr="10.200.1.0/24"), web(f"{long}@a.b-c_d", name="p" * 253)))
    assert f"default-domain:k8s-shop:k8s-{long}-pod-network" in contrail.names("virtual-network")
    assert gone("p" * 253).name in "".join(contrail.names("virtual-machine"))
