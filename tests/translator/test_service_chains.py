"""Service chains: their own objects, and what pods add to them, every state by every way."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.errors import TranslationError
from schemas.events import ChangeEvent
from schemas.records import LabelRequirement
from tests.translator.chains import (
    INSIDE,
    LEFT_NETWORK,
    NODE,
    OUTSIDE,
    POLICY,
    RIGHT_NETWORK,
    SHOP,
    THERE,
    chain,
    end,
    provider,
    selecting,
    service,
    traffic,
)
from tests.translator.contrail import FollowingContrail, foreign_network, foreign_project
from tests.translator.facts import SETTINGS, attachment, namespace, pod
from tests.translator.states import History, State, check, check_leavers, rows
from translator.translate.registry import require_well_formed
from translator.translate.service_chain_pods import is_selected

CHAIN, FIREWALL = chain(), provider()
INSTANCE = "default-domain:k8s-shop:k8s-shop__inspect__firewall__in-network"


def following(state: State, *there: Any, **more: Any) -> FollowingContrail:
    """A Contrail that has followed the state."""
    history, contrail = History(**more), FollowingContrail(*there)
    history.become(state)
    assert history.errors() == []
    contrail.follow(history.backend.store)
    return contrail


def notices(state: State) -> list[tuple[str, str, str]]:
    """(resource, reason, message) of all that the translations of chains, and of their pods for them, notice."""
    history = History()
    history.become(state)
    found = history.backend.store.tables.notices
    return sorted(
        (key, reason, said.message)
        for key, each in found.items()
        for (_, reason), said in each.items()
        if reason in ("NoNetwork", "SameNetwork", "ServiceNotProvided")
    )


def rules(contrail: FollowingContrail, name: str = POLICY) -> list[dict[str, Any]]:
    """Rules of a network-policy in Contrail."""
    [policy] = [each for each in contrail.everything("network-policy") if ":".join(each["fq_name"]) == name]
    return list(policy["network_policy_entries"]["policy_rule"])


def duties(contrail: FollowingContrail) -> dict[str, list[tuple[str, str, str]]]:
    """By port-tuple, (pod, side, network) of its interfaces."""
    found: dict[str, list[tuple[str, str, str]]] = {
        ":".join(pt["fq_name"]): [] for pt in contrail.everything("port-tuple")
    }
    for interface in contrail.everything("virtual-machine-interface"):
        side = (interface.get("virtual_machine_interface_properties") or {}).get("service_interface_type", "")
        for reference in interface.get("port_tuple_refs") or ():
            [network] = [":".join(ref["to"]) for ref in interface["virtual_network_refs"]]
            found[":".join(reference["to"])].append((interface["fq_name"][-1].split("__")[0], side, network))
    return {name: sorted(every) for name, every in found.items()}


def refs(contrail: FollowingContrail, network: str) -> set[str]:
    """Policies that a network is under."""
    [found] = [each for each in contrail.everything("virtual-network") if ":".join(each["fq_name"]) == network]
    return {":".join(ref["to"]) for ref in found.get("network_policy_refs") or ()}


# The chain itself.


def test_a_chain_is_a_template_an_instance_per_service_and_a_policy_on_both_networks() -> None:
    nat = service("nat", "in-network-nat")
    contrail = following((*THERE, chain("inspect", service(), service("ids"), nat)))
    assert contrail.names("service-template") == {
        "default-domain:k8s-shop__in-network",
        "default-domain:k8s-shop__in-network-nat",
    }
    last = "default-domain:k8s-shop:k8s-shop__inspect__nat__in-network-nat"
    [instance] = [each for each in contrail.everything("service-instance") if ":".join(each["fq_name"]) == last]
    assert [each["to"][-1] for each in instance["service_template_refs"]] == ["k8s-shop__in-network-nat"]
    assert instance["service_instance_properties"]["interface_list"] == [
        {"virtual_network": LEFT_NETWORK},
        {"virtual_network": RIGHT_NETWORK},
    ]
    [rule] = rules(contrail)
    through = [INSTANCE, "default-domain:k8s-shop:k8s-shop__inspect__ids__in-network", last]
    assert rule["action_list"]["apply_service"] == through
    assert refs(contrail, LEFT_NETWORK) == refs(contrail, RIGHT_NETWORK) == {POLICY}


def test_what_contrails_controllers_read_of_a_chain_fits_together() -> None:
    """As svc-monitor and schema-transformer read it, by place, by name and by side, which the API does not check."""
    nat = service("nat", "in-network-nat")
    pods = (FIREWALL, provider("fw-1"), provider("nat-0", app="nat"))
    contrail = following((*THERE, chain("inspect", service(), nat), *pods))
    instances = {":".join(each["fq_name"]): each for each in contrail.everything("service-instance")}
    templates = {":".join(each["fq_name"]): each for each in contrail.everything("service-template")}
    networks: dict[str, dict[str, str]] = {}
    for name, each in instances.items():
        [template] = [templates[":".join(ref["to"])] for ref in each["service_template_refs"]]
        sides = template["service_template_properties"]["interface_type"]
        given = each["service_instance_properties"]["interface_list"]
        networks[name] = {
            side["service_interface_type"]: one["virtual_network"] for side, one in zip(sides, given, strict=True)
        }
    assert len(duties(contrail)) == 3
    for name, sides_of in duties(contrail).items():
        assert {side: network for _, side, network in sides_of} == networks[name.rpartition(":")[0]]
    [rule] = rules(contrail)
    assert rule["action_list"]["apply_service"] == [name for name in instances if "firewall" in name] + [
        name for name in instances if "__nat__" in name
    ]
    assert [rule["src_addresses"][0]["virtual_network"], rule["dst_addresses"][0]["virtual_network"]] == [
        *networks[rule["action_list"]["apply_service"][0]].values()
    ]


@pytest.mark.slow
def test_chains_and_their_pods_come_and_go_by_every_way() -> None:
    check(
        (*THERE, CHAIN, FIREWALL),
        (*THERE, CHAIN, FIREWALL, provider("fw-1")),
        (*THERE, FIREWALL),
        (*THERE, CHAIN, provider("fw-0", app="web")),
        (*THERE, CHAIN),
    )


@pytest.mark.slow
def test_services_change_their_order_and_go_by_every_way() -> None:
    both = (service(), service("ids"))
    pods = (FIREWALL, provider("ids-0", app="ids"))
    check(
        (*THERE, chain("inspect", *both), *pods),
        (*THERE, chain("inspect", *both[::-1]), *pods),
        (*THERE, chain("inspect", service("ids")), *pods),
        (*THERE, chain("inspect", service(mode="transparent"), service("ids")), *pods),
    )
    backwards = following((*THERE, chain("inspect", *both[::-1])))
    assert [each.split("__")[2] for each in rules(backwards)[0]["action_list"]["apply_service"]] == ["ids", "firewall"]


@pytest.mark.slow
def test_who_leaves_takes_only_its_own_with_it() -> None:
    check_leavers((SHOP, INSIDE, OUTSIDE, CHAIN, chain("second", service("ids")), FIREWALL))


def test_another_mode_is_another_instance() -> None:
    """schema-transformer reads the mode of an instance once."""
    contrail = following((*THERE, chain("inspect", service(mode="transparent")), FIREWALL))
    other = INSTANCE.replace("in-network", "transparent")
    assert contrail.names("service-instance") == {other}
    assert [name.rpartition(":")[0] for name in duties(contrail)] == [other]


@pytest.mark.parametrize("mode", ["in-network", "in-network-nat", "transparent"])
def test_every_mode_is_taken_by_the_api(mode: str) -> None:
    contrail = following((*THERE, chain("inspect", service(mode=mode)), FIREWALL))
    [template] = contrail.everything("service-template")
    assert template["service_template_properties"]["service_mode"] == mode
    assert template["service_template_properties"]["version"] == 2
    [sides] = duties(contrail).values()
    assert sides == [("fw-0", "left", LEFT_NETWORK), ("fw-0", "right", RIGHT_NETWORK)]


def test_chains_of_a_namespace_share_templates_and_those_of_another_do_not() -> None:
    elsewhere = namespace("infra")
    lan, wan = (
        attachment(name, namespace="infra", cidr=cidr) for name, cidr in (("l", "10.3.0.0/24"), ("w", "10.4.0.0/24"))
    )
    other = msgspec.structs.replace(
        chain("inspect", left=end(attachment="infra/l"), right=end(attachment="infra/w")), namespace="infra", uid="x"
    )
    contrail = following((*THERE, elsewhere, lan, wan, CHAIN, chain("second"), other))
    assert contrail.names("service-template") == {
        "default-domain:k8s-shop__in-network",
        "default-domain:k8s-infra__in-network",
    }


def test_all_that_a_chain_was_goes_with_it() -> None:
    history, contrail = History(), FollowingContrail()
    for state in ((*THERE, CHAIN, FIREWALL), (*THERE, FIREWALL)):
        history.become(state)
        contrail.follow(history.backend.store)
    for type_ in ("service-template", "service-instance", "port-tuple"):
        assert contrail.everything(type_) == []
    assert refs(contrail, LEFT_NETWORK) == set()
    assert not any(
        each.get("virtual_machine_interface_properties") for each in contrail.everything("virtual-machine-interface")
    )


# Its ends.


def test_a_chain_between_two_namespaces_of_which_one_is_isolated() -> None:
    payments, web = namespace("payments", isolation="true"), namespace("web")
    between = chain(left=end(namespace="web"), right=end(namespace="payments"))
    check((SHOP, payments, web, between), (SHOP, payments, between), (SHOP, web, payments, between))
    contrail = following((SHOP, payments, web, between))
    [rule] = rules(contrail)
    assert rule["src_addresses"] == [{"virtual_network": "default-domain:k8s-default:k8s-default-pod-network"}]
    assert rule["dst_addresses"] == [{"virtual_network": "default-domain:k8s-payments:k8s-payments-pod-network"}]


def test_a_chain_to_a_network_that_is_there_already() -> None:
    red = end(network="default-domain:tenants:red")
    named = attachment("outside", network='{"domain": "default-domain", "project": "tenants", "name": "red"}')
    there = (foreign_project("tenants"), foreign_network("default-domain", "tenants", "red"))
    state = (NODE, SHOP, INSIDE, named, chain(right=red), FIREWALL)
    check(state, (NODE, SHOP, INSIDE, named, CHAIN, FIREWALL), there=there)
    contrail = following(state, *there)
    assert refs(contrail, "default-domain:tenants:red") == {POLICY}
    assert [sides[1] for sides in duties(contrail).values()] == [("fw-0", "right", "default-domain:tenants:red")]


def test_a_chain_that_lacks_a_network_is_nothing_yet_and_says_so() -> None:
    check((*THERE, CHAIN, FIREWALL), (NODE, SHOP, INSIDE, CHAIN, FIREWALL), (NODE, SHOP, CHAIN, FIREWALL))
    contrail = following((NODE, SHOP, INSIDE, CHAIN, FIREWALL))
    assert contrail.everything("service-instance") == contrail.everything("port-tuple") == []
    assert notices((NODE, SHOP, INSIDE, CHAIN, FIREWALL)) == [
        (
            "ServiceChain/shop/inspect",
            "NoNetwork",
            "ServiceChain shop/inspect: spec.right is NetworkAttachmentDefinition shop/outside; the chain is made once "
            "it has a network of ours",
        )
    ]


def test_another_plugins_attachment_is_no_network_of_ours() -> None:
    other = attachment("outside", config='{"type": "sriov"}')
    assert [reason for _, reason, _ in notices((NODE, SHOP, INSIDE, other, CHAIN))] == ["NoNetwork"]


def test_two_names_of_one_network_are_no_chain() -> None:
    same = chain(right=end(network=LEFT_NETWORK))
    check((*THERE, same, FIREWALL), (*THERE, CHAIN, FIREWALL))
    assert notices((*THERE, same)) == [
        (
            "ServiceChain/shop/inspect",
            "SameNetwork",
            f"ServiceChain shop/inspect: spec.left and spec.right are both network {LEFT_NETWORK}; nothing is made",
        )
    ]


# Its traffic.


def matched(*wanted: Any, settings: Any = SETTINGS, **fields: Any) -> list[tuple[str, str, list[int], list[int]]]:
    """(direction, protocol, source ports, destination ports) of the rules; -1 is any."""
    state = (*THERE, chain(traffic=wanted, **fields))
    return [
        (
            rule["direction"],
            rule["protocol"],
            [each["start_port"] for each in rule["src_ports"]],
            [each["end_port"] for each in rule["dst_ports"]],
        )
        for rule in rules(following(state, settings=settings))
    ]


def test_a_port_is_reached_through_the_chain_from_both_sides() -> None:
    assert matched(traffic("TCP", 443, (8000, 8010))) == [
        ("<>", "tcp", [-1], [443, 8010]),
        ("<>", "tcp", [443, 8000], [-1]),
    ]


def test_traffic_from_the_left_is_one_rule_of_that_direction() -> None:
    assert matched(traffic("UDP", 53, direction="left-to-right")) == [(">", "udp", [-1], [53])]


@pytest.mark.parametrize(("protocol", "told"), [("any", "any"), ("TCP", "tcp"), ("SCTP", "132"), ("ICMP", "icmp")])
def test_a_protocol_without_ports_is_one_rule(protocol: str, told: str) -> None:
    assert matched(traffic(protocol)) == [("<>", told, [-1], [-1])]


def test_icmp_is_of_both_families_where_a_side_has_both() -> None:
    dual = msgspec.structs.replace(SETTINGS, pod_subnets=("10.32.0.0/12", "fd00:10::/64"))
    told = matched(traffic("ICMP"), settings=dual, right=end(namespace="shop"))
    assert [protocol for _, protocol, _, _ in told] == ["icmp", "icmp6"]


def test_traffic_that_says_the_same_twice_is_one_rule() -> None:
    """Contrail refuses a policy with two rules alike."""
    assert len(matched(traffic("TCP"), traffic("TCP"), traffic("UDP"))) == 2


# Its pods.


def test_only_pods_with_both_interfaces_and_the_labels_provide_a_service() -> None:
    state = (*THERE, CHAIN, FIREWALL, provider("web-0", app="web"), provider("fw-1", networks="inside"))
    contrail = following((*state, provider("fw-2", networks="")))
    assert list(duties(contrail).values()) == [[("fw-0", "left", LEFT_NETWORK), ("fw-0", "right", RIGHT_NETWORK)]]
    assert notices(state) == [
        (
            "Pod/shop/fw-1",
            "ServiceNotProvided",
            "Pod shop/fw-1: service 'firewall' of ServiceChain shop/inspect wants this pod, which has no such "
            f"interface in the right network {RIGHT_NETWORK}",
        )
    ]


def test_the_first_interface_may_be_a_side() -> None:
    """Then the chain begins at the network of the pods."""
    contrail = following((*THERE, chain(left=end(namespace="shop")), provider(networks="outside")))
    [sides] = duties(contrail).values()
    assert sides[0] == ("fw-0", "left", "default-domain:k8s-default:k8s-default-pod-network")


def test_of_several_interfaces_in_a_network_the_named_one_counts() -> None:
    two = provider(networks="inside@in0,inside@in1,outside@out0")
    for left, index in (("", "1/4"), ("in1", "2/4")):
        contrail = following((*THERE, chain("inspect", service(left_interface=left)), two))
        sides = {
            each["virtual_machine_interface_properties"]["service_interface_type"]: marks(each)["index"]
            for each in contrail.everything("virtual-machine-interface")
            if each.get("virtual_machine_interface_properties")
        }
        assert sides == {"left": index, "right": "3/4"}
    missing = chain("inspect", service(left_interface="in7"))
    assert [reason for _, reason, _ in notices((*THERE, missing, two))] == ["ServiceNotProvided"]


def marks(interface: dict[str, Any]) -> dict[str, str]:
    """Annotations of an object of Contrail."""
    return {each["key"]: each["value"] for each in interface["annotations"]["key_value_pair"]}


@pytest.mark.slow
def test_a_pod_may_serve_several_chains_with_the_same_sides() -> None:
    state = (*THERE, CHAIN, chain("second"), FIREWALL)
    check(state, (*THERE, CHAIN, FIREWALL), (*THERE, chain("second"), FIREWALL))
    assert len(duties(following(state))) == 2


def test_an_interface_has_one_side_and_the_first_chain_by_name_decides() -> None:
    turned = chain("back", left=end(attachment="shop/outside"), right=end(attachment="shop/inside"))
    state = (*THERE, CHAIN, turned, FIREWALL)
    check(state, (*THERE, CHAIN, FIREWALL), (*THERE, turned, FIREWALL))
    [(name, sides)] = duties(following(state)).items()
    assert "__back__" in name
    assert sides == [("fw-0", "left", RIGHT_NETWORK), ("fw-0", "right", LEFT_NETWORK)]
    [(_, reason, message)] = notices(state)
    assert (reason, "is the right one of a service already, not the left" in message) == ("ServiceNotProvided", True)


def test_a_pod_that_ended_provides_nothing_and_its_successor_does() -> None:
    successor = provider(of="successor")
    check((*THERE, CHAIN, FIREWALL), (*THERE, CHAIN, provider(phase="Failed")), (*THERE, CHAIN, successor))
    assert duties(following((*THERE, CHAIN, provider(phase="Failed")))) == {}


def test_pods_of_other_namespaces_provide_nothing() -> None:
    infra = namespace("infra")
    other = pod(
        "fw-0",
        namespace="infra",
        labels={"app": "firewall"},
        annotations={"k8s.v1.cni.cncf.io/networks": "shop/inside,shop/outside"},
    )
    assert duties(following((*THERE, infra, CHAIN, other))) == {}


def test_a_pod_with_one_interface_asks_for_no_chain() -> None:
    ordinary = rows((*THERE, CHAIN, pod("web")))
    assert not [key for key in ordinary["reads"]["Pod/shop/web"] if key.startswith("ServiceChain")]


def test_a_change_of_labels_of_a_provider_writes_its_own_objects_only() -> None:
    history = History()
    history.become((*THERE, CHAIN, FIREWALL, provider("fw-1")))
    changed = history.changes(lambda: history.become((*THERE, CHAIN, provider(app="web"), provider("fw-1"))))
    types = sorted({type_ for _, type_ in changed} - {"tag"})
    assert types == ["link", "port-tuple", "virtual-machine-interface"]
    assert [each for each in changed if each[1] in types[:2]] == [("delete", "port-tuple"), *[("delete", "link")] * 2]


def test_an_interface_never_waits_for_a_chain() -> None:
    """It is linked to its port-tuple; it does not refer to it itself."""
    found = rows((*THERE, CHAIN, FIREWALL))["objects"].values()
    bodies = [body for type_, _, _, _, body, _ in found if type_ == "virtual-machine-interface"]
    assert len(bodies) == 3
    assert not [ref for body in bodies for ref in body["references"] if ref["type"] == "port-tuple"]


@pytest.mark.parametrize(
    ("labels", "selected"),
    [({"tier": "edge"}, True), ({"tier": "core"}, False), ({}, False), ({"tier": "edge", "off": ""}, False)],
)
def test_a_selector_of_all_operators(labels: dict[str, str], selected: bool) -> None:
    selector = selecting(
        LabelRequirement(key="tier", operator="In", values=("edge", "rim")),
        LabelRequirement(key="tier", operator="NotIn", values=("core",)),
        LabelRequirement(key="tier", operator="Exists"),
        LabelRequirement(key="off", operator="DoesNotExist"),
    )
    assert is_selected(selector, labels) is selected


def test_an_empty_selector_selects_everything() -> None:
    assert is_selected(selecting(), {}) and is_selected(selecting(), {"app": "web"})


# What can never be.


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            chain(right=end(attachment="shop/inside")),
            "ServiceChain shop/inspect: spec.left and spec.right are the same; accepted are two networks",
        ),
        (
            chain("inspect", service("nat", "in-network-nat"), service()),
            "ServiceChain shop/inspect: spec.services[0].mode is 'in-network-nat' before service 'firewall'; accepted "
            "is it of the last service, because behind it nothing knows the way back",
        ),
        (
            chain("inspect", service(left_interface="net1", right_interface="net1")),
            "ServiceChain shop/inspect: spec.services[0]: leftInterface and rightInterface are 'net1'; accepted are "
            "two interfaces of the pod",
        ),
    ],
)
def test_a_chain_that_cannot_be_is_named_and_what_was_there_stays(wrong: ChangeEvent, said: str) -> None:
    with pytest.raises(TranslationError) as error:
        require_well_formed(wrong)
    assert str(error.value) == said
    history = History()
    history.become((*THERE, CHAIN, FIREWALL))
    before = history.dump()["objects"]
    history.become((*THERE, wrong, FIREWALL))
    assert history.errors() == [said]
    assert history.dump()["objects"] == before
