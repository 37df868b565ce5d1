"""Services by EndpointSlice: what every way to a state gives, what Contrail holds then, and what a step writes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.contrail.objects import annotations_of
from schemas.events import ChangeEvent
from schemas.records import ServicePort
from tests.translator.contrail import FollowingContrail
from tests.translator.facts import SETTINGS, namespace, pod, service, uid
from tests.translator.services import HTTP, NAMED, SELECTOR, cart, endpoint, endpoints, shop
from tests.translator.states import History, State, check, check_leavers, rows


def served(state: State, **more: Any) -> dict[str, list[str]]:
    """What the floating-ips of Contrail say after this state, by address and mapping: see `said`."""
    history, contrail = History(**more), FollowingContrail()
    history.become(state)
    contrail.follow(history.backend.store)
    assert history.errors() == []
    return said(contrail)


def said(contrail: FollowingContrail) -> dict[str, list[str]]:
    """By address and its mappings ('10.96.20.7 TCP/80=8080'), the pods behind it."""
    found: dict[str, list[str]] = {}
    for each in contrail.everything("floating-ip"):
        maps = (each.get("floating_ip_port_mappings") or {}).get("port_mappings") or ()
        text = " ".join(f"{m['protocol']}/{m['src_port']}={m['dst_port']}" for m in maps)
        pods = sorted(ref["to"][-1].partition("__")[0] for ref in each.get("virtual_machine_interface_refs") or ())
        assert f"{each['floating_ip_address']} {text}" not in found
        found[f"{each['floating_ip_address']} {text}"] = pods
    return found


def steps(*states: State) -> list[list[tuple[str, str]]]:
    """Calls that each state after the first costs: (verb, type)."""
    history, contrail = History(), FollowingContrail()
    result = []
    for state in states:
        contrail.writes.clear()
        history.become(state)
        contrail.follow(history.backend.store)
        result.append([(verb, label.split()[0]) for verb, label in contrail.writes])
    return result[1:]


@pytest.mark.slow
def test_a_cluster_address_leads_to_the_ready_pods() -> None:
    state = (*shop("a", "b", "c"), cart(), endpoints("cart-1", "a", "b", endpoint("c", ready=False, serving=False)))
    assert served(state) == {"10.96.20.7 TCP/80=8080": ["a", "b"]}
    check(state, (*shop("a"), cart(), endpoints("cart-1", "a", "b")), shop("a", "b"))
    check_leavers(state, follow=False)


def test_several_ports_and_protocols_are_one_floating_ip() -> None:
    ports = (
        ServicePort(port=53, target_port=5353, name="dns", protocol="UDP"),
        ServicePort(port=53, target_port=5353, name="dns-tcp"),
        ServicePort(port=3868, name="diameter", protocol="SCTP"),
    )
    state = (*shop("a"), cart(*ports), endpoints("cart-1", "a"))
    assert served(state) == {"10.96.20.7 SCTP/3868=3868 TCP/53=5353 UDP/53=5353": ["a"]}
    check(state, (*shop("a"), cart(), endpoints("cart-1", "a")), follow=False)


def test_case_61_a_port_added_removed_changed_or_renamed_is_one_write_and_moves_no_member() -> None:
    members = (*shop("a", "b"), endpoints("cart-1", "a", "b"))
    more = ServicePort(port=443, target_port=8443, name="https")
    moved = ServicePort(port=80, target_port=9090, name="http")
    renamed = ServicePort(port=80, target_port=9090, name="web")
    states = [(*members, cart(*ports)) for ports in ((HTTP,), (HTTP, more), (moved, more), (moved,), (renamed,))]
    assert steps(*states) == [[("update", "floating-ip")]] * 3 + [[]]
    check(*states, follow=False)


def test_case_61_a_port_that_is_named_otherwise_leads_nowhere_until_its_slices_follow() -> None:
    """A named target port is the slices' word, by the name of the service's port."""
    renamed = cart(ServicePort(port=80, target_port_name="web", name="front"))
    before = (*shop("a"), cart(NAMED), endpoints("cart-1", "a"))
    between, after = (
        (*shop("a"), renamed, before[-1]),
        (*shop("a"), renamed, endpoints("cart-1", "a", port_name="front")),
    )
    assert served(between) == {}
    assert served(after) == served(before) == {"10.96.20.7 TCP/80=8080": ["a"]}
    check(before, between, after, follow=False)


def test_case_61_client_affinity_is_one_write_for_each_member() -> None:
    members = (*shop("a", "b"), endpoints("cart-1", "a", "b"))
    sticky = (*members, cart(affinity_seconds=10800))
    assert steps((*members, cart()), sticky, (*members, cart())) == [[("update", "virtual-machine-interface")] * 2] * 2
    assert sorted(hashed(sticky)) == ["a", "b"] and hashed((*members, cart())) == {}
    check((*members, cart()), sticky, (*members, cart(affinity_seconds=60)))
    check_leavers(sticky)


def test_case_61_client_affinity_holds_while_one_of_the_services_of_a_pod_wants_it() -> None:
    plain = (*shop("a", "b"), cart(), endpoints("cart-1", "a", "b"))
    other = service("till", cluster_ips=("10.96.20.8",), ports=(ServicePort(port=80),), affinity_seconds=60)
    both = (*plain, other, endpoints("till-1", "a", of="till", port_name=""))
    assert sorted(hashed(both)) == ["a"]
    relabelled = (*both, pod("a", 2, labels={"tier": "back"}))
    assert hashed(relabelled)["a"]["source_ip"] and not hashed(relabelled)["a"]["source_port"]
    check(plain, both, relabelled, plain)


def hashed(state: State) -> dict[str, dict[str, bool]]:
    """Hash fields of interfaces, by pod."""
    return {
        annotations_of(row[4]["properties"])["name"]: row[4]["properties"]["ecmp_hashing_include_fields"]
        for row in rows(state)["objects"].values()
        if "ecmp_hashing_include_fields" in row[4].get("properties", {})
    }


def test_case_61_services_that_claim_one_node_port_are_served_each_by_its_own_address() -> None:
    """Node ports are kube-proxy's; the API server allows no clash, but a restored or edited one may have it."""
    clash = ServicePort(port=80, target_port=8080, name="http", node_port=30080)
    till = service("till", cluster_ips=("10.96.20.8",), ports=(clash,), selector=SELECTOR, type="NodePort")
    state = (*shop("a", "b"), cart(clash, type="NodePort"), till, endpoints("x", "a"), endpoints("y", "b", of="till"))
    assert served(state) == {"10.96.20.7 TCP/80=8080": ["a"], "10.96.20.8 TCP/80=8080": ["b"]}
    without = (*shop("a", "b"), cart(), till, endpoints("x", "a"), endpoints("y", "b", of="till"))
    assert steps(state, without) == [[]]


@pytest.mark.slow
def test_case_61_named_target_ports_that_differ_per_pod() -> None:
    state = (
        *shop("old", "new", "bare"),
        cart(NAMED, ServicePort(port=443, target_port=8443, name="https")),
        endpoints("cart-1", "old", port=8080),
        endpoints("cart-2", "new", port=9090),
        endpoints("cart-3", "bare", ports=()),
    )
    assert served(state) == {
        "10.96.20.7 TCP/80=8080 TCP/443=8443": ["old"],
        "10.96.20.7 TCP/80=9090 TCP/443=8443": ["new"],
        "10.96.20.7 TCP/443=8443": ["bare"],
    }
    check(state, state[:-3], follow=False)
    check_leavers(state, follow=False)


def test_case_61_headless_and_external_name_have_no_address() -> None:
    headless = cart(headless=True, cluster_ips=())
    elsewhere = cart(type="ExternalName", external_name="cart.example.com")
    members = (*shop("a"), endpoints("cart-1", "a"))
    assert served((*members, headless)) == served((*members, elsewhere)) == {}
    plain, again = (*members, cart()), (*members, cart(cluster_ips=("10.96.20.8",)))
    check(plain, (*members, elsewhere), again, (*members, headless))
    assert served(again) == {"10.96.20.8 TCP/80=8080": ["a"]}


def test_case_61_a_service_without_selector_takes_the_ports_of_its_slices() -> None:
    manual = cart(selector={}, ports=(ServicePort(port=80, target_port=1, name="http"),))
    by_address = endpoint("b", pod_uid="", addresses=("10.32.0.9",))
    outside = endpoint("", pod_uid="", addresses=("203.0.113.9",))
    pods = (namespace(), pod("a"), pod("b", pod_ips=("10.32.0.9",)))
    state = (*pods, manual, endpoints("mine", "a", by_address, outside, port=8081))
    assert served(state) == {"10.96.20.7 TCP/80=8081": ["a", "b"]}
    stranger = endpoint("b", pod_uid="", addresses=("203.0.113.9",))
    assert served((*pods, manual, endpoints("mine", stranger, port=0))) == {"10.96.20.7 TCP/80=1": []}


def test_case_61_ready_serving_and_terminating() -> None:
    going = [endpoint(name, ready=False, terminating=True) for name in ("a", "b")]
    dead = endpoint("c", ready=False, serving=False, terminating=True)
    pods = (*shop("a", "b", "c"), cart())
    only = (*pods, endpoints("cart-1", *going, dead))
    assert served(only) == {"10.96.20.7 TCP/80=8080": ["a", "b"]}
    beside = (*pods, endpoints("cart-1", *going, dead), endpoints("cart-2", "c"))
    assert served(beside) == {"10.96.20.7 TCP/80=8080": ["c"]}
    other = (*pods, endpoints("cart-1", *going), endpoints("other-1", "c", of="other"))
    assert served(other) == {"10.96.20.7 TCP/80=8080": ["a", "b"]}
    check(only, beside, other, follow=False)


def test_case_61_not_ready_pods_of_a_service_that_publishes_them() -> None:
    members = (*shop("a"), endpoints("cart-1", endpoint("a", ready=False, serving=False)))
    assert served((*members, cart(publish_not_ready=True))) == {"10.96.20.7 TCP/80=8080": ["a"]}
    check((*members, cart(publish_not_ready=True)), (*members, cart()), follow=False)


def test_case_61_duplicate_endpoints_in_two_slices_are_one_member() -> None:
    pods = (*shop("a", "b"), cart())
    both = (*pods, endpoints("cart-1", "a", "b"), endpoints("cart-2", "a"))
    assert served(both) == {"10.96.20.7 TCP/80=8080": ["a", "b"]}
    check(both, (*pods, endpoints("cart-2", "a")), (*pods, endpoints("cart-1", "a", "a")))
    assert steps(both, (*pods, endpoints("cart-1", "a", "b")))[-1] == []


def test_case_61_a_slice_whose_label_moves_takes_its_members_along() -> None:
    services = (cart(), service("till", cluster_ips=("10.96.20.8",), ports=(HTTP,), selector=SELECTOR))
    first = (*shop("a"), *services, endpoints("x", "a"))
    moved = (*shop("a"), *services, endpoints("x", "a", of="till"))
    assert served(moved) == {"10.96.20.8 TCP/80=8080": ["a"]}
    check(first, moved, (*shop("a"), *services, endpoints("x", "a", of="")))


def test_case_61_dual_stack() -> None:
    both = msgspec.structs.replace(
        SETTINGS, pod_subnets=("10.32.0.0/12", "fd00:1::/64"), service_subnets=("10.96.0.0/12", "fd00:2::/108")
    )
    dual = cart(cluster_ips=("fd00:2::7", "10.96.20.7"))
    slices = (endpoints("cart-4", "a"), endpoints("cart-6", "a", "b", address_type="IPv6"))
    state = (*shop("a", "b"), dual, *slices, endpoints("names", "a", address_type="FQDN"))
    assert served(state, settings=both) == {"10.96.20.7 TCP/80=8080": ["a"], "fd00:2::7 TCP/80=8080": ["a", "b"]}
    check(state, (*shop("a", "b"), cart(), *slices), settings=both)
    assert served(state) == {"10.96.20.7 TCP/80=8080": ["a"]}  # the other family is nowhere in the settings


@pytest.mark.slow
def test_case_58_services_slices_and_pods_in_any_order_or_never() -> None:
    whole = (*shop("a", "b"), cart(), endpoints("cart-1", "a", "b"))
    assert served(whole[1:]) == {}  # no namespace
    without_service = (*shop("a", "b"), endpoints("cart-1", "a", "b"))
    without_pod = (*shop("a"), cart(), endpoints("cart-1", "a", "b"))
    assert served(without_service) == {}
    assert served(without_pod) == {"10.96.20.7 TCP/80=8080": ["a"]}
    check(whole, without_service, without_pod, (*shop("a", "b"), cart()), follow=False)
    check_leavers(whole, follow=False)


def test_a_member_is_the_very_pod_that_the_slice_names() -> None:
    def of(name: str) -> ChangeEvent:
        return pod("a", of=name)

    told = endpoints("cart-1", endpoint("a", pod_uid=uid("first")))
    first, second = (namespace(), of("first"), cart(), told), (namespace(), of("second"), cart(), told)
    assert served(first) == {"10.96.20.7 TCP/80=8080": ["a"]}
    assert served(second) == {"10.96.20.7 TCP/80=8080": []}
    check(first, second, follow=False)


def test_pods_without_an_interface_are_no_members() -> None:
    ended, on_host = pod("a", phase="Succeeded"), pod("b", host_network=True)
    assert served((namespace(), ended, on_host, cart(), endpoints("cart-1", "a", "b"))) == {
        "10.96.20.7 TCP/80=8080": []
    }


def test_services_follow_their_namespace_and_their_app_into_other_networks() -> None:
    shared = (cart(), endpoints("cart-1", "a", "b"))
    isolated, open_ = shop("a", "b", isolation="true"), shop("a", "b")
    in_app = cart(labels={"opencontrail.org/name": "web"})
    app_pods = (namespace(), pod("a", labels={"opencontrail.org/name": "web"}), pod("b"))
    assert served((*isolated, *shared)) == {"10.96.20.7 TCP/80=8080": ["a", "b"]}
    check((*isolated, *shared), (*open_, *shared), (*app_pods, in_app, shared[1]), (*app_pods, *shared))


def test_an_address_outside_of_the_service_subnets_is_named_and_left_alone() -> None:
    history = History()
    history.become((*shop("a"), cart(cluster_ips=("10.1.2.3",)), endpoints("cart-1", "a")))
    [error] = history.errors()
    assert error.startswith("Service shop/cart: spec.clusterIPs is 10.1.2.3; accepted are addresses in")


@pytest.mark.slow
def test_case_61_one_of_a_thousand_endpoints_in_ten_slices_changes_by_at_most_two_writes() -> None:
    names = [f"p{number}" for number in range(1001)]

    def slices(members: list[str]) -> State:
        return tuple(endpoints(f"cart-{at}", *members[at * 100 : at * 100 + 100]) for at in range(10))

    history = History()
    history.become((*shop(*names), cart(), *slices(names[:1000])), squashed=True)
    history.become((*shop(*names), cart(), *slices(names[:1000])))
    links = [row for row in history.backend.store.tables.objects.values() if "floating-ip" in row.fq_name]
    assert len(links) == 1000

    def replaced() -> None:
        history.become((*shop(*names), cart(), *slices([*names[:499], names[1000], *names[500:1000]])))

    def gone() -> None:
        history.become((*shop(*names), cart(), *slices([*names[:499], *names[500:1000]])))

    assert sorted(history.changes(replaced)) == [("create", "link"), ("delete", "link")]
    assert history.changes(gone) == [("delete", "link")]
