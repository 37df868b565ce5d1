"""Services whose back-ends are no pods of ours: what a node is told, on every way, and what users are told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.events import ChangeEvent
from schemas.identity import shard_of
from schemas.records import Endpoint, EndpointPort, ServicePort
from schemas.store.tables import SHARDS
from tests.translator.contrail import FollowingContrail
from tests.translator.facts import SETTINGS, namespace, pod, service
from tests.translator.services import HTTP, NAMED, cart, endpoint, endpoints, shop
from tests.translator.states import History, State, check, check_leavers
from tests.translator.test_services import said
from translator.rounds import MAX_ROUNDS

GLOBAL = "global-vrouter-config"
HTTPS = ServicePort(port=443, target_port=6443, name="https")


def told(state: State, **more: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Link-local services that Contrail has after this state ('10.96.0.1:443' -> 'a,b:6443'), and notices by reason."""
    history, contrail = History(**more), FollowingContrail()
    history.become(state)
    contrail.follow(history.backend.store)
    assert history.errors() == []
    notices = {reason: message for (_, reason), message in history.notices().items()}
    return {f"{e['linklocal_service_ip']}:{e['linklocal_service_port']}": lead(e) for e in entries(contrail)}, notices


def entries(contrail: FollowingContrail) -> list[dict[str, Any]]:
    (owner,) = contrail.everything(GLOBAL)
    return (owner.get("linklocal_services") or {}).get("linklocal_service_entry") or []


def lead(entry: dict[str, Any]) -> str:
    return f"{','.join(entry['ip_fabric_service_ip'])}:{entry['ip_fabric_service_port']}"


def names(state: State, **more: Any) -> list[str]:
    history, contrail = History(**more), FollowingContrail()
    history.become(state)
    contrail.follow(history.backend.store)
    return [each["linklocal_service_name"] for each in entries(contrail)]


def at(*addresses: str, **fields: Any) -> list[Endpoint]:
    """Endpoints that are no pods."""
    return [Endpoint(addresses=(address,), **fields) for address in addresses]


def kubernetes(*addresses: str) -> State:
    """The API server's service with these addresses."""
    made = service("kubernetes", namespace="default", cluster_ips=("10.96.0.1",), ports=(HTTPS,))
    slice_ = endpoints("kubernetes", *at(*addresses), of="kubernetes", port=6443, port_name="https", space="default")
    return (namespace("default"), made, slice_)


def of_host(name: str, address: str) -> tuple[ChangeEvent, Endpoint]:
    """A pod of the host's network, and its endpoint."""
    return pod(name, host_network=True), endpoint(name, addresses=(address,))


def manual(*members: Endpoint, name: str = "cart-1", **fields: Any) -> State:
    """A service without a selector, and a slice that somebody wrote."""
    return (namespace(), cart(selector={}, **fields), endpoints(name, *members))


@pytest.mark.slow
def test_the_api_server_is_reached_at_every_one_of_its_addresses() -> None:
    one, two = kubernetes("192.0.2.10"), kubernetes("192.0.2.10", "192.0.2.11")
    assert told(two) == ({"10.96.0.1:443": "192.0.2.10,192.0.2.11:6443"}, {})
    assert names(two) == ["default-domain-k8s-default-kubernetes-443"]  # as the original has it, so it is taken over
    check(one, two, kubernetes("192.0.2.11"), kubernetes())
    check_leavers(two)


def test_one_address_that_comes_or_goes_is_one_write() -> None:
    history, contrail = History(), FollowingContrail()
    for addresses in (("192.0.2.10",), ("192.0.2.10", "192.0.2.11"), ("192.0.2.11",)):
        contrail.writes.clear()
        history.become(kubernetes(*addresses))
        contrail.follow(history.backend.store)
        assert lead(entries(contrail)[0]) == f"{','.join(addresses)}:6443"
    assert [verb for verb, _ in contrail.writes] == ["entry"]


@pytest.mark.slow
def test_case_61_host_network_pods_are_reached_at_their_nodes() -> None:
    (a, at_a), (b, at_b) = of_host("a", "192.168.0.1"), of_host("b", "192.168.0.2")
    base = (namespace(), cart(), a, b)
    both = (*base, endpoints("cart-1", at_a), endpoints("cart-2", at_b))
    assert told(both) == ({"10.96.20.7:80": "192.168.0.1,192.168.0.2:8080"}, {})
    check(both, (*base, endpoints("cart-2", at_b)), base)
    check_leavers(both, follow=False)
    away = msgspec.structs.replace(at_b, ready=False, serving=False)
    assert told((*base, endpoints("cart-1", at_a, away)))[0] == {"10.96.20.7:80": "192.168.0.1:8080"}
    ended = pod("b", host_network=True, phase="Failed")
    assert told((namespace(), cart(), a, ended, endpoints("cart-1", at_a, at_b)))[0] == {
        "10.96.20.7:80": "192.168.0.1:8080"
    }


def test_one_slice_alone_looks_at_all_pods_and_another_takes_over_by_one_write() -> None:
    hosts = [of_host(f"h{n}", f"192.168.0.{n}") for n in range(1, 7)]
    pairs = [endpoints(f"cart-{n}", hosts[2 * n][1], hosts[2 * n + 1][1]) for n in range(3)]
    base = (namespace(), cart(), *(each for each, _ in hosts))
    history = History()
    history.become((*base, *pairs))
    for name, looks_at in (("cart-0", 6), ("cart-1", 4), ("cart-2", 4)):  # its own, and those of the first slice
        reads = history.dump()["reads"][f"EndpointSlice/shop/{name}"]
        assert len([key for key in reads if key.startswith("Pod/")]) == looks_at
    writes = history.changes(lambda: history.become((*base, *pairs[1:])))
    assert [write for write in writes if write[1] == "entry"] == [("update", "entry")]
    assert told((*base, *pairs[1:]))[0] == {"10.96.20.7:80": "192.168.0.3,192.168.0.4,192.168.0.5,192.168.0.6:8080"}


def test_any_number_of_slices_of_pods_may_come_before_the_first_other_back_end() -> None:
    pods = tuple(pod(f"p{n}") for n in range(MAX_ROUNDS + 2))
    slices = tuple(endpoints(f"a-{n:02}", each.name) for n, each in enumerate(pods))
    history = History()
    history.become((namespace(), cart(), *pods, *slices))
    history.become((namespace(), cart(), *pods, *slices, endpoints("b", *at("203.0.113.1"))))
    assert [reason for _, reason in history.notices()] == ["BackEndsLeftOut"]


def test_a_slice_whose_ports_lead_nowhere_does_not_speak_for_the_others() -> None:
    named = (namespace(), cart(NAMED, selector={}))
    without = endpoints("a", *at("203.0.113.1"), port_name="other")
    state = (*named, without, endpoints("b", *at("203.0.113.2")))
    assert told(state) == ({"10.96.20.7:80": "203.0.113.2:8080"}, {})
    check_leavers(state, follow=False)


def test_case_58_a_pod_that_is_not_known_or_is_another_one_by_now_is_no_back_end() -> None:
    (a, at_a) = of_host("a", "192.168.0.1")
    stale = msgspec.structs.replace(at_a, pod_uid="another")
    assert told((namespace(), cart(), endpoints("cart-1", at_a))) == ({}, {})
    assert told((namespace(), cart(), a, endpoints("cart-1", stale))) == ({}, {})


def test_case_61_without_selector_an_address_outside_is_reached_as_its_node_reaches_it() -> None:
    assert told(manual(*at("203.0.113.9"))) == ({"10.96.20.7:80": "203.0.113.9:8080"}, {})


def test_case_61_back_ends_that_end_go_on_while_nobody_else_is_there() -> None:
    ending = at("203.0.113.9", ready=False, terminating=True)
    assert told(manual(*ending))[0] == {"10.96.20.7:80": "203.0.113.9:8080"}
    more = (*manual(*ending), endpoints("cart-2", *at("203.0.113.10")))
    assert told(more)[0] == {"10.96.20.7:80": "203.0.113.10:8080"}
    check(manual(*ending), more, follow=False)


@pytest.mark.slow
def test_a_service_with_pods_and_others_is_led_to_its_pods_and_says_so() -> None:
    (host, at_host) = of_host("h", "192.168.0.2")
    only = (*shop("a"), host, cart(), endpoints("cart-1", at_host))
    mixed = (*only[:-1], endpoints("cart-1", at_host, endpoint("a")))
    apart = (*only, endpoints("cart-2", "a"))
    for state in (mixed, apart):
        found, notices = told(state)
        assert found == {} and list(notices) == ["BackEndsLeftOut"] and "are pods" in notices["BackEndsLeftOut"]
        history, contrail = History(), FollowingContrail()
        history.become(state)
        contrail.follow(history.backend.store)
        assert said(contrail) == {"10.96.20.7 TCP/80=8080": ["a"]}
    check(only, mixed, apart, (*shop("a"), cart(), endpoints("cart-2", "a")))
    check_leavers(apart, follow=False)


@pytest.mark.parametrize("address", ["10.32.0.9", "10.96.0.9", "127.0.0.1", "169.254.169.254", "224.0.0.1", "x"])
def test_an_address_that_nodes_cannot_reach_is_left_out_and_said(address: str) -> None:
    found, notices = told(manual(*at(address)))
    assert found == {} and "nodes cannot reach" in notices["BackEndsLeftOut"]
    found, notices = told(manual(*at(address, "203.0.113.9")))
    assert found == {"10.96.20.7:80": "203.0.113.9:8080"} and list(notices) == ["BackEndsLeftOut"]


def test_both_protocols_of_a_port_are_one_entry_and_lead_to_one_port() -> None:
    ports = (ServicePort(port=53, name="dns", protocol="UDP"), ServicePort(port=53, name="dns-tcp"))
    equal = (EndpointPort(port=53, name="dns", protocol="UDP"), EndpointPort(port=53, name="dns-tcp"))
    differ = (EndpointPort(port=5353, name="dns", protocol="UDP"), EndpointPort(port=53, name="dns-tcp"))
    served = (namespace(), cart(*ports, selector={}))
    assert told((*served, endpoints("x", *at("203.0.113.9"), ports=equal))) == ({"10.96.20.7:53": "203.0.113.9:53"}, {})
    found, notices = told((*served, endpoints("x", *at("203.0.113.9"), ports=differ)))
    assert found == {"10.96.20.7:53": "203.0.113.9:53"}
    assert "a port leads to one port of all" in notices["BackEndsLeftOut"]


def test_back_ends_that_differ_in_a_port_follow_the_most_and_the_others_are_said() -> None:
    state = (
        namespace(),
        cart(NAMED, selector={}),
        endpoints("x", *at("203.0.113.1", "203.0.113.2"), port=8080),
        endpoints("y", *at("203.0.113.3"), port=9090),
    )
    found, notices = told(state)
    assert found == {"10.96.20.7:80": "203.0.113.1,203.0.113.2:8080"} and list(notices) == ["BackEndsLeftOut"]
    check(state, (*state[:2], state[3]), follow=False)
    check_leavers(state, follow=False)


def test_sctp_and_ipv6_are_not_reached_so_and_that_is_said() -> None:
    sctp = ServicePort(port=90, target_port=90, name="sig", protocol="SCTP")
    ports = (EndpointPort(port=8080, name="http"), EndpointPort(port=90, name="sig", protocol="SCTP"))
    found, notices = told((namespace(), cart(HTTP, sctp, selector={}), endpoints("x", *at("203.0.113.9"), ports=ports)))
    assert found == {"10.96.20.7:80": "203.0.113.9:8080"} and "TCP and UDP" in notices["BackEndsNotServed"]
    dual = msgspec.structs.replace(SETTINGS, service_subnets=("10.96.0.0/12", "fd01::/112"))
    six = cart(selector={}, cluster_ips=("fd01::7",))
    slice_ = endpoints("x", *at("2001:db8::9"), address_type="IPv6")
    found, notices = told((namespace(), six, slice_), settings=dual)
    assert found == {} and "IPv4 only" in notices["BackEndsNotServed"]


def test_public_addresses_without_a_pod_behind_them_are_said() -> None:
    found, notices = told(manual(*at("203.0.113.9"), external_ips=("198.51.100.7",)))
    assert found == {"10.96.20.7:80": "203.0.113.9:8080"} and "public addresses" in notices["BackEndsNotServed"]


def test_load_balancer_objects_change_nothing_about_it() -> None:
    balanced = msgspec.structs.replace(SETTINGS, service_load_balancer="loadbalancer")
    assert told(manual(*at("203.0.113.9")), settings=balanced) == ({"10.96.20.7:80": "203.0.113.9:8080"}, {})


def test_entries_of_all_namespaces_are_of_one_shard() -> None:
    history = History()
    history.become((*kubernetes("192.0.2.10"), *manual(*at("203.0.113.9"))))
    rows = [row for row in history.backend.store.tables.objects.values() if row.type == "entry"]
    assert {row.namespace for row in rows} == {"default", "shop"}
    assert {row.shard for row in rows} == {shard_of("", SHARDS)}


def test_switched_off_nothing_is_written_and_users_are_told() -> None:
    off = msgspec.structs.replace(SETTINGS, link_local_services=False)
    found, notices = told(manual(*at("203.0.113.9")), settings=off)
    assert found == {} and "switched off" in notices["BackEndsNotServed"]


def test_no_entry_is_named_as_the_metadata_service_of_machines() -> None:
    made = service("metadata-db", cluster_ips=("10.96.20.9",), ports=(HTTP,))
    (name,) = names((namespace(), made, endpoints("x", *at("203.0.113.9"), of="metadata-db")))
    assert "metadata" not in name


def test_names_are_distinct_over_namespaces_services_and_clusters() -> None:
    states = []
    for space, name, address in (("a", "b-c", "10.96.20.8"), ("a-b", "c", "10.96.20.9")):
        made = service(name, namespace=space, cluster_ips=(address,), ports=(HTTP,))
        states += [namespace(space), made, endpoints("x", *at("203.0.113.9"), of=name, space=space)]
    assert sorted(names(tuple(states))) == ["k8s__a-b__c__80", "k8s__a__b-c__80"]
    one = msgspec.structs.replace(SETTINGS, project="shared", cluster="second")
    history = History(one)
    history.become(kubernetes("192.0.2.10"))
    found = [row.fq_name for row in history.backend.store.tables.objects.values() if row.type == "entry"]
    assert [name.rpartition(":")[2] for name in found] == ["second__default__kubernetes__443"]


def test_case_61_a_service_that_changes_keeps_one_entry_per_port() -> None:
    first = manual(*at("203.0.113.9"))
    moved = manual(*at("203.0.113.9"), cluster_ips=("10.96.20.8",))
    more = (namespace(), cart(HTTP, HTTPS, selector={}), endpoints("cart-1", *at("203.0.113.9"), ports=BOTH))
    headless = manual(*at("203.0.113.9"), headless=True, cluster_ips=())
    assert told(more)[0] == {"10.96.20.7:80": "203.0.113.9:8080", "10.96.20.7:443": "203.0.113.9:6443"}
    check(first, more, moved, headless)


BOTH = (EndpointPort(port=8080, name="http"), EndpointPort(port=6443, name="https"))
