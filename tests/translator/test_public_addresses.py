"""Public addresses of services: whose pool, which addresses, which members, and who gets none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.contrail.objects import ContrailObject
from schemas.errors import TranslationError
from schemas.events import ChangeEvent
from schemas.records import ServicePort
from tests.translator.contrail import FollowingContrail, foreign_network, foreign_project
from tests.translator.facts import SETTINGS, namespace, pod
from tests.translator.services import NAMED, cart, endpoint, endpoints, shop
from tests.translator.states import History, State, check, check_leavers
from translator.translate.registry import require_well_formed

POOL = '{"domain": "default-domain", "project": "admin", "network": "%s", "name": "pool"}'


def pool(network: str) -> ContrailObject:
    """The pool of a network that somebody else made."""
    uuid = {"public": "0b6c6b5e-0000-4000-8000-000000000001", "dmz": "0b6c6b5e-0000-4000-8000-000000000002"}[network]
    return ContrailObject(
        "floating-ip-pool", ("default-domain", "admin", network, "pool"), uuid, "virtual-network", {}, ()
    )


THERE = (
    foreign_project("admin"),
    foreign_network("default-domain", "admin", "public", cidr="203.0.113.0/24"),
    foreign_network("default-domain", "admin", "dmz", cidr="198.51.100.0/24"),
    (pool("public"), pool("dmz")),
)


def balancer(*ports: Any, **fields: Any) -> ChangeEvent:
    """A service of type LoadBalancer, with the public pool."""
    annotations = {"opencontrail.org/fip-pool": POOL % "public"}
    return cart(*ports, **{"type": "LoadBalancer", "annotations": annotations, **fields})


def public(state: State, **more: Any) -> dict[str, list[str]]:
    """By network and address of each floating-ip of a pool, the pods behind it."""
    history, contrail = History(**more), FollowingContrail(*THERE)
    history.become(state)
    contrail.follow(history.backend.store)
    assert history.errors() == []
    found = {}
    for each in contrail.everything("floating-ip"):
        if each["parent_type"] == "floating-ip-pool":
            pods = sorted(ref["to"][-1].partition("__")[0] for ref in each.get("virtual_machine_interface_refs") or ())
            found[f"{each['fq_name'][2]} {each['floating_ip_address']}"] = pods
    return found


MEMBERS = (*shop("a", "b"), endpoints("cart-1", "a", endpoint("b", ready=False)))


@pytest.mark.slow
def test_a_load_balancer_gets_an_address_of_contrails_choice() -> None:
    state = (*MEMBERS, balancer())
    [(address, pods)] = public(state).items()
    assert address.startswith("public 203.0.113.") and pods == ["a"]
    check(state, (*MEMBERS, cart()), there=THERE)
    check_leavers(state, there=THERE, follow=False)


def test_a_load_balancer_gets_the_addresses_that_it_names() -> None:
    named = balancer(load_balancer_ip="203.0.113.7")
    assert public((*MEMBERS, named)) == {"public 203.0.113.7": ["a"]}
    both = balancer(load_balancer_ip="203.0.113.7", external_ips=("203.0.113.8",))
    assert public((*MEMBERS, both)) == {"public 203.0.113.7": ["a"], "public 203.0.113.8": ["a"]}
    check((*MEMBERS, named), (*MEMBERS, both), (*MEMBERS, balancer()), there=THERE)


@pytest.mark.parametrize("type_", ["ClusterIP", "NodePort"])
def test_any_service_gets_its_external_ips(type_: str) -> None:
    service = balancer(type=type_, external_ips=("203.0.113.9",), load_balancer_ip="203.0.113.7")
    assert public((*MEMBERS, service)) == {"public 203.0.113.9": ["a"]}


def test_an_address_of_a_family_that_the_service_lacks_is_not_given() -> None:
    mixed = balancer(load_balancer_ip="2001:db8::7", external_ips=("203.0.113.9",))
    assert public((*MEMBERS, mixed)) == {"public 203.0.113.9": ["a"]}
    assert public((*MEMBERS, balancer(load_balancer_ip="2001:db8::7"))) == {}
    check((*MEMBERS, mixed), (*MEMBERS, balancer(load_balancer_ip="2001:db8::7")), there=THERE)


def test_two_spellings_of_an_address_are_one() -> None:
    both = {"cluster_ips": ("10.96.20.7", "fd00:2::7")}
    spelled = balancer(load_balancer_ip="2001:DB8:0::7", external_ips=("2001:db8::7", "203.0.113.9"), **both)
    history = History(replace(SETTINGS, service_subnets=("10.96.0.0/12", "fd00:2::/108")))
    history.become((namespace(), spelled))
    rows = [row for row in history.backend.store.tables.objects.values() if row.type == "floating-ip"]
    said = {json.loads(row.body)["properties"]["floating_ip_address"] for row in rows}
    assert len(rows) == 2 and said == {"2001:db8::7", "203.0.113.9"}


def test_the_services_pool_counts_before_its_namespaces_before_the_clusters() -> None:
    cluster = replace(SETTINGS, public_pool="default-domain:admin:public:pool")
    members = (pod("a"), endpoints("cart-1", "a"))
    plain = balancer(annotations={}, load_balancer_ip="203.0.113.7")
    assert public((namespace(), *members, plain)) == {}
    assert public((namespace(), *members, plain), settings=cluster) == {"public 203.0.113.7": ["a"]}
    there = namespace(fip__pool=POOL % "dmz")
    in_dmz = balancer(annotations={}, load_balancer_ip="198.51.100.7")
    assert public((there, *members, in_dmz), settings=cluster) == {"dmz 198.51.100.7": ["a"]}
    assert public((there, *members, balancer(load_balancer_ip="203.0.113.7"))) == {"public 203.0.113.7": ["a"]}


@pytest.mark.parametrize(
    "fields",
    [
        {"load_balancer_class": "example.com/other"},
        {"load_balancer_source_ranges": ("192.0.2.0/24",), "external_ips": ("203.0.113.9",)},
        {"headless": True, "cluster_ips": ()},
        {"type": "ExternalName", "external_name": "cart.example.com"},
        {"type": "ClusterIP"},
    ],
    ids=lambda fields: "-".join(fields),
)
def test_who_gets_none(fields: dict[str, Any]) -> None:
    assert public((*MEMBERS, balancer(**fields))) == {}


def test_sources_that_are_everybody_and_our_own_class_are_no_hindrance() -> None:
    everybody = ("0.0.0.0/0", "::/0")
    service = balancer(
        load_balancer_class="opencontrail.org/floating-ip-pool",
        load_balancer_source_ranges=everybody,
        load_balancer_ip="203.0.113.7",
    )
    assert public((*MEMBERS, service)) == {"public 203.0.113.7": ["a"]}


def test_behind_a_public_address_are_the_members_of_one_mapping() -> None:
    pods = shop("a", "b", "c")
    slices = (endpoints("cart-1", "a", port=8080), endpoints("cart-2", "b", "c", port=9090))
    service = balancer(NAMED, load_balancer_ip="203.0.113.7")
    state = (*pods, service, *slices)
    assert public(state) == {"public 203.0.113.7": ["b", "c"]}
    fewer = (*pods, service, slices[0], endpoints("cart-2", endpoint("b", ready=False), port=9090))
    assert public(fewer) == {"public 203.0.113.7": ["a"]}
    check(state, fewer, (*pods, service), there=THERE, follow=False)


def test_case_61_pods_that_lack_the_named_port_do_not_close_the_address_of_the_others() -> None:
    slices = (endpoints("cart-1", "a"), endpoints("cart-2", "b", "c", ports=()))
    state = (*shop("a", "b", "c"), balancer(NAMED, load_balancer_ip="203.0.113.7"), *slices)
    assert public(state) == {"public 203.0.113.7": ["a"]}
    check(state, (*state[:-2], slices[1]), there=THERE, follow=False)


def test_while_all_members_end_their_mapping_counts() -> None:
    ending = endpoint("b", ready=False, terminating=True)
    slices = (endpoints("cart-1", endpoint("a", ready=False), port=8080), endpoints("cart-2", ending, port=9090))
    state = (*shop("a", "b"), balancer(NAMED, load_balancer_ip="203.0.113.7"), *slices)
    assert public(state) == {"public 203.0.113.7": ["b"]}
    check(state, state[:-1], there=THERE, follow=False)


def test_the_address_outlives_its_slices_and_changes_of_ports() -> None:
    history, contrail = History(), FollowingContrail(*THERE)
    for state in (
        (*MEMBERS, balancer()),
        (*shop("a"), balancer()),
        (*MEMBERS, balancer(NAMED)),
        (*MEMBERS, balancer(NAMED, ServicePort(port=443, target_port=8443, name="https"))),
    ):
        history.become(state)
        contrail.follow(history.backend.store)
    made = [label for verb, label in contrail.writes if verb == "create" and "floating-ip default-domain" in label]
    assert len(made) == 1


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"external_ips": ("x",)}, "spec.externalIPs has 'x'; accepted are IPv4 and IPv6 addresses"),
        (
            {"load_balancer_source_ranges": ("192.0.2.0/24", "10.0.0.0/33")},
            "spec.loadBalancerSourceRanges has '10.0.0.0/33'; accepted are prefixes as 192.0.2.0/24",
        ),
        ({"load_balancer_ip": "2001:db8::1%eth0"}, "spec.loadBalancerIP has '2001:db8::1%eth0'"),
        ({"load_balancer_ip": "1.2.3"}, "spec.loadBalancerIP has '1.2.3'"),
        ({"cluster_ips": ("",)}, "spec.clusterIPs has ''"),
        ({"annotations": {"opencontrail.org/fip-pool": "pool"}}, "annotation opencontrail.org/fip-pool is 'pool'"),
    ],
)
def test_what_cannot_be_read_is_named(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(TranslationError, match=f"^Service shop/cart: {says}"):
        require_well_formed(cart(**fields))
